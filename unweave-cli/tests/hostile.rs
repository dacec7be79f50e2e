//! Strangers' files: refused, in bounded time and memory, without a panic, and without doing anything to a terminal.

use crate::support::{Ended, pinned, pinned_copy, text, unweave, unweave_given, write};

fn receipt(file: &[u8]) -> Ended {
    unweave_given(file, &["receipt", "verify", "-", "--keys", &pinned("keys.txt")])
}

#[test]
fn what_is_no_receipt_is_refused() {
    for file in [
        &b"\xff\xfe"[..],
        b"null",
        b"{}",
        br#"{"receipt":{},"signature":{}}"#,
        "[".repeat(200_000).as_bytes(),
        &[b' '; 300_000],
    ] {
        receipt(file).refused("malformed");
    }
    // Not read to an end that it hasn't got.
    unweave(&["receipt", "verify", "/dev/zero", "--keys", &pinned("keys.txt")]).refused("malformed");
    unweave(&["receipt", "verify", "/", "--keys", &pinned("keys.txt")]).failed(3);
}

#[test]
fn a_bit_that_was_flipped_anywhere_in_a_receipt_is_noticed() {
    let file = std::fs::read(pinned("receipt.json")).unwrap();
    for byte in (0..file.len()).step_by(29) {
        let mut altered = file.clone();
        altered[byte] ^= 1 << (byte % 8);
        assert_eq!(receipt(&altered).code, Some(1), "{byte}");
    }
}

#[test]
fn no_text_of_a_file_moves_a_terminal_or_makes_a_line() {
    let file = std::fs::read_to_string(pinned("receipt.json")).unwrap();
    let key = r"unweave\u001b[2J\nverified\u009b31m\u202eelif";
    let said = receipt(file.replace("unweave.example.org/ledger+0f450807", key).as_bytes()).refused("unknown_key");
    assert!(said.contains(r"\u{1b}[2J\u{a}verified\u{9b}31m\u{202e}elif"), "{said}");
    let folder = pinned_copy();
    write(
        &folder.path().join("checkpoint"),
        "a\u{9b}b\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— a b=\n".as_bytes(),
    );
    unweave(&["ledger", "verify", text(folder.path()), "--keys", &pinned("keys.txt")]).refused("checkpoint");
    unweave(&["ledger", "export", text(folder.path()), text(&folder.path().join("to"))]).refused("checkpoint");
}

#[test]
fn a_copy_of_huge_files_is_refused() {
    for name in ["checkpoint", "log/tile/0/000", "log/tile/entries/000", "log/tile/1/000.p/1"] {
        let folder = pinned_copy();
        let file = std::fs::File::create(folder.path().join(name)).unwrap();
        file.set_len(1 << 40).unwrap();
        unweave(&["ledger", "verify", text(folder.path()), "--keys", &pinned("keys.txt")]).refused("malformed");
    }
}

#[test]
fn an_export_of_a_ledger_that_says_it_is_huge_ends() {
    let folder = pinned_copy();
    let note = std::fs::read_to_string(pinned("copy/checkpoint")).unwrap();
    write(&folder.path().join("checkpoint"), note.replace("\n260\n", "\n9007199254740991\n").as_bytes());
    unweave(&["ledger", "export", text(folder.path()), text(&folder.path().join("to"))]).refused("missing");
}
