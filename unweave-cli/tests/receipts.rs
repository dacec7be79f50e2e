//! `unweave receipt verify`.

use serde_json::json;

use crate::support::{pinned, pinned_keys, unweave, unweave_given, unweave_with};

const CONNECTION: &str = "00000000-0000-4000-8000-000000000003";
const CLEANUP: &str = "00000000-0000-4000-8000-000000000005";
const OTHER: &str = "00000000-0000-4000-8000-00000000000a";

/// Verifies a pinned receipt by the pinned keys.
fn verify(name: &str, more: &[&str]) -> crate::support::Ended {
    unweave(&[&["receipt", "verify", &pinned(name), "--keys", &pinned("keys.txt")], more].concat())
}

#[test]
fn a_receipt_is_verified_line_by_line() {
    let said = verify("receipt.json", &["--connection", CONNECTION, "--ledger", &pinned("copy")]).well();
    let begin: Vec<_> = said.lines().map(|line| line.get(..16).unwrap_or(line).trim_end()).collect();
    let expected = [
        "--  receipt",
        "ok  signature",
        "ok  deletion",
        "ok  targets",
        "ok  reference",
        "ok  ledger",
        "ok  copy",
        "verified",
    ];
    assert_eq!(begin, expected, "{said}");
    for part in ["by unweave.example.org/ledger+0f450807\n", CONNECTION, CLEANUP, "\"GDPR-42\"", "entry 8 of", "260"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_receipt_that_isnt_in_the_log_yet_says_so() {
    let said = verify("receipt-not-in-ledger.json", &["--cleanup", CLEANUP]).well();
    assert!(said.ends_with("signed, not in the log yet\nverified\n"), "{said}");
    // The copy has it.
    let said = verify("receipt-not-in-ledger.json", &["--ledger", &pinned("copy")]).well();
    assert!(said.contains("it is entry 8 of the copy"), "{said}");
}

#[test]
fn a_receipt_of_form_2_is_verified_by_the_key_that_the_verifier_has() {
    let said = verify("receipt-form-2.json", &[]).well();
    assert!(said.contains("of form 2\n") && said.contains("entry 257 of"), "{said}");
}

#[test]
fn a_superseded_receipt_is_refused_by_name_if_the_ledger_says_so() {
    verify("receipt-superseded.json", &[]).well();
    let said = verify("receipt-superseded.json", &["--ledger", &pinned("copy")]).refused("superseded");
    assert!(said.contains("2026-09-21") && said.contains("reopened"), "{said}");
}

#[test]
fn another_key_is_none() {
    let keys = pinned_keys();
    let (checkpoints, receipts) = (&keys[0], &keys[1]);
    let verify = |key: &str| unweave(&["receipt", "verify", &pinned("receipt.json"), "--key", key]);
    let said = verify(checkpoints).refused("unknown_key");
    assert!(said.contains("unweave.example.org/ledger+0f450807"), "{said}");
    verify(receipts).refused("checkpoint");
    let both = ["--key", checkpoints, "--key", receipts];
    unweave(&[&["receipt", "verify", &pinned("receipt.json")], &both[..]].concat()).well();
}

#[test]
fn a_receipt_of_another_deletion_is_refused() {
    for other in [["--connection", OTHER], ["--cleanup", OTHER]] {
        let said = verify("receipt.json", &other).refused("other_deletion");
        assert!(said.contains(CONNECTION) && said.contains(CLEANUP), "{said}");
    }
}

#[test]
fn an_altered_receipt_is_refused() {
    let file = std::fs::read_to_string(pinned("receipt.json")).unwrap();
    for (old, new, reason) in [
        ("\"found\": 3", "\"found\": 4", "altered"),
        ("GDPR-42", "GDPR-43", "reference"),
        ("\"index\": 8", "\"index\": 9", "not_in_ledger"),
        ("ledger\\n260\\n", "ledger\\n261\\n", "checkpoint"),
        ("\"form\": 3", "\"form\": 4", "unknown_form"),
        ("\"receipt\": {", "\"receipts\": {", "malformed"),
        ("\"found\": 3", "\"found\": 3.0", "malformed"),
    ] {
        assert!(file.contains(old), "{old}");
        let arguments = ["receipt", "verify", "-", "--keys", &pinned("keys.txt")];
        unweave_given(file.replacen(old, new, 1).as_bytes(), &arguments).refused(reason);
    }
}

#[test]
fn a_receipt_is_read_from_standard_input() {
    let file = std::fs::read(pinned("receipt.json")).unwrap();
    unweave_given(&file, &["receipt", "verify", "-", "--keys", &pinned("keys.txt")]).well();
    unweave_given(b"", &["receipt", "verify", "-", "--keys", &pinned("keys.txt")]).refused("malformed");
}

#[test]
fn programs_get_json() {
    let checkpoint = json!({
        "origin": "unweave.example.org/ledger",
        "size": 260,
        "root": "XYats9718R76QKZD40ec9MBb4dytOHPUDsDimJU9L+o=",
        "signed_by": "unweave.example.org/ledger+77f1cf53",
    });
    let found = verify("receipt.json", &["--cleanup", CLEANUP, "--ledger", &pinned("copy"), "--output", "json"]);
    let expected = json!({
        "verdict": "verified",
        "receipt_id": "00000000-0000-4000-8000-000000000009",
        "form": 3,
        "cleanup_id": CLEANUP,
        "source_connection_id": CONNECTION,
        "signed_by": "unweave.example.org/ledger+0f450807",
        "checked": ["signature", "deletion", "targets", "reference", "inclusion", "not_superseded"],
        "reference": "GDPR-42",
        "in_ledger": {
            "index": 8,
            "leaf": "isOF1L3fvZpCmuAPnSR2lf/I5PqZozZoAVHxft8Y8f8=",
            "checkpoint": checkpoint,
        },
        "copy": { "checkpoint": checkpoint, "index": 8 },
    });
    assert_eq!(found.json(0), expected);
    let found = verify("receipt-not-in-ledger.json", &["--output", "json"]).json(0);
    assert_eq!((&found["in_ledger"], &found["copy"]), (&json!(null), &json!(null)));
    let found = verify("receipt.json", &["--cleanup", OTHER, "--output", "json"]).json(1);
    assert_eq!((&found["verdict"], &found["reason"]), (&json!("refused"), &json!("other_deletion")));
    let found = verify("no-such-file", &["--output", "json"]).json(3);
    assert_eq!((&found["verdict"], &found["reason"]), (&json!("unchecked"), &json!("unreadable")));
}

#[test]
fn what_cant_be_checked_is_no_refusal() {
    assert!(verify("no-such-file", &[]).failed(3).starts_with("unweave: read "));
    verify("receipt.json", &["--ledger", &pinned("no-such-folder")]).failed(3);
    // Nothing listens there.
    let away = [("AWS_ENDPOINT", "http://127.0.0.1:9"), ("AWS_ALLOW_HTTP", "true"), ("AWS_REGION", "here")];
    let secrets = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let arguments =
        ["receipt", "verify", &pinned("receipt.json"), "--keys", &pinned("keys.txt"), "--ledger", "s3://a/b"];
    let said = unweave_with(&[&away[..], &secrets].concat(), &arguments).failed(3);
    assert!(said.contains("ledger store") && said.lines().count() == 1, "{said}");
    let arguments = ["receipt", "verify", &pinned("receipt.json"), "--keys", &pinned("no-such-file")];
    unweave(&arguments).failed(3);
}

#[test]
fn what_isnt_understood_is_no_verdict() {
    let receipt = pinned("receipt.json");
    unweave(&["receipt", "verify", &receipt]).failed(2);
    unweave(&["receipt", "verify", &receipt, "--key", "no-key"]).failed(2);
    unweave(&["receipt", "verify", &receipt, "--keys", &receipt]).failed(2);
    unweave(&["receipt", "verify", &receipt, "--keys", "/dev/null"]).failed(2);
    verify("receipt.json", &["--connection", "x"]).failed(2);
    verify("receipt.json", &["--connection", CONNECTION, "--cleanup", CLEANUP]).failed(2);
    verify("receipt.json", &["--ledger", "ftp://example.org/"]).failed(2);
}

#[test]
fn a_receipt_is_printed_as_a_certificate_once_it_is_verified() {
    let print = |more: &[&str]| unweave(&[&["receipt", "print", &pinned("receipt.json")], more].concat());
    let page = print(&["--keys", &pinned("keys.txt")]).well();
    for said in ["<!DOCTYPE html>", "Certificate of deletion", CONNECTION, "GDPR-42", "Verified before printing"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let page = print(&["--unverified"]).well();
    assert!(
        page.contains(CONNECTION) && !page.contains("Verified before printing") && page.contains("Nobody verified")
    );
    assert!(print(&[]).failed(2).contains("--unverified"));
    print(&["--keys", &pinned("keys.txt"), "--unverified"]).failed(2);
    let stranger = crate::support::signer(9).verifier().to_string();
    print(&["--key", &stranger]).refused("unknown_key");
}
