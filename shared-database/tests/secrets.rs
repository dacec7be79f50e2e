//! Credentials at rest.

use serde_json::{Map, Value, json};
use shared_database::DatabaseError;
use shared_database::RowCipher;
use shared_database::credentials::store;

use crate::fixture::Fixture;

fn credentials() -> Map<String, Value> {
    json!({"password": "correct horse battery staple"}).as_object().unwrap().clone()
}

fn cipher(keys: &[(&str, u8)]) -> RowCipher {
    RowCipher::new(keys.iter().map(|(id, byte)| ((*id).to_owned(), [*byte; 32]))).unwrap()
}

#[tokio::test]
async fn credentials_are_unreadable_in_the_table_and_readable_with_the_key() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let old = cipher(&[("old", 1)]);
    store(&mut fixture.database.connection().await.unwrap(), &old, connection, &credentials()).await.unwrap();
    assert_eq!(fixture.count("credential WHERE encode(ciphertext, 'escape') LIKE '%horse%'").await, 0);
    assert_eq!(fixture.database.credentials(&old, connection).await.unwrap(), Some(credentials()));

    let rotated = cipher(&[("new", 2), ("old", 1)]);
    assert_eq!(fixture.database.credentials(&rotated, connection).await.unwrap(), Some(credentials()));
    let lost = cipher(&[("new", 2)]);
    let error = fixture.database.credentials(&lost, connection).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Undecryptable { .. }), "{error}");
}

#[tokio::test]
async fn a_ciphertext_moved_to_another_connection_doesnt_decrypt() {
    let fixture = Fixture::new().await;
    let (one, _) = fixture.connection().await;
    let (two, _) = fixture.connection().await;
    let keys = cipher(&[("k", 1)]);
    store(&mut fixture.database.connection().await.unwrap(), &keys, one, &credentials()).await.unwrap();
    fixture.sql(&format!("UPDATE credential SET source_connection_id = '{two}'")).await;
    assert!(fixture.database.credentials(&keys, two).await.is_err());
}
