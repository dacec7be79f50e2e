//! What a writer makes of each answer of a store (DEL-2).

use std::collections::VecDeque;

use bytes::Bytes;
use shared_models::{DocumentType, EntityKey, LeaseOwner, SyncJobId};
use shared_stores::arf::{BlobForm, RawFileBlob};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::lease::test_lease;

/// A Vespa that gives one canned status after the other, and tells of each request. The last status stays.
async fn vespa(statuses: &[u16]) -> (VespaClient, mpsc::UnboundedReceiver<u16>) {
    shared_service::install_tls_provider();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (told, requests) = mpsc::unbounded_channel();
    let mut statuses: VecDeque<u16> = statuses.iter().copied().collect();
    tokio_util::task::TaskTracker::new().spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let status = if statuses.len() > 1 { statuses.pop_front() } else { statuses.front().copied() }.unwrap();
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
            stream.write_all(answer.as_bytes()).await.unwrap();
            let _nobody_listens = told.send(status);
        }
    });
    (VespaClient::builder(&url).http1().build().unwrap(), requests)
}

fn writer(vespa: VespaClient, folder: &tempfile::TempDir) -> Arc<Writer> {
    let arf = ArfStore::from_url(&url::Url::from_directory_path(folder.path()).unwrap()).unwrap();
    Arc::new(Writer {
        lease: test_lease(),
        rows: EntityWriter { sync: SyncId::random(), job: SyncJobId::random(), owner: LeaseOwner::random() },
        database: Database::new(&"postgres://nobody@127.0.0.1:1/none".into(), 1).unwrap(),
        stores: Stores { vespa, arf, arf_writes: WriteKind::Blocking, limiter: Limiter::new(8) },
        given_up: CancellationToken::new(),
        refused_in_a_row: AtomicU32::new(0),
    })
}

fn removal(writer: &Writer) -> StoreWrite {
    StoreWrite::RemoveDocument(DocumentId::chunk(DocumentType::Base, writer.sync(), EntityKey([0; 16]), 0))
}

#[tokio::test]
async fn overload_is_waited_out_and_costs_no_attempt() {
    let (vespa, mut requests) = vespa(&[429, 429, 429, 429, 429, 429, 429, 200]).await;
    let writer = writer(vespa, &tempfile::tempdir().unwrap());
    assert!(writer.store(removal(&writer)).await.is_ok());
    for status in [429; 7].into_iter().chain([200]) {
        assert_eq!(requests.recv().await, Some(status));
    }
    assert_eq!(writer.lease.open_writes(), 0);
}

#[tokio::test]
async fn a_store_that_stays_away_ends_the_job_and_leaves_the_writes_open() {
    let (vespa, _requests) = vespa(&[503]).await;
    let writer = writer(vespa, &tempfile::tempdir().unwrap());
    let Err(NotWritten::Job(error)) = writer.store(removal(&writer)).await else { panic!() };
    assert!(error.to_string().starts_with("write to Vespa: Vespa is unavailable"), "{error}");
    assert!(writer.given_up.is_cancelled());
    // 503 doesn't say that the write won't be applied.
    assert_eq!(writer.lease.open_writes(), usize::try_from(ATTEMPTS).unwrap());
}

#[tokio::test]
async fn a_refused_write_is_over_at_once_and_the_job_goes_on() {
    let (vespa, _requests) = vespa(&[400]).await;
    let writer = writer(vespa, &tempfile::tempdir().unwrap());
    assert!(matches!(writer.store(removal(&writer)).await, Err(NotWritten::Refused(_))));
    assert!(!writer.given_up.is_cancelled());
    assert_eq!(writer.lease.open_writes(), 0);
}

#[tokio::test]
async fn many_refused_entities_in_a_row_end_the_job() {
    let (vespa, _requests) = vespa(&[400]).await;
    let writer = writer(vespa, &tempfile::tempdir().unwrap());
    let no = Refusal { code: "no", text: "no".to_owned() };
    for _ in 0..MAX_REFUSED_IN_A_ROW - 1 {
        assert!(writer.refused(&no).is_ok());
    }
    writer.taken();
    for _ in 0..MAX_REFUSED_IN_A_ROW - 1 {
        assert!(writer.refused(&no).is_ok());
    }
    assert!(matches!(writer.refused(&no), Err(JobError::Refused { .. })));
}

#[tokio::test]
async fn after_a_stop_nothing_is_sent_not_even_a_retry() {
    let (vespa, mut requests) = vespa(&[429]).await;
    let writer = writer(vespa, &tempfile::tempdir().unwrap());
    let mut storing = Box::pin(writer.store(removal(&writer)));
    tokio::select! {
        _ = &mut storing => panic!("it retries without limit"),
        status = requests.recv() => assert_eq!(status, Some(429)),
    }
    writer.lease.stop(Stop::Cancelled);
    assert!(matches!(storing.await, Err(NotWritten::Job(JobError::Stopped(Stop::Cancelled)))));
    assert!(matches!(writer.store(removal(&writer)).await, Err(NotWritten::Job(JobError::Stopped(_)))));
    assert_eq!(writer.lease.open_writes(), 0);
}

#[tokio::test]
async fn a_blob_is_written_under_a_ticket_of_its_own() {
    let (vespa, _requests) = vespa(&[200]).await;
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(vespa, &folder);
    let key = EntityKey([7; 16]);
    assert!(writer.store(StoreWrite::PutBlob(BlobForm::Plain.capture(key, Bytes::from_static(b"{}")))).await.is_ok());
    assert!(writer.store(StoreWrite::PutBlob(BlobForm::Plain.file(key, Bytes::from_static(b"x")))).await.is_ok());
    assert_eq!(writer.stores.arf.list_counts(writer.sync()).await.unwrap().total(), 2);
    assert!(writer.store(StoreWrite::RemoveBlobs(EntityBlobs { key, file: RawFileBlob::Keyed })).await.is_ok());
    assert!(writer.stores.arf.is_empty(writer.sync()).await.unwrap());
    assert_eq!(writer.lease.open_writes(), 0);
}

#[tokio::test]
async fn del_2_no_blob_of_a_run_starts_after_a_stop() {
    let (vespa, _requests) = vespa(&[200]).await;
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(vespa, &folder);
    let blobs =
        |from: u8| (from..from + 3).map(|n| BlobForm::Plain.capture(EntityKey([n; 16]), Bytes::from_static(b"{}")));
    assert!(writer.put_each(blobs(0).collect()).await.unwrap().is_empty());
    assert_eq!(writer.lease.open_writes(), 0);
    // Told to stop after it was let in: nothing is written, and everything is given back.
    writer.given_up.cancel();
    assert_eq!(writer.put_each(blobs(3).collect()).await.unwrap().len(), 3);
    writer.lease.stop(Stop::Cancelled);
    assert!(matches!(writer.put_each(blobs(6).collect()).await, Err(JobError::Stopped(Stop::Cancelled))));
    assert_eq!(writer.stores.arf.list_counts(writer.sync()).await.unwrap().entities, 3);
}
