//! Entries: each form as PostgreSQL writes it, literally; and what is no entry.

use serde_json::{Value, json};

use crate::ledger::*;
use crate::receipt::reference::ReferenceHash;
use crate::*;

const DELETED: &str = r#"{"blob_key_destroyed_at":"2026-09-21T14:13:21.000000Z","cleanup_id":"00000000-0000-4000-8000-000000000005","collection_id":"00000000-0000-4000-8000-000000000002","deletion_requested_at":"2026-09-21T14:13:20.120000Z","entity_rows_deleted":3,"form":1,"has_plain_blobs":false,"kind":"deleted","organization_id":"00000000-0000-4000-8000-000000000001","reference_hash":"9b80aa5892751ce49b4ada1a005ff6d16de2c3643091c2d95a1763518512025c","request_id":"00000000-0000-4000-8000-000000000007","requested_by":"00000000-0000-4000-8000-000000000006","rows_deleted_at":"2026-09-21T14:13:21.000000Z","source_connection_id":"00000000-0000-4000-8000-000000000003","sync_id":"00000000-0000-4000-8000-000000000004","targets":["vespa","arf"],"writer_end":"acknowledged"}"#;
const BARE: &str = r#"{"blob_key_destroyed_at":null,"cleanup_id":"00000000-0000-4000-8000-000000000005","collection_id":"00000000-0000-4000-8000-000000000002","deletion_requested_at":"2026-09-21T14:13:20.120000Z","entity_rows_deleted":0,"form":1,"has_plain_blobs":true,"kind":"deleted","organization_id":"00000000-0000-4000-8000-000000000001","reference_hash":null,"request_id":null,"requested_by":null,"rows_deleted_at":"2026-09-21T14:13:21.000000Z","source_connection_id":"00000000-0000-4000-8000-000000000003","sync_id":"00000000-0000-4000-8000-000000000004","targets":["vespa","a later target"],"writer_end":"lease"}"#;
const RECEIPT: &str = r#"{"form":1,"kind":"receipt","receipt":{"form":9,"whatever":["a later receipt","says"]}}"#;
const SUPERSEDED: &str = r#"{"cleanup_id":"00000000-0000-4000-8000-000000000005","form":1,"kind":"superseded","organization_id":"00000000-0000-4000-8000-000000000001","reason":"reopened","receipt_id":"00000000-0000-4000-8000-000000000008","superseded_at":"2026-09-22T00:00:00.000001Z"}"#;
const AUDIT: &str = r#"{"action":"api_key.created","actor":{"api_key_id":"00000000-0000-4000-8000-000000000006"},"at":"2026-09-22T00:00:00.000001Z","form":1,"kind":"audit","object_id":"00000000-0000-4000-8000-000000000009","organization_id":"00000000-0000-4000-8000-000000000001"}"#;
const OPERATOR: &str = r#"{"action":"organization.deleted","actor":"operator","at":"2026-09-22T00:00:00.000001Z","form":1,"kind":"audit","object_id":null,"organization_id":null}"#;

fn known(text: &str) -> Entry {
    match Entry::read(text.as_bytes()).unwrap() {
        ReadEntry::Known(entry) => entry,
        ReadEntry::Unknown { kind, form } => panic!("{kind} {form}"),
    }
}

fn id(last: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(0x4000_8000_0000_0000_0000 | last)
}

#[test]
fn every_form_is_read_as_postgresql_writes_it_and_written_alike() {
    for text in [DELETED, BARE, RECEIPT, SUPERSEDED, AUDIT, OPERATOR] {
        assert_eq!(String::from_utf8(known(text).canonical().unwrap()).unwrap(), text);
        // As jsonb gives it: in another order, with blanks.
        let value: Value = serde_json::from_str(text).unwrap();
        let pretty: Value = serde_json::from_str(&serde_json::to_string_pretty(&value).unwrap()).unwrap();
        assert_eq!(canonical(&pretty).unwrap(), text.as_bytes());
    }
}

#[test]
fn an_entry_says_what_its_text_says() {
    let at = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let expected = Entry::Deleted(Deleted {
        form: 1,
        organization_id: OrganizationId(id(1)),
        collection_id: CollectionId(id(2)),
        source_connection_id: SourceConnectionId(id(3)),
        sync_id: SyncId(id(4)),
        cleanup_id: CleanupId(id(5)),
        deletion_requested_at: at("2026-09-21T14:13:20.12Z"),
        rows_deleted_at: at("2026-09-21T14:13:21Z"),
        requested_by: Some(ApiKeyId(id(6))),
        request_id: Some(RequestId(id(7))),
        reference_hash: Some(
            ReferenceHash::try_from("9b80aa5892751ce49b4ada1a005ff6d16de2c3643091c2d95a1763518512025c".to_owned())
                .unwrap(),
        ),
        entity_rows_deleted: 3,
        writer_end: WriterEnd::Acknowledged,
        targets: vec!["vespa".to_owned(), "arf".to_owned()],
        blob_key_destroyed_at: Some(at("2026-09-21T14:13:21Z")),
        has_plain_blobs: false,
    });
    assert_eq!(known(DELETED), expected);
    let Entry::Audit(audit) = known(OPERATOR) else { panic!() };
    assert_eq!((audit.actor, audit.action.as_str()), (Actor::Operator, "organization.deleted"));
    let Entry::Audit(audit) = known(AUDIT) else { panic!() };
    assert_eq!(audit.actor, Actor::ApiKeyId(ApiKeyId(id(6))));
    let Entry::Superseded(superseded) = known(SUPERSEDED) else { panic!() };
    assert_eq!(superseded.reason, SupersededReason::Reopened);
}

#[test]
fn a_receipts_entry_is_made_from_the_receipt_alone() {
    let receipt = json!({ "whatever": ["a later receipt", "says"], "form": 9 });
    assert_eq!(Entry::of_receipt(receipt).canonical().unwrap(), RECEIPT.as_bytes());
}

#[test]
fn what_a_later_version_wrote_is_kept_and_counted() {
    for text in [r#"{"form":1,"kind":"later"}"#, r#"{"form":2,"kind":"deleted","more":{"a":[1]}}"#] {
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(canonical(&value).unwrap(), text.as_bytes());
        assert!(matches!(Entry::read(text.as_bytes()), Ok(ReadEntry::Unknown { .. })), "{text}");
    }
}

#[test]
fn what_isnt_in_its_one_text_is_refused() {
    let refused = |text: &str| Entry::read(text.as_bytes()).unwrap_err().to_string();
    for (from, to) in [
        (r#""requested_by":"00000000-0000-4000-8000-000000000006","#, ""),
        ("-000000000006\"", "-00000000000A\""),
        ("-0000-4000-8000-000000000006\"", "000040008000000000000006\""),
        ("20.120000Z", "20.12Z"),
        ("20.120000Z", "20.120000+00:00"),
        ("\"acknowledged\"", "\"later\""),
        ("9b80aa", "9B80AA"),
        ("\"form\":1", "\"form\":0"),
        ("\"form\":1,", ""),
        ("\"kind\":\"deleted\",", ""),
        ("\"kind\":\"deleted\"", "\"kind\":\"\""),
        ("\"has_plain_blobs\"", "\"has_other_blobs\""),
        ("\"deleted\":3", "\"deleted\":-3"),
        ("_deleted\":3", "_deleted\":9007199254740992"),
        ("_deleted\":3", "_deleted\":3.0"),
        ("_deleted\":3", "_deleted\":3,\"extra\":1"),
        ("_deleted\":3", "_deleted\":3,\"form\":1"),
        ("{\"blob", "{ \"blob"),
    ] {
        let altered = DELETED.replacen(from, to, 1);
        assert!(altered == DELETED || !refused(&altered).is_empty(), "{from} {to}");
    }
    assert!(refused(&AUDIT.replace("api_key.created", "API key")).contains("action"));
    assert!(
        refused(&RECEIPT.replace("{\"form\":9,\"whatever\":[\"a later receipt\",\"says\"]}", "7")).contains("object")
    );
    for text in ["", "7", "[]", "null", "{}", "\"deleted\"", r#"{"form":1,"kind":7}"#, r#"{"form":"1","kind":"later"}"#]
    {
        refused(text);
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let of = |bytes: usize| json!({ "kind": "later", "form": 1, "text": "x".repeat(bytes - 35) });
    let largest = canonical(&of(MAX_ENTRY_BYTES)).unwrap();
    assert_eq!(largest.len(), MAX_ENTRY_BYTES);
    assert!(Entry::read(&largest).is_ok());
    assert!(matches!(canonical(&of(MAX_ENTRY_BYTES + 1)), Err(EntryError::TooLarge(16_385))));
    assert!(matches!(Entry::read(&vec![b'['; 1_000_000]), Err(EntryError::TooLarge(1_000_000))));
}
