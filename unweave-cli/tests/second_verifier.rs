//! The verifier in Python, which shares no code with this one, agrees about what this one exports.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use shared_models::ledger::SupersededReason;

use crate::support::{pinned, pinned_keys, publish, repository, signer, text, unweave, write};

/// The Python that has the tests' tools: `CLIENTS_PYTHON`, or the one that `make python-tools` installs.
fn python() -> std::ffi::OsString {
    std::env::var_os("CLIENTS_PYTHON").unwrap_or_else(|| repository().join(".local/venv/bin/python").into())
}

fn second(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(python());
    command.arg("-B").arg(repository().join("dev/ledger_verifier.py")).args(arguments);
    for key in pinned_keys() {
        command.args(["--key", &key]);
    }
    let output =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; `make python-tools` installs it"));
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn both_verifiers_agree_about_an_export() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    unweave(&["ledger", "export", &pinned("copy"), text(&copy)]).well();
    let agree = |asked: &[&str], here: &[&str], code: i32| {
        let (ended, said) = second(asked);
        assert_eq!(ended, Some(code), "{said}");
        assert_eq!(unweave(&[here, &["--keys", &pinned("keys.txt")]].concat()).code, Some(code), "{here:?}");
        said
    };
    let (copy, kept) = (text(&copy), pinned("kept-checkpoint"));
    let said = agree(&["copy", copy, "--since", &kept], &["ledger", "verify", copy, "--since", &kept], 0);
    assert!(said.contains("260 entries") && said.contains("3 receipt"), "{said}");
    for (name, code) in [("receipt.json", 0), ("receipt-superseded.json", 1), ("receipt-not-in-ledger.json", 0)] {
        let file = pinned(name);
        let here = ["receipt", "verify", &file, "--ledger", copy];
        agree(&["receipt", &file, "--copy", copy], &here, code);
    }
    let file = Path::new(copy).join("log/tile/0/001.p/4");
    write(&file, &[0; 128]);
    agree(&["copy", copy], &["ledger", "verify", copy], 1);
}

#[test]
fn both_verifiers_know_every_reason_why_a_receipt_no_longer_holds() {
    let folder = tempfile::tempdir().unwrap();
    let ended = SupersededReason::NAMES.iter().map(|reason| {
        let id = "00000000-0000-4000-8000-000000000001";
        json!({
            "form": 1, "kind": "superseded", "receipt_id": id, "cleanup_id": id, "organization_id": id,
            "superseded_at": "2026-09-21T14:13:20.123456Z", "reason": reason,
        })
    });
    publish(folder.path(), &ended.collect::<Vec<_>>(), &signer(7));
    let copy = text(folder.path());
    assert!(unweave(&["ledger", "verify", copy, "--keys", &pinned("keys.txt")]).well().contains("5 superseded"));
    let (ended, said) = second(&["copy", copy]);
    assert!(ended == Some(0) && said.contains("5 superseded"), "{said}");
}
