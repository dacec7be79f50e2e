//! Credentials and blob keys under the ring's first key, so that an old one can be taken away.

use serde_json::{Map, json};
use shared_database::RowCipher;
use shared_database::connections::{CreatedConnection, Credentials, NewConnection};
use shared_database::entities::EntityWriter;
use shared_database::rewrap::{Rewrapped, RingKeyUse, RingRows};
use shared_models::wire::source_connection::AuthMethod;
use shared_models::{BlobEncryption, RequestId, SourceConnectionId};

use crate::fixture::Fixture;

fn cipher(keys: &[(&str, u8)]) -> RowCipher {
    RowCipher::new(keys.iter().map(|(id, byte)| ((*id).to_owned(), [*byte; 32]))).unwrap()
}

/// A connection whose password is `secret`.
async fn create(fixture: &Fixture, cipher: &RowCipher, secret: &str) -> SourceConnectionId {
    let credentials = json!({ "password": secret }).as_object().unwrap().clone();
    let new = NewConnection {
        readable_collection_id: format!("docs-{}", fixture.collection),
        short_name: "stub".to_owned(),
        name: "Stub".to_owned(),
        description: None,
        config: Map::new(),
        auth_method: AuthMethod::Direct,
        credentials: Credentials(credentials),
        cron: None,
        continuous: false,
        cursor_field: None,
        sync_immediately: false,
    };
    let made = fixture.database.create_connection(cipher, fixture.organization, new, RequestId::random()).await;
    match made.unwrap() {
        CreatedConnection::Created(view) => view.row.id,
        CreatedConnection::NoCollection => panic!("no collection"),
    }
}

/// Everything, two rows at a time.
async fn rewrap(fixture: &Fixture, cipher: &RowCipher) -> Rewrapped {
    let mut done = Rewrapped::default();
    for rows in RingRows::ALL {
        let mut after = None;
        while let Some((last, more)) = fixture.database.rewrap(cipher, rows, after, 2).await.unwrap() {
            after = Some(last);
            done += more;
        }
    }
    done
}

/// When credentials were last replaced.
async fn times(fixture: &Fixture) -> String {
    let times = "SELECT string_agg(modified_at::text, ',' ORDER BY id) FROM credential";
    fixture.test_database.client().await.query_one(times, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn everything_is_under_the_first_key_afterwards_and_says_the_same() {
    let fixture = Fixture::new().await;
    let (old, both, new) = (cipher(&[("old", 1)]), cipher(&[("new", 2), ("old", 1)]), cipher(&[("new", 2)]));
    let mut connections = Vec::new();
    for number in 0..5 {
        connections.push(create(&fixture, &old, &format!("secret {number}")).await);
    }
    let (with_blobs, sync) = fixture.connection().await;
    let (job, owner) = fixture.running_job(with_blobs).await;
    let writer = EntityWriter { sync, job, owner };
    assert!(fixture.database.ready_blob_key(&old, writer, BlobEncryption::On).await.unwrap());
    let blob_key = *fixture.database.blob_key(&old, sync).await.unwrap().unwrap().secret();
    let before = times(&fixture).await;
    let used = fixture.database.ring_use().await.unwrap();
    let blob_keys = used[0].blob_keys;
    assert!(blob_keys >= 1);
    assert_eq!(used, [RingKeyUse { key_id: "old".to_owned(), credentials: 5, blob_keys }]);

    let done = rewrap(&fixture, &both).await;
    let all = 5 + u64::try_from(blob_keys).unwrap();
    assert_eq!(done, Rewrapped { rewrapped: all, ..Rewrapped::default() });
    assert_eq!(rewrap(&fixture, &both).await, Rewrapped::default(), "nothing is left");
    let used = fixture.database.ring_use().await.unwrap();
    assert_eq!(used, [RingKeyUse { key_id: "new".to_owned(), credentials: 5, blob_keys }]);
    for (number, connection) in connections.iter().enumerate() {
        let credentials = fixture.database.credentials(&new, *connection).await.unwrap().unwrap();
        assert_eq!(credentials["password"], format!("secret {number}"));
    }
    assert_eq!(*fixture.database.blob_key(&new, sync).await.unwrap().unwrap().secret(), blob_key);
    assert_eq!(times(&fixture).await, before, "they are the same credentials: no job reads them anew");
}

#[tokio::test]
async fn what_cannot_be_decrypted_stays_as_it_is_and_is_told() {
    let fixture = Fixture::new().await;
    let lost = create(&fixture, &cipher(&[("lost", 9)]), "gone").await;
    let kept = create(&fixture, &cipher(&[("old", 1)]), "kept").await;
    let ring = cipher(&[("new", 2), ("old", 1)]);
    let done = rewrap(&fixture, &ring).await;
    let failed: Vec<_> = done.failed.iter().map(|(connection, _)| *connection).collect();
    assert!(failed.contains(&lost) && !failed.contains(&kept), "{done:?}");
    assert!(done.failed[0].1.contains("no key of that id in CREDENTIALS_KEYS"), "{done:?}");
    assert!(fixture.database.credentials(&cipher(&[("lost", 9)]), lost).await.is_ok());
    assert!(fixture.database.credentials(&cipher(&[("new", 2)]), kept).await.is_ok());
}
