//! What a run waits for, and for how long.

use std::time::{Duration, Instant};

use crate::{EntitySink, SourceError};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;
use wiremock::ResponseTemplate;

use super::{GithubServer, TOKEN, config, credentials, limits, limits_with, read, read_with, refused};

/// GitHub's answer when the hour's requests are used up, with a reset in `seconds`.
fn used_up(seconds: i64) -> ResponseTemplate {
    let reset = shared_service::clock::utc_now().timestamp() + seconds;
    refused(403, "API rate limit exceeded")
        .insert_header("x-ratelimit-remaining", "0")
        .insert_header("x-ratelimit-reset", reset.to_string().as_str())
}

#[tokio::test]
async fn a_used_up_rate_limit_is_waited_out() {
    let server = GithubServer::with(&[("a.txt", "a"), ("b.txt", "b")]).await;
    server.fail("/git/blobs/", 2, used_up(2));
    let begun = Instant::now();
    assert_eq!(read(&server).await.files(), ["a.txt", "b.txt"]);
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(server.asked_for("/git/blobs/"), 4);
}

#[tokio::test]
async fn a_secondary_limit_is_waited_out_whether_it_says_how_long_or_not() {
    let server = GithubServer::with(&[("a.txt", "a")]).await;
    server.fail("/branches", 1, refused(429, "Too many requests").insert_header("retry-after", "1"));
    server.fail("/git/blobs/", 3, refused(403, "You have exceeded a secondary rate limit."));
    let begun = Instant::now();
    assert_eq!(read(&server).await.files(), ["a.txt"]);
    assert!(begun.elapsed() >= Duration::from_millis(1_150), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_limit_that_lasts_longer_than_a_job_waits_fails_it_at_once() {
    let server = GithubServer::with(&[("a.txt", "a")]).await;
    server.fail("/git/blobs/", usize::MAX, used_up(3_000));
    let begun = Instant::now();
    let error = read(&server).await.error();
    assert!(matches!(error, SourceError::Unreachable(_)) && error.category().is_none());
    assert!(
        error.to_string().contains("rate limit") && error.to_string().ends_with("longer than a job waits"),
        "{error}"
    );
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn refusals_without_an_answer_between_them_end_the_run() {
    let server = GithubServer::with(&[("a.txt", "a")]).await;
    server.fail("/git/blobs/", usize::MAX, refused(429, ""));
    let impatient = limits_with(&server.url(), |github| github.max_wait = Duration::from_millis(400));
    let error = read_with(&impatient, config(None), credentials(TOKEN)).await.error().to_string();
    assert!(error.ends_with("longer than a job waits"), "{error}");
    assert!(server.asked_for("/git/blobs/") > 1);
}

/// Runs until `asked` was asked for, then takes no entities any more; returns how long the run took to end.
async fn stopped_after(server: &GithubServer, asked: &str) -> Duration {
    let before = server.asked_for(asked);
    let (sink, mut entities) = EntitySink::new(1);
    let (config, credentials) = (config(None), credentials(TOKEN));
    let limits = limits_with(&server.url(), |github| github.max_wait = Duration::from_hours(1));
    let run = crate::run::run("github", &config, &credentials, &limits, None, sink);
    let stopping = async {
        entities.recv().await.unwrap();
        test_support::wait_until("it is asked", Duration::from_secs(20), async || server.asked_for(asked) > before)
            .await;
        drop(entities);
        Instant::now()
    };
    let (outcome, stopped) = tokio::join!(run, stopping);
    assert!(matches!(outcome, Err(SourceError::Stopped)), "{outcome:?}");
    stopped.elapsed()
}

#[tokio::test]
async fn a_stop_ends_every_wait_at_once() {
    let server = GithubServer::with(&[("a.txt", "a")]).await;
    for answer in [
        used_up(1_800),
        refused(403, "slow down").insert_header("retry-after", "1800"),
        ResponseTemplate::new(200).set_delay(Duration::from_mins(1)),
    ] {
        server.fail("/git/blobs/", 1, answer);
        let took = stopped_after(&server, "/git/blobs/").await;
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

#[tokio::test]
async fn what_fails_for_the_moment_is_tried_again() {
    let server = GithubServer::with(&[("a.txt", "whole"), ("b.txt", "whole")]).await;
    server.fail("/octo/spoon", 2, refused(502, "Bad gateway"));
    server.fail("/branches", 1, refused(500, "oops"));
    server.fail("/git/trees", 3, refused(503, "Unicorn"));
    server.fail("/git/trees", 1, refused(409, "Git Repository is unavailable."));
    // An answer that broke off.
    server.fail("/git/blobs/", 2, ResponseTemplate::new(200).set_body_string("who"));
    assert_eq!(read(&server).await.files(), ["a.txt", "b.txt"]);
}

/// Forwards to `server`, but breaks each of the first `breaks` connections off after a part of its answer.
async fn breaking_front(server: &GithubServer, breaks: usize) -> (Url, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let to = format!("127.0.0.1:{}", server.url().port().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        for number in 0.. {
            let (mut inside, _) = listener.accept().await.unwrap();
            let to = to.clone();
            connections.spawn(async move {
                let mut outside = TcpStream::connect(to).await.unwrap();
                let (mut asking, mut hearing) = inside.split();
                let (answering, mut telling) = outside.split();
                let bytes = if number < breaks { 200 } else { u64::MAX };
                let mut answering = answering.take(bytes);
                tokio::select! {
                    _ended = tokio::io::copy(&mut asking, &mut telling) => {}
                    _ended = tokio::io::copy(&mut answering, &mut hearing) => {}
                }
            });
        }
    });
    (url, tasks)
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_of_an_answer_is_made_anew() {
    let server = GithubServer::with(&[("a.txt", &"long ".repeat(100)), ("b.txt", "b")]).await;
    let (front, _tasks) = breaking_front(&server, 3).await;
    let read = read_with(&limits(&front), config(None), credentials(TOKEN)).await;
    assert_eq!(read.files(), ["a.txt", "b.txt"]);
    let (front, _tasks) = breaking_front(&server, usize::MAX).await;
    let error = read_with(&limits(&front), config(None), credentials(TOKEN)).await.error();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn a_file_or_list_that_the_server_fails_to_give_fails_the_run() {
    let server = GithubServer::with(&[("a.txt", "a"), ("b.txt", "b")]).await;
    server.fail("/git/blobs/", 20, refused(502, "Bad gateway"));
    let error = read(&server).await.error();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    assert!(error.to_string().contains("502 Bad Gateway: Bad gateway; tried 5 times more"), "{error}");
    server.recover();
    server.fail("/git/trees/", 1, refused(404, "Not Found"));
    assert!(matches!(read(&server).await.error(), SourceError::Unreachable(_)));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let port = test_support::free_port();
    let url = format!("http://127.0.0.1:{port}").parse().unwrap();
    let error = read_with(&limits(&url), config(None), credentials(TOKEN)).await.error();
    assert!(matches!(error, SourceError::Unreachable(_)));
    assert!(error.to_string().starts_with(&format!("cannot reach GitHub at 127.0.0.1:{port}: ")), "{error}");
}

#[tokio::test]
async fn runs_with_the_same_token_take_turns() {
    let server = GithubServer::with(&[("a.txt", "a"), ("b.txt", "b")]).await;
    let paced = limits_with(&server.url(), |github| github.request_interval = Duration::from_millis(50));
    let begun = Instant::now();
    let run = || read_with(&paced, config(None), credentials(TOKEN));
    let (one, two) = tokio::join!(run(), run());
    assert_eq!((one.files().len(), two.files().len()), (2, 2));
    assert!(begun.elapsed() >= Duration::from_millis(50 * 9), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn many_files_are_read_in_turn() {
    let names: Vec<String> = (0..300).map(|number| format!("f{number:03}.txt")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
    let server = GithubServer::with(&files).await;
    let paced = limits_with(&server.url(), |github| github.request_interval = Duration::from_millis(5));
    let begun = Instant::now();
    let read = read_with(&paced, config(None), credentials(TOKEN)).await;
    assert_eq!(read.files(), names);
    assert!(begun.elapsed() >= Duration::from_millis(5 * 302), "{:?}", begun.elapsed());
}
