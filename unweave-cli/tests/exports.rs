//! `unweave ledger export`.

use std::path::Path;

use crate::support::{Ended, entries, files, pinned, pinned_copy, publish, signer, text, unweave, write};

fn export(from: &Path, to: &Path) -> Ended {
    unweave(&["ledger", "export", text(from), text(to)])
}

fn verify(folder: &Path) -> Ended {
    unweave(&["ledger", "verify", text(folder), "--keys", &pinned("keys.txt")])
}

/// Names and contents.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    files(folder).into_iter().map(|name| (name.clone(), std::fs::read(folder.join(name)).unwrap())).collect()
}

#[test]
fn an_export_is_a_copy_and_exporting_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("ledger"), folder.path().join("copies/copy"));
    publish(&from, &entries("a", 600), &signer(7));
    let said = export(&from, &to).well();
    assert!(said.contains("7 copied, 0 were there"), "{said}");
    verify(&to).well();
    assert_eq!(content(&from), content(&to));
    let said = export(&from, &to).well();
    assert!(said.contains("0 copied, 7 were there"), "{said}");
    assert_eq!(content(&from), content(&to));
}

#[test]
fn a_checkpoint_that_the_source_keeps_by_no_size_is_kept_in_the_copy() {
    let folder = tempfile::tempdir().unwrap();
    export(Path::new(&pinned("copy")), folder.path()).well();
    let note = std::fs::read(pinned("copy/checkpoint")).unwrap();
    assert_eq!(std::fs::read(folder.path().join("log/checkpoints/260")).unwrap(), note);
    verify(folder.path()).well();
}

#[test]
fn an_interrupted_export_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("ledger"), folder.path().join("copy"));
    publish(&from, &entries("a", 3_000), &signer(7));
    export(&from, &to).well();
    let all = content(&to);
    // The checkpoint comes last, so an interrupted export has none, or the one before.
    std::fs::remove_file(to.join("checkpoint")).unwrap();
    let names = files(&to.join("log/tile"));
    for name in names.iter().step_by(2) {
        std::fs::remove_file(to.join("log/tile").join(name)).unwrap();
    }
    let left = names.len() / 2;
    let said = export(&from, &to).well();
    assert!(said.contains(&format!("{} copied, {left} were there", names.len() - left)), "{said}");
    assert_eq!(content(&to), all);
    verify(&to).well();
}

#[test]
fn an_export_that_cant_end_leaves_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("ledger"), folder.path().join("copy"));
    publish(&from, &entries("a", 300), &signer(7));
    export(&from, &to).well();
    publish(&from, &entries("a", 600), &signer(7));
    let missing = from.join("log/tile/entries/001");
    let bundle = std::fs::read(&missing).unwrap();
    std::fs::remove_file(&missing).unwrap();
    export(&from, &to).refused("missing");
    verify(&to).well();
    write(&missing, &bundle);
    let said = export(&from, &to).well();
    assert!(said.contains("continues the copy of 300 entries"), "{said}");
    verify(&to).well();
    let checkpoints = files(&to.join("log/checkpoints"));
    assert_eq!(checkpoints, ["300", "600"]);
}

#[test]
fn what_is_in_the_folder_is_never_overwritten() {
    let folder = pinned_copy();
    let file = folder.path().join("log/tile/0/000");
    write(&file, b"other bytes");
    export(Path::new(&pinned("copy")), folder.path()).well();
    assert_eq!(std::fs::read(&file).unwrap(), b"other bytes");
    verify(folder.path()).refused("tile");
}

#[test]
fn a_ledger_that_doesnt_continue_the_copy_is_refused_and_the_copy_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("ledger"), folder.path().join("copy"));
    publish(&from, &entries("a", 300), &signer(7));
    export(&from, &to).well();
    let note = std::fs::read(to.join("checkpoint")).unwrap();
    for (name, what, size, reason) in
        [("b", "a", 299, "shrunk"), ("c", "b", 300, "forked"), ("d", "b", 301, "forked"), ("e", "b", 900, "forked")]
    {
        let other = folder.path().join(name);
        publish(&other, &entries(what, size), &signer(7));
        export(&other, &to).refused(reason);
        assert_eq!(std::fs::read(to.join("checkpoint")).unwrap(), note);
        verify(&to).well();
    }
}

#[test]
fn nothing_that_is_no_ledger_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    export(&folder.path().join("nothing"), &folder.path().join("copy")).failed(3);
    std::fs::create_dir_all(folder.path().join("empty/log")).unwrap();
    assert!(export(&folder.path().join("empty"), &folder.path().join("copy")).failed(3).contains("no checkpoint"));
    assert!(!folder.path().join("copy").exists());
    write(&folder.path().join("empty/checkpoint"), b"no note");
    export(&folder.path().join("empty"), &folder.path().join("copy")).refused("checkpoint");
}
