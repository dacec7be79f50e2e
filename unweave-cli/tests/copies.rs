//! `unweave ledger verify`.

use std::path::Path;

use serde_json::json;

use crate::support::{
    Ended, entries, files, flip, pinned, pinned_copy, pinned_keys, publish, signer, text, unweave, write,
};

fn verify(folder: &Path, more: &[&str]) -> Ended {
    unweave(&[&["ledger", "verify", text(folder), "--keys", &pinned("keys.txt")], more].concat())
}

#[test]
fn a_whole_copy_is_verified_and_tells_what_is_in_it() {
    let said = verify(Path::new(&pinned("copy")), &["--since", &pinned("kept-checkpoint")]).well();
    for part in [
        "unweave.example.org/ledger, 260 entries",
        "signed by unweave.example.org/ledger+77f1cf53",
        "1 deleted, 3 receipt, 1 superseded, 2 audit, 253 of later versions",
        "continues the kept checkpoint of 9 entries",
        "receipt 00000000-0000-4000-8000-000000000008 is there again, as entry 257",
        "receipt 00000000-0000-4000-8000-000000000008 no longer holds since",
        "\nverified\n",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let url = format!("file://{}", pinned("copy"));
    unweave(&["ledger", "verify", &url, "--keys", &pinned("keys.txt")]).well();
}

#[test]
fn programs_get_json() {
    let found = verify(Path::new(&pinned("copy")), &["--since", &pinned("kept-checkpoint"), "--output", "json"]);
    let checkpoint = |size: u64, root: &str, by: &str| {
        json!({
            "origin": "unweave.example.org/ledger", "size": size, "root": root,
            "signed_by": format!("unweave.example.org/ledger+{by}"),
        })
    };
    let id = |last: u8| format!("00000000-0000-4000-8000-{last:012x}");
    let expected = json!({
        "verdict": "verified",
        "checkpoint": checkpoint(260, "XYats9718R76QKZD40ec9MBb4dytOHPUDsDimJU9L+o=", "77f1cf53"),
        "since": checkpoint(9, "bdzCF8Ki+fOSgi4W3N+0ouJ7ssubdenNA+SfLUol0IU=", "0f450807"),
        "entries": { "deleted": 1, "receipt": 3, "superseded": 1, "audit": 2, "unknown": 253 },
        "checkpoint_is_kept": false,
        "superseded": [{
            "form": 1, "receipt_id": id(8), "cleanup_id": id(5), "organization_id": id(1),
            "superseded_at": "2026-09-21T15:03:20.123456Z", "reason": "reopened",
        }],
        "duplicates": [{ "receipt_id": id(8), "index": 257 }],
    });
    assert_eq!(found.json(0), expected);
}

#[test]
fn a_bit_that_was_flipped_in_any_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &entries("a", 600), &signer(7));
    let names = files(folder.path());
    let kinds = [
        "checkpoint",
        "log/checkpoints/600",
        "log/tile/0/000",
        "log/tile/0/001",
        "log/tile/0/002.p/88",
        "log/tile/1/000.p/2",
        "log/tile/entries/000",
        "log/tile/entries/001",
        "log/tile/entries/002.p/88",
    ];
    assert_eq!(names, kinds);
    verify(folder.path(), &[]).well();
    for name in names {
        let file = folder.path().join(name);
        let length = std::fs::read(&file).unwrap().len();
        for (byte, bit) in [(0, 0), (1, 7), (length / 3, 1), (length / 2, 2), (length * 4 / 5, 6), (length - 1, 4)] {
            flip(&file, byte, bit);
            let ended = verify(folder.path(), &[]);
            assert_eq!(ended.code, Some(1), "{file:?} {byte} {bit}: {ended:?}");
            flip(&file, byte, bit);
        }
    }
    verify(folder.path(), &[]).well();
}

#[test]
fn any_byte_of_a_checkpoint_counts() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &entries("a", 2), &signer(7));
    let file = folder.path().join("checkpoint");
    for byte in 0..std::fs::read(&file).unwrap().len() {
        flip(&file, byte, byte % 8);
        assert_eq!(verify(folder.path(), &[]).code, Some(1), "{byte}");
        flip(&file, byte, byte % 8);
    }
}

#[test]
fn a_ledger_with_tiles_of_every_kind_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &entries("a", 256 * 256 + 300), &signer(7));
    let said = verify(folder.path(), &[]).well();
    assert!(said.contains("65836 of later versions"), "{said}");
    flip(&folder.path().join("log/tile/1/000"), 4_000, 3);
    verify(folder.path(), &[]).refused("tile");
}

#[test]
fn a_copy_that_lacks_something_is_refused() {
    for (name, reason) in [
        ("log/tile/0/000", "missing"),
        ("log/tile/1/000.p/1", "missing"),
        ("log/tile/0/001.p/4", "missing"),
        ("log/tile/entries/000", "missing"),
        ("log/tile/entries/001.p/4", "missing"),
    ] {
        let folder = pinned_copy();
        let file = folder.path().join(name);
        std::fs::remove_file(&file).unwrap();
        assert!(verify(folder.path(), &[]).refused(reason).contains(&name[4..]));
        write(&file, b"");
        verify(folder.path(), &[]).refused(if name.contains("entries") { "bundle" } else { "tile" });
    }
    let folder = pinned_copy();
    std::fs::remove_file(folder.path().join("checkpoint")).unwrap();
    assert!(verify(folder.path(), &[]).failed(3).contains("no checkpoint"));
    write(&folder.path().join("checkpoint"), b"");
    verify(folder.path(), &[]).refused("checkpoint");
}

#[test]
fn entries_that_were_not_signed_are_refused() {
    let (honest, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    publish(honest.path(), &entries("a", 300), &signer(7));
    publish(folder.path(), &entries("b", 300), &signer(7));
    // The whole tree is consistent, and signed by nobody.
    std::fs::copy(honest.path().join("checkpoint"), folder.path().join("checkpoint")).unwrap();
    std::fs::remove_dir_all(folder.path().join("log/checkpoints")).unwrap();
    verify(folder.path(), &[]).refused("root");
}

#[test]
fn the_note_that_is_kept_by_its_size_must_agree() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &entries("a", 3), &signer(7));
    let kept = folder.path().join("log/checkpoints/3");
    let other = tempfile::tempdir().unwrap();
    publish(other.path(), &entries("b", 3), &signer(7));
    std::fs::copy(other.path().join("checkpoint"), kept).unwrap();
    assert!(verify(folder.path(), &[]).refused("checkpoint").contains("checkpoints/3"));
}

#[test]
fn a_ledger_must_continue_what_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let verify = |ledger: &str, more: &[&str]| verify(&folder.path().join(ledger), more);
    publish(&folder.path().join("ledger"), &entries("a", 300), &signer(7));
    verify("ledger", &["--keep", text(&kept)]).well();
    // Nothing new, and then more.
    verify("ledger", &["--since", text(&kept)]).well();
    publish(&folder.path().join("ledger"), &entries("a", 700), &signer(7));
    let said = verify("ledger", &["--since", text(&kept), "--keep", text(&kept)]).well();
    assert!(said.contains("kept checkpoint of 300 entries"), "{said}");
    assert!(std::fs::read_to_string(&kept).unwrap().contains("\n700\n"));
    let before = std::fs::read(&kept).unwrap();

    publish(&folder.path().join("shrunk"), &entries("a", 300), &signer(7));
    verify("shrunk", &["--since", text(&kept), "--keep", text(&kept)]).refused("shrunk");
    for size in [700, 900] {
        let forked = format!("forked-{size}");
        publish(&folder.path().join(&forked), &entries("b", size), &signer(7));
        verify(&forked, &["--since", text(&kept), "--keep", text(&kept)]).refused("forked");
        verify(&forked, &[]).well();
    }
    assert_eq!(std::fs::read(&kept).unwrap(), before);
}

#[test]
fn a_kept_checkpoint_of_another_log_or_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    publish(&ledger, &entries("a", 3), &signer(7));
    publish(&folder.path().join("unknown"), &entries("a", 3), &signer(9));
    let unknown = folder.path().join("unknown/checkpoint");
    verify(&ledger, &["--since", text(&unknown)]).refused("kept_checkpoint");
    verify(&ledger, &["--since", text(&folder.path().join("nothing"))]).failed(3);

    let other = shared_models::ledger::LedgerSigner::new("other".parse().unwrap(), "a".to_owned(), &[7; 32]).unwrap();
    publish(&folder.path().join("other"), &entries("a", 3), &other);
    let (key, since) = (other.verifier().to_string(), folder.path().join("other/checkpoint"));
    verify(&ledger, &["--since", text(&since), "--key", &key]).refused("other_log");
}

#[test]
fn the_keys_come_from_the_verifier() {
    let copy = pinned("copy");
    let keys = pinned_keys();
    unweave(&["ledger", "verify", &copy, "--key", &keys[1]]).refused("checkpoint");
    unweave(&["ledger", "verify", &copy, "--key", &keys[0]]).well();
    unweave(&["ledger", "verify", &copy]).failed(2);
}
