//! Receipts with their proofs, the ledger's keys and checkpoints, and references of deletions.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared_database::Database;
use shared_models::ledger::{
    Expectation, Hash, LedgerSigner, Refusal, TrustedKeys, Verified, VerifierKey, check_consistency, read_checkpoint,
    verify_receipt,
};
use shared_models::receipt::{FORM, Opening, Receipt, ReceiptFile, Salt, TargetReceipt};
use shared_models::wire::cleanup::Cleanup;
use shared_models::{PurgeTarget, ReceiptId, VerifiedEmpty};

use crate::gateway::{Answer, Gateway, answer, text};

pub(crate) fn signer() -> Arc<LedgerSigner> {
    let origin = "unweave.test/ledger".parse().unwrap();
    Arc::new(LedgerSigner::new(origin, "2026".to_owned(), &[7; 32]).unwrap())
}

pub(crate) fn keys() -> TrustedKeys {
    signer().verifier().clone().into()
}

/// What a cleanup-worker does to the database, done here.
pub(crate) struct Worker {
    pub(crate) database: Database,
}

impl Worker {
    pub(crate) fn of(gateway: &Gateway) -> Self {
        Self { database: Database::new(&SecretString::from(gateway.database.url.clone()), 2).unwrap() }
    }

    /// The cleanup becomes done with a receipt that names the reference by this salt.
    pub(crate) async fn finish(&self, gateway: &Gateway, cleanup: &Cleanup, reference: Option<&Opening>) -> ReceiptId {
        let now: DateTime<Utc> = "2026-11-30T12:00:00.123456Z".parse().unwrap();
        let target = |target: &PurgeTarget| {
            let verification = VerifiedEmpty { at: now, by: target.verification() };
            let receipt = TargetReceipt {
                found: 3,
                removed: 3,
                removed_by_type: BTreeMap::new(),
                rounds: 1,
                verified_empty_at: now,
                verified_by: target.verification(),
                verifications: vec![verification],
            };
            (*target, receipt)
        };
        let receipt = Receipt {
            form: FORM,
            receipt_id: ReceiptId::random(),
            cleanup_id: cleanup.id,
            organization_id: cleanup.organization_id,
            collection_id: cleanup.collection_id,
            source_connection_id: cleanup.source_connection_id,
            sync_id: cleanup.sync_id,
            requested_by: cleanup.requested_by,
            request_id: cleanup.request_id,
            deletion_requested_at: cleanup.deletion_requested_at,
            rows_deleted_at: cleanup.rows_deleted_at,
            entity_rows_deleted: 3,
            blob_key_destroyed_at: None,
            has_plain_blobs: true,
            writer_end: cleanup.writer_end,
            checked_again_at: None,
            targets: PurgeTarget::ALL.iter().map(target).collect(),
            settle_delay_seconds: Some(0),
            later_check: None,
            out_of_reach: Vec::new(),
            out_of_reach_until: Vec::new(),
            follows: None,
            deletion_reference_hash: reference.map(Opening::hash),
            issued_at: now,
        };
        let signed = serde_json::to_string(&signer().sign_receipt(&receipt).unwrap()).unwrap();
        let (id, cleanup) = (receipt.receipt_id, cleanup.id);
        for state in ["purging", "settling", "done"] {
            gateway.database.execute(&format!("UPDATE cleanup SET state = '{state}' WHERE id = '{cleanup}'")).await;
        }
        gateway
            .database
            .execute(&format!(
                "WITH entered AS (
                     INSERT INTO ledger_entry (organization_id, entry)
                     SELECT organization_id, jsonb_build_object('form', 1, 'kind', 'receipt',
                                                                'receipt', '{signed}'::jsonb->'receipt')
                     FROM cleanup WHERE id = '{cleanup}' RETURNING id)
                 INSERT INTO receipt (id, cleanup_id, signed, entry_id)
                 SELECT '{id}', '{cleanup}', '{signed}', id FROM entered"
            ))
            .await;
        id
    }

    pub(crate) async fn publish(&self) -> u64 {
        while self.database.sequence_ledger(2, &signer()).await.unwrap().is_some() {}
        let newest = self.database.newest_checkpoint(false).await.unwrap().unwrap();
        self.database.mark_checkpoint_published(newest.size).await.unwrap();
        newest.size
    }
}

/// Deletes a new connection, under a reference if there is one.
pub(crate) async fn deleted(gateway: &Gateway, collection: &str, reference: Option<&str>) -> (String, Cleanup) {
    let id = text(&gateway.api.stub(collection, json!({})).await, "id");
    let path = format!("/source-connections/{id}");
    let mut request = gateway.api.request(Method::DELETE, &path).header("x-api-key", crate::gateway::KEY);
    if let Some(reference) = reference {
        request = request.header("X-Deletion-Reference", reference);
    }
    let gone = answer(request).await;
    assert_eq!(gone.status, 200, "{gone:?}");
    let cleanup = gone.headers["x-cleanup-id"].to_str().unwrap();
    let cleanup = gateway.api.get(&format!("/cleanups/{cleanup}")).await.ok();
    (path, serde_json::from_value(cleanup).unwrap())
}

pub(crate) fn verified(file: &Value, cleanup: &Cleanup) -> Result<Verified, Refusal> {
    let file = ReceiptFile::read(file.to_string().as_bytes()).unwrap();
    verify_receipt(&file, &keys(), Expectation::Cleanup(cleanup.id), None)
}

#[tokio::test]
async fn a_browser_gets_the_receipt_as_a_certificate_and_programs_get_json() {
    let gateway = Gateway::start().await;
    let worker = Worker::of(&gateway);
    let collection = gateway.api.collection().await;
    let named = gateway.api.post("/api-keys", json!({"name": "<b>the CRM</b>"})).await.ok();
    let client = gateway.api.with_key(&text(&named, "decrypted_key"));
    let id = text(&client.stub(&collection, json!({})).await, "id");
    let gone = client.delete(&format!("/source-connections/{id}")).await;
    let path = format!("/cleanups/{}", gone.headers["x-cleanup-id"].to_str().unwrap());
    let cleanup = serde_json::from_value(client.get(&path).await.ok()).unwrap();
    let receipt = worker.finish(&gateway, &cleanup, None).await;
    worker.publish().await;

    let get = |accept: &'static str| {
        let request = client.request(Method::GET, &format!("{path}/receipt")).header("x-api-key", &client.key);
        answer(request.header("Accept", accept))
    };
    for page in ["text/html", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"] {
        let shown = get(page).await;
        assert_eq!(
            (shown.status.as_u16(), shown.headers["content-type"].to_str().unwrap()),
            (200, "text/html; charset=utf-8")
        );
        assert!(
            shown.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'; style-src")
        );
        for said in ["Certificate of deletion", &receipt.to_string(), "&lt;b&gt;the CRM&lt;/b&gt;", &id, "Entry "] {
            assert!(shown.text.contains(said), "{said}: {}", shown.text);
        }
    }
    for program in ["*/*", "application/json", "application/json, text/html;q=0.5", "nonsense"] {
        assert_eq!(get(program).await.ok()["receipt"]["receipt_id"], json!(receipt), "{program}");
    }
}

#[tokio::test]
async fn del_11_a_receipt_comes_with_its_proof_once_it_is_published_and_goes_when_it_holds_no_longer() {
    let gateway = Gateway::start().await;
    let (api, worker) = (&gateway.api, Worker::of(&gateway));
    let collection = api.collection().await;
    let (_, cleanup) = deleted(&gateway, &collection, Some("DSAR-2026-042")).await;
    assert_eq!(cleanup.deletion_reference.as_deref(), Some("DSAR-2026-042"));
    let (one, all) = (format!("/cleanups/{}/receipt", cleanup.id), format!("/cleanups/{}/receipts", cleanup.id));
    api.get(&one).await.refuses(404, "Receipt not found: the cleanup isn't done yet");
    assert_eq!(api.get(&all).await.ok(), json!([]));

    let salt = gateway.database.client().await;
    let salt: Vec<u8> = salt.query_one("SELECT deletion_reference_salt FROM cleanup", &[]).await.unwrap().get(0);
    let opening = Opening { salt: Salt(salt.try_into().unwrap()), reference: "DSAR-2026-042".to_owned() };
    let first = worker.finish(&gateway, &cleanup, Some(&opening)).await;
    let file = api.get(&one).await.ok();
    assert_eq!((&file["ledger"], file["reference"]["reference"].as_str()), (&Value::Null, Some("DSAR-2026-042")));
    assert!(verified(&file, &cleanup).unwrap().in_ledger.is_none());

    worker.publish().await;
    let file = api.get(&one).await.ok();
    assert!(verified(&file, &cleanup).unwrap().in_ledger.is_some(), "{file}");
    let listed = api.get(&all).await.ok();
    assert_eq!((listed[0]["holds"].as_bool(), &listed[0]["file"]), (Some(true), &file));

    assert!(worker.database.reopen_cleanup(cleanup.sync_id).await.unwrap());
    let refused = format!(
        "Receipt {first} was superseded: the cleanup is open again, and has no receipt that holds until it is done"
    );
    api.get(&one).await.refuses(409, &refused);
    let second = worker.finish(&gateway, &cleanup, None).await;
    worker.publish().await;
    let listed = api.get(&all).await.ok();
    let told =
        |at: usize| (listed[at]["receipt_id"].as_str().unwrap().to_owned(), listed[at]["holds"].as_bool().unwrap());
    assert_eq!((told(0), told(1)), ((second.to_string(), true), (first.to_string(), false)));
    assert_eq!(listed[1]["superseded_reason"], "late_write");
    assert_eq!(verified(&api.get(&one).await.ok(), &cleanup).unwrap().receipt.receipt_id, second);
}

async fn open(gateway: &Gateway, path: &str) -> Answer {
    answer(gateway.api.request(Method::GET, path)).await
}

#[tokio::test]
async fn del_11_anybody_can_check_that_the_ledger_only_grew() {
    let gateway = Gateway::start().await;
    let worker = Worker::of(&gateway);
    let ledger = "/.well-known/unweave-ledger";
    open(&gateway, &format!("{ledger}/checkpoint")).await.refuses(404, "Checkpoint not found");
    assert_eq!(open(&gateway, &format!("{ledger}/keys")).await.ok(), json!([]));

    worker.database.use_ledger_key(&signer().verifier().to_string(), "2026").await.unwrap();
    let collection = gateway.api.collection().await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        deleted(&gateway, &collection, None).await;
        deleted(&gateway, &collection, None).await;
        worker.publish().await;
        kept.push(open(&gateway, &format!("{ledger}/checkpoint")).await.text);
    }
    let listed = open(&gateway, &format!("{ledger}/keys")).await.ok();
    let key: VerifierKey = listed[0]["verifier_key"].as_str().unwrap().parse().unwrap();
    assert_eq!((listed[0]["name"].as_str(), listed[0]["is_current"].as_bool()), (Some("2026"), Some(true)));
    let keys = TrustedKeys::from(key);
    let checkpoints: Vec<_> = kept.iter().map(|note| read_checkpoint(note, &keys).unwrap().checkpoint).collect();
    for (old, new) in [(0, 1), (0, 2), (1, 2), (2, 2)] {
        let (old, new) = (&checkpoints[old], &checkpoints[new]);
        let path = format!("{ledger}/consistency/{}/{}", old.size, new.size);
        let answer = open(&gateway, &path).await.ok();
        let proof: Vec<Hash> = serde_json::from_value(answer["proof"].clone()).unwrap();
        check_consistency(&proof, old.size, old.root, new.size, new.root).unwrap();
    }
    let named = open(&gateway, &format!("{ledger}/checkpoints/{}", checkpoints[0].size)).await;
    assert_eq!((named.status.as_u16(), &named.text), (200, &kept[0]));
    for none in [
        "checkpoints/1",
        "checkpoints/x",
        "checkpoints/99999999999999999999",
        "checkpoints/02",
        "checkpoints/-2",
        "consistency/0/2",
        "consistency/4/2",
        "consistency/2/9",
        "consistency/2/18446744073709551615",
    ] {
        open(&gateway, &format!("{ledger}/{none}")).await.refuses(404, "Checkpoint not found");
    }
}

#[tokio::test]
async fn del_9_entries_of_the_ledger_go_to_their_own_organization() {
    let gateway = Gateway::start().await;
    let (api, worker) = (&gateway.api, Worker::of(&gateway));
    let collection = api.collection().await;
    for _ in 0..3 {
        deleted(&gateway, &collection, None).await;
    }
    let other = gateway.other_organization().await;
    assert_eq!(api.get("/ledger/entries").await.ok(), json!([]), "none has its place yet");
    worker.publish().await;
    let all = api.get("/ledger/entries").await.ok();
    let told: Vec<_> = all.as_array().unwrap().iter().map(|entry| entry["index"].as_u64().unwrap()).collect();
    assert_eq!(told, [0, 1, 2, 3]);
    let kinds: Vec<_> = all.as_array().unwrap().iter().map(|entry| entry["entry"]["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["audit", "deleted", "deleted", "deleted"], "the organization's own making, and its deletions");
    assert_eq!(api.get("/ledger/entries?after=0&limit=1").await.ok(), json!([all[1]]));
    let others = other.get("/ledger/entries").await.ok();
    assert_eq!((others.as_array().unwrap().len(), &others[0]["entry"]["action"]), (1, &json!("organization.created")));
    assert_eq!(api.get("/ledger/entries?limit=0").await.status, 422);
}

#[tokio::test]
async fn a_deletion_is_found_by_its_reference_and_by_the_404_of_its_connection() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let (path, cleanup) = deleted(&gateway, &collection, Some("case 7")).await;
    deleted(&gateway, &collection, Some("case 8")).await;
    let found = api.get("/cleanups?deletion_reference=case%207").await.ok();
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["id"], json!(cleanup.id));
    assert_eq!(api.get("/cleanups?deletion_reference=case").await.ok(), json!([]));
    assert_eq!(api.get("/cleanups?deletion_reference=").await.status, 422);

    let link = format!("</cleanups/{}>; rel=\"monitor\"", cleanup.id);
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::PATCH, path.clone()),
        (Method::POST, format!("{path}/run")),
        (Method::GET, format!("{path}/jobs")),
        (Method::GET, format!("{path}/deletion-preview")),
    ] {
        let body = (method == Method::PATCH || method == Method::POST).then(|| json!({"name": "another name"}));
        let gone = api.send(method.clone(), &path, body).await;
        gone.refuses(404, "SourceConnection not found");
        assert_eq!(gone.headers["link"], link, "{method} {path}");
    }
    let other = gateway.other_organization().await.get(&path).await;
    other.refuses(404, "SourceConnection not found");
    assert!(!other.headers.contains_key("link"));
    let nobodys = api.get("/source-connections/0f0e0d0c-0b0a-4908-8706-050403020100").await;
    assert!(nobodys.status == 404 && !nobodys.headers.contains_key("link"));
}

#[tokio::test]
async fn a_reference_that_cannot_be_kept_is_refused_and_nothing_is_deleted() {
    let gateway = Gateway::start().await;
    let collection = gateway.api.collection().await;
    let id = text(&gateway.api.stub(&collection, json!({})).await, "id");
    for path in [format!("/source-connections/{id}"), format!("/collections/{collection}")] {
        let request = gateway.api.request(Method::DELETE, &path).header("x-api-key", crate::gateway::KEY);
        let refused = answer(request.header("X-Deletion-Reference", "r".repeat(129))).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        gateway.api.get(&path).await.ok();
    }
    let request = gateway.api.request(Method::DELETE, &format!("/collections/{collection}"));
    let request = request.header("x-api-key", crate::gateway::KEY).header("X-Deletion-Reference", "of all");
    assert_eq!(answer(request).await.status, 200);
    assert_eq!(gateway.api.get("/cleanups?deletion_reference=of%20all").await.ok().as_array().unwrap().len(), 1);
}
