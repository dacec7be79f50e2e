//! The page says what the receipt says, whatever is in it.

use serde_json::{Value, json};
use shared_models::ledger::SupersededReason;
use shared_models::receipt::ReceiptFile;

use crate::{Context, certificate};

fn receipt() -> Value {
    let verified = |at: &str, by: &str| json!({ "at": at, "by": by });
    json!({
        "form": 3,
        "receipt_id": "00000000-0000-4000-8000-000000000008",
        "cleanup_id": "00000000-0000-4000-8000-000000000005",
        "organization_id": "00000000-0000-4000-8000-000000000001",
        "collection_id": "00000000-0000-4000-8000-000000000002",
        "source_connection_id": "00000000-0000-4000-8000-000000000003",
        "sync_id": "00000000-0000-4000-8000-000000000004",
        "requested_by": "00000000-0000-4000-8000-000000000006",
        "request_id": "00000000-0000-4000-8000-000000000007",
        "deletion_requested_at": "2026-03-01T10:00:00.123456Z",
        "rows_deleted_at": "2026-03-01T10:00:01.000000Z",
        "entity_rows_deleted": 12345,
        "blob_key_destroyed_at": "2026-03-01T10:00:01.000000Z",
        "has_plain_blobs": false,
        "writer_end": "acknowledged",
        "checked_again_at": null,
        "targets": {
            "vespa": {
                "found": 1234567, "removed": 1234567, "removed_by_type": {}, "rounds": 1,
                "verified_empty_at": "2026-03-01T10:02:05.000000Z", "verified_by": "zero_count",
                "verifications": [
                    verified("2026-03-01T10:01:05.000000Z", "zero_count"),
                    verified("2026-03-01T10:02:05.000000Z", "zero_count"),
                ],
            },
            "arf": {
                "found": 1, "removed": 1, "removed_by_type": {}, "rounds": 1,
                "verified_empty_at": "2026-03-01T10:02:06.000000Z", "verified_by": "empty_version_listing",
                "verifications": [
                    verified("2026-03-01T10:01:06.000000Z", "empty_version_listing"),
                    verified("2026-03-01T10:02:06.000000Z", "empty_version_listing"),
                ],
            },
        },
        "settle_delay_seconds": 60,
        "later_check": null,
        "out_of_reach": ["Backups of PostgreSQL, until they expire."],
        "out_of_reach_until": [{ "what": "backups <of> the \"index\"", "until": "2026-04-01T00:00:00.000000Z" }],
        "follows": null,
        "deletion_reference_hash": null,
        "issued_at": "2026-03-01T10:02:07.000000Z",
    })
}

fn file(receipt: Value) -> ReceiptFile {
    let signature = json!({ "algorithm": "Ed25519", "key_id": "unweave.example.org/ledger+0f450807", "value": "AA==" });
    serde_json::from_value(json!({ "receipt": receipt, "signature": signature })).unwrap()
}

fn page(receipt: Value, context: &Context) -> String {
    certificate(&file(receipt), context).unwrap()
}

#[test]
fn it_says_what_was_deleted_when_and_how_that_was_checked() {
    let page = page(receipt(), &Context::default());
    for said in [
        "1 March 2026, 10:00:00",
        "1 March 2026, 10:01:05",
        "1 March 2026, 10:02:05",
        "1\u{202f}234\u{202f}567 documents",
        "1 file<",
        "12\u{202f}345 records",
        "at least 60 seconds later",
        "all their earlier versions",
        "Backups of PostgreSQL, until they expire.",
        "until 1 April 2026, 00:00:00",
        "unweave.example.org/ledger+0f450807",
        "Not yet: the receipt is signed",
        "what may be left of them in copies is unreadable",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("no longer holds") && !page.contains("Verified before printing"));
}

#[test]
fn what_is_not_ours_does_nothing_in_a_browser_and_nothing_is_loaded() {
    let mut receipt = receipt();
    receipt["out_of_reach"] = json!(["<script>alert(1)</script>"]);
    let context = Context { requested_by_name: Some("<img src=x onerror=alert(1)>".to_owned()), ..Context::default() };
    let page = page(receipt, &context);
    assert!(!page.contains("<script") && !page.contains("<img") && page.contains("&lt;script&gt;"), "{page}");
    assert!(page.contains("backups &lt;of&gt; the"), "{page}");
    for loads in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.replace("&lt;img src=", "").contains(loads), "{loads}");
    }
}

#[test]
fn what_no_longer_holds_says_so_first() {
    let at = "2026-05-01T00:00:00Z".parse().unwrap();
    let context = Context { superseded: Some((at, SupersededReason::Restored)), ..Context::default() };
    let page = page(receipt(), &context);
    let void = page.find("no longer holds since 1 May 2026, 00:00:00").unwrap();
    assert!(void < page.find("<main>").unwrap());
}

#[test]
fn earlier_forms_are_printed_and_later_ones_refused() {
    for form in ["form_1", "form_2"] {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared-models/src/receipt");
        let text = std::fs::read_to_string(format!("{folder}/{form}.json")).unwrap();
        let mut file: Value = serde_json::from_str(&text).unwrap();
        let targets = file["receipt"]["targets"].as_object_mut().unwrap();
        let any = targets.values().next().unwrap().clone();
        targets.entry("arf").or_insert_with(|| any.clone());
        targets.entry("vespa").or_insert(any);
        let page = page(file["receipt"].clone(), &Context::default());
        assert!(page.contains("not recorded") && page.contains("was found empty."), "{page}");
    }
    for (field, value) in [("targets", json!({ "vespa": 7 })), ("targets", json!({})), ("form", json!(9))] {
        let mut other = receipt();
        other[field] = value;
        assert!(certificate(&file(other), &Context::default()).is_err(), "{field}");
    }
}
