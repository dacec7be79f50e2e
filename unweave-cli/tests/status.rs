//! `unweave ledger status`.

use serde_json::json;

use crate::support::{entries, flip, pinned, pinned_keys, publish, signer, text, unweave};

#[test]
fn a_ledger_says_how_large_it_is_and_who_signed_it() {
    let said = unweave(&["ledger", "status", &pinned("copy"), "--keys", &pinned("keys.txt")]).well();
    for part in ["260 entries", "by unweave.example.org/ledger+77f1cf53", "entry 259", "it tells no time"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    unweave(&["ledger", "status", &pinned("copy"), "--key", &pinned_keys()[1]]).refused("checkpoint");
}

#[test]
fn the_newest_entry_tells_when() {
    let folder = tempfile::tempdir().unwrap();
    let status = || {
        unweave(&["ledger", "status", text(folder.path()), "--keys", &pinned("keys.txt"), "--output", "json"]).json(0)
    };
    for size in [0, 1, 255, 256, 511, 512, 513] {
        let mut all = entries("a", size);
        all.push(json!({
            "form": 1, "kind": "audit", "at": "2026-09-21T14:13:20.123456Z", "actor": "operator",
            "organization_id": null, "action": "purge.paused", "object_id": null,
        }));
        publish(folder.path(), &all, &signer(7));
        let found = status();
        assert_eq!(
            found["newest_entry"],
            json!({ "index": size, "kind": "audit", "at": "2026-09-21T14:13:20.123456Z" })
        );
        assert_eq!(found["checkpoint"]["size"], size + 1);
    }
}

#[test]
fn an_empty_ledger_is_one() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &[], &signer(7));
    let said = unweave(&["ledger", "status", text(folder.path()), "--keys", &pinned("keys.txt")]).well();
    assert!(said.contains("0 entries") && said.contains("no entries yet"), "{said}");
    unweave(&["ledger", "verify", text(folder.path()), "--keys", &pinned("keys.txt")]).well();
}

#[test]
fn what_doesnt_lead_to_the_signed_root_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &entries("a", 600), &signer(7));
    let status = || unweave(&["ledger", "status", text(folder.path()), "--keys", &pinned("keys.txt")]);
    status().well();
    for (file, byte) in [("log/tile/1/000.p/2", 40), ("log/tile/entries/002.p/88", 30)] {
        let file = folder.path().join(file);
        flip(&file, byte, 0);
        status().refused("root");
        flip(&file, byte, 0);
    }
}
