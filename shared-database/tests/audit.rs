//! What somebody changes enters the ledger with the change, and what changes nothing doesn't (DEL-11).

use std::time::Duration;

use serde_json::Value;
use shared_database::api_keys::NewApiKey;
use shared_database::deletion::{Requested, Requester, Subject};
use shared_models::api_key::KeyHash;
use shared_models::ledger::{Action, Actor, Audit, Entry, ReadEntry, canonical};
use shared_models::{ApiKeyId, OrganizationId, Plan, RequestId};

use crate::fixture::Fixture;

const DAY: Duration = Duration::from_secs(86_400);

fn new() -> NewApiKey {
    NewApiKey { hash: KeyHash([1; 32]), lifetime: DAY, name: Some("a name that nobody publishes".to_owned()) }
}

/// The audit entries, as anybody reads them from the log.
async fn entries(fixture: &Fixture) -> Vec<Audit> {
    let sql = "SELECT entry, organization_id FROM ledger_entry WHERE entry->>'kind' = 'audit' ORDER BY id";
    let rows = fixture.test_database.client().await.query(sql, &[]).await.unwrap();
    let audit = |row: &tokio_postgres::Row| match Entry::read(&canonical(&row.get::<_, Value>(0)).unwrap()).unwrap() {
        ReadEntry::Known(Entry::Audit(audit)) => {
            assert_eq!(row.get::<_, Option<uuid::Uuid>>(1), audit.organization_id.map(|id| id.0), "whose it is");
            audit
        }
        other => panic!("{other:?}"),
    };
    rows.iter().map(audit).collect()
}

fn action(text: &str) -> Action {
    text.parse().unwrap()
}

#[tokio::test]
async fn each_change_is_told_once_with_who_and_what() {
    let fixture = Fixture::new().await;
    let (database, organization) = (&fixture.database, fixture.organization);
    let caller = Actor::ApiKeyId(ApiKeyId::random());
    let key = database.create_api_key(organization, new(), caller).await.unwrap();
    database.rotate_api_key(organization, key.id, KeyHash([2; 32]), None, caller).await.unwrap().unwrap();
    database.delete_api_key(organization, key.id, caller).await.unwrap().unwrap();
    assert!(database.set_plan(organization, Plan::Team).await.unwrap());
    assert!(database.pause_cleanups(Some(organization), Some("a word that nobody publishes")).await.unwrap());
    assert!(database.resume_cleanups(Some(organization)).await.unwrap());
    assert!(database.pause_cleanups(None, None).await.unwrap());
    let made = database.create_organization("A name", Plan::Team, KeyHash([3; 32])).await.unwrap();

    let told = entries(&fixture).await;
    let expected = [
        ("api_key.created", caller, Some(organization), Some(key.id.0)),
        ("api_key.rotated", caller, Some(organization), Some(key.id.0)),
        ("api_key.deleted", caller, Some(organization), Some(key.id.0)),
        ("organization.plan_changed", Actor::Operator, Some(organization), Some(organization.0)),
        ("cleanups.paused", Actor::Operator, Some(organization), Some(organization.0)),
        ("cleanups.resumed", Actor::Operator, Some(organization), Some(organization.0)),
        ("cleanups.paused", Actor::Operator, None, None),
        ("organization.created", Actor::Operator, Some(made), Some(made.0)),
    ];
    let seen: Vec<_> = told.iter().map(|a| (a.action.clone(), a.actor, a.organization_id, a.object_id)).collect();
    let expected: Vec<_> =
        expected.into_iter().map(|(text, who, whose, what)| (action(text), who, whose, what)).collect();
    assert_eq!(seen, expected);
    let words = "ledger_entry WHERE entry::text ~ 'nobody publishes|A name'";
    assert_eq!(fixture.count(words).await, 0, "ids only: it may lie where nobody can erase");
}

#[tokio::test]
async fn what_changes_nothing_is_not_told() {
    let fixture = Fixture::new().await;
    let (database, organization) = (&fixture.database, fixture.organization);
    let (nobody, nothing) = (OrganizationId::random(), ApiKeyId::random());
    let key = database.create_api_key(organization, new(), Actor::Operator).await.unwrap();
    let before = entries(&fixture).await.len();
    assert!(database.rotate_api_key(nobody, key.id, KeyHash([2; 32]), None, Actor::Operator).await.unwrap().is_none());
    assert!(database.delete_api_key(nobody, key.id, Actor::Operator).await.unwrap().is_none());
    assert!(database.delete_api_key(organization, nothing, Actor::Operator).await.unwrap().is_none());
    assert!(!database.set_plan(nobody, Plan::Team).await.unwrap());
    assert!(!database.resume_cleanups(None).await.unwrap());
    assert_eq!(database.purge_orphans(Duration::ZERO).await.unwrap(), 0);
    // Another key has the hash: nothing is made, and nothing is told.
    assert!(database.create_api_key(organization, new(), Actor::Operator).await.is_err());
    assert_eq!(entries(&fixture).await.len(), before);
}

#[tokio::test]
async fn a_collection_that_goes_is_told_after_its_connections() {
    let fixture = Fixture::new().await;
    let requester = Requester { api_key: None, request: RequestId::random(), reference: None };
    let subject = Subject::Collection(fixture.collection);
    let requested = fixture.database.request(fixture.organization, subject, requester).await.unwrap();
    assert!(matches!(requested, Requested::Committed { .. }), "{requested:?}");
    let told = entries(&fixture).await;
    let last = told.last().unwrap();
    assert_eq!((last.action.clone(), last.object_id), (action("collection.deleted"), Some(fixture.collection.0)));
    assert_eq!((last.organization_id, last.actor), (Some(fixture.organization), Actor::Operator));
    let order = "ledger_entry WHERE entry->>'kind' = 'deleted'
                 AND id > (SELECT id FROM ledger_entry WHERE entry->>'action' = 'collection.deleted')";
    assert_eq!(fixture.count(order).await, 0);
}
