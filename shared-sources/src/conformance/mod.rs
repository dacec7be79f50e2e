//! What every source keeps to, whatever it reads. One line puts a source through all of it.
//!
//! A source brings a [`Stand`]: a small world of its own in which things can be made to go wrong. What a source can't
//! have (a container-less emptiness, an entity that can't be read) its stand says with `None`.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::run::collected;
use crate::{EntitySink, Offers, ReadSummary, Source, SourceAccess, SourceEntity, SourceError};

mod logs;
mod memory;

/// How a source is to be read.
pub(crate) struct Asked {
    pub(crate) config: Value,
    pub(crate) credentials: Value,
    pub(crate) access: SourceAccess,
}

/// A world with a few entities to read.
pub(crate) trait Stand: Sized {
    const SOURCE: Source;

    async fn start() -> Self;
    fn asked(&self) -> Asked;
    /// What of the credentials nobody may ever see; `None` if nothing of them is secret.
    fn secret(&self) -> Option<String>;
    /// Leaves nothing to read, and says how many entities there are even so: containers.
    async fn empty(&mut self) -> Option<usize>;
    /// Makes something unreadable for now, and says which entity that is.
    async fn hide(&mut self) -> Option<String>;
    /// Adds something that no entity can be made of, and says which entity it would be.
    async fn add_odd(&mut self) -> Option<String>;
    /// Lets the server fail from now on, and says with what words.
    async fn fail(&mut self) -> Option<&'static str>;
    /// Leaves about so many small entities.
    async fn fill(&mut self, entities: usize) -> bool;
    /// Leaves one entity of about a GiB.
    async fn fill_with_one(&mut self) -> bool;
}

/// What came of a run.
pub(crate) struct Run {
    pub(crate) entities: Vec<SourceEntity>,
    pub(crate) outcome: Result<ReadSummary, SourceError>,
}

impl Run {
    fn all(mut self) -> (Vec<SourceEntity>, ReadSummary) {
        self.entities.sort_by(|one, other| one.id.cmp(&other.id));
        (self.entities, self.outcome.unwrap())
    }
}

pub(crate) async fn read<S: Stand>(stand: &S) -> Run {
    let (sink, entities) = EntitySink::new(2);
    let Asked { config, credentials, access } = stand.asked();
    let (config, credentials) = (config.as_object().unwrap(), credentials.as_object().unwrap());
    let reading = S::SOURCE.read(config, credentials, &access, None, sink);
    let (outcome, entities) = tokio::join!(reading, collected(entities));
    Run { entities, outcome }
}

/// Reads while everything that is offered in the version of `stored` is kept.
async fn read_beside<S: Stand>(stand: &S, stored: &[SourceEntity]) -> Run {
    let (sink, entities, mut offered) = EntitySink::with_offers(2);
    let Asked { config, credentials, access } = stand.asked();
    let (config, credentials) = (config.as_object().unwrap(), credentials.as_object().unwrap());
    let reading = S::SOURCE.read(config, credentials, &access, None, sink);
    let answering = async {
        while let Some(Offers { offers, answer }) = offered.recv().await {
            let is_stored = |offer: &crate::Offer| {
                stored.iter().any(|entity| entity.id == offer.id && entity.version.as_ref() == Some(&offer.version))
            };
            answer.send(offers.iter().map(is_stored).collect()).unwrap();
        }
    };
    let (outcome, entities, ()) = tokio::join!(reading, collected(entities), answering);
    Run { entities, outcome }
}

/// A second run yields the same, down to the last byte; what has a version isn't even read again.
pub(crate) async fn a_second_run_yields_the_same<S: Stand>() {
    let stand = S::start().await;
    let (first, summary) = read(&stand).await.all();
    assert!(!first.is_empty());
    let (second, again) = read(&stand).await.all();
    assert_eq!((format!("{first:?}"), &summary), (format!("{second:?}"), &again));
    let (changed, again) = read_beside(&stand, &first).await.all();
    let unversioned: Vec<&SourceEntity> = first.iter().filter(|entity| entity.version.is_none()).collect();
    assert_eq!((format!("{unversioned:?}"), &summary), (format!("{:?}", changed.iter().collect::<Vec<_>>()), &again));
}

/// Nobody takes entities any more, at the first entity: the run ends within a second.
pub(crate) async fn a_cancel_stops_reading_within_a_second<S: Stand>() {
    let mut stand = S::start().await;
    stand.fill(2_000).await;
    let (sink, mut entities) = EntitySink::new(1);
    let Asked { config, credentials, access } = stand.asked();
    let (config, credentials) = (config.as_object().unwrap(), credentials.as_object().unwrap());
    let reading = S::SOURCE.read(config, credentials, &access, None, sink);
    let stopping = async {
        entities.recv().await.unwrap();
        drop(entities);
        Instant::now()
    };
    let (outcome, stopped) = tokio::join!(reading, stopping);
    assert!(matches!(outcome, Err(SourceError::Stopped)), "{outcome:?}");
    assert!(stopped.elapsed() < Duration::from_secs(1), "{:?}", stopped.elapsed());
}

/// What can't be read is a gap: nothing of it is yielded, and it isn't taken for gone.
pub(crate) async fn what_cannot_be_read_is_a_gap_and_never_a_removal<S: Stand>() {
    let mut stand = S::start().await;
    let Some(hidden) = stand.hide().await else { return };
    let Run { entities, outcome } = read(&stand).await;
    assert!(entities.iter().all(|entity| entity.id != hidden), "{hidden}");
    match outcome {
        Ok(summary) => {
            assert!(!summary.seen.means_gone(&hidden), "{hidden}");
            assert!(
                summary.skipped.told().iter().any(|told| hidden.starts_with(told.entity_id.trim_end_matches('…'))),
                "{summary:?}"
            );
        }
        // A run that fails removes nothing.
        Err(error) => assert!(!matches!(error, SourceError::Stopped)),
    }
}

/// One odd entity costs itself, and is told by name.
pub(crate) async fn one_odd_entity_costs_one_entity_and_is_told_by_name<S: Stand>() {
    let mut stand = S::start().await;
    let (before, summary) = read(&stand).await.all();
    let Some(odd) = stand.add_odd().await else { return };
    let logs = logs::Logs::default();
    let run = {
        let _capturing = logs.capture();
        read(&stand).await
    };
    let (after, with_odd) = run.all();
    let ids = |entities: &[SourceEntity]| entities.iter().map(|entity| entity.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&after));
    assert_eq!(with_odd.skipped.count(), summary.skipped.count() + 1);
    let told = with_odd.skipped.told().iter().find(|told| told.entity_id == odd);
    assert!(told.is_some_and(|told| !told.reason.is_empty()), "{odd}: {with_odd:?}");
    assert!(!logs.text().contains(&odd), "its name is the owner's: {}", logs.text());
}

/// Nothing that a run says holds a secret, whether it goes well or not.
pub(crate) async fn credentials_never_show<S: Stand>() {
    let mut stand = S::start().await;
    let Some(secret) = stand.secret() else { return };
    assert!(stand.asked().credentials.to_string().contains(&secret));
    let logs = logs::Logs::default();
    let _capturing = logs.capture();
    let mut said = format!("{:?}", read(&stand).await.outcome);
    if stand.fail().await.is_some() {
        let failed = read(&stand).await.outcome.unwrap_err();
        said.push_str(&format!("{failed:?}{failed}"));
    }
    said.push_str(&logs.text());
    assert!(!said.contains(&secret), "{said}");
}

/// A server that fails, fails the run with its reason.
pub(crate) async fn a_failing_server_fails_the_run_with_its_reason<S: Stand>() {
    let mut stand = S::start().await;
    let Some(reason) = stand.fail().await else { return };
    let error = read(&stand).await.outcome.unwrap_err();
    assert!(!matches!(error, SourceError::Stopped), "{error:?}");
    assert!(error.to_string().contains(reason), "{error}");
}

/// An empty source says that it saw everything, and that this is nothing.
pub(crate) async fn an_empty_source_says_so<S: Stand>() {
    let mut stand = S::start().await;
    let Some(containers) = stand.empty().await else { return };
    let (entities, summary) = read(&stand).await.all();
    assert_eq!(entities.len(), containers);
    assert_eq!((summary.seen, summary.skipped.count()), (crate::Seen::Everything, 0));
}

/// Puts every source through all of it: a source without a line doesn't compile.
macro_rules! conformance {
    ($($source:ident in $name:ident with $stand:ty;)+) => {
        const fn _every_source_is_put_through(source: $crate::Source) {
            match source {
                $($crate::Source::$source => {})+
            }
        }

        $(
            mod $name {
                use $crate::conformance as suite;

                type TheStand = $stand;

                #[test]
                fn the_stand_is_of_its_source() {
                    assert_eq!(<TheStand as suite::Stand>::SOURCE, $crate::Source::$source);
                }

                conformance!(@tests a_second_run_yields_the_same, a_cancel_stops_reading_within_a_second,
                    what_cannot_be_read_is_a_gap_and_never_a_removal,
                    one_odd_entity_costs_one_entity_and_is_told_by_name, credentials_never_show,
                    a_failing_server_fails_the_run_with_its_reason, an_empty_source_says_so);

                #[test]
                fn memory_stays_bounded_with_many_small_entities() {
                    suite::memory::measured::<TheStand>(
                        module_path!(),
                        "memory_stays_bounded_with_many_small_entities",
                        suite::memory::Load::Many,
                    );
                }

                #[test]
                fn memory_stays_bounded_with_one_huge_entity() {
                    suite::memory::measured::<TheStand>(
                        module_path!(),
                        "memory_stays_bounded_with_one_huge_entity",
                        suite::memory::Load::OneHuge,
                    );
                }
            }
        )+
    };
    (@tests $($property:ident),+) => {
        $(
            #[tokio::test]
            async fn $property() {
                test_support::install_tls_provider();
                suite::$property::<TheStand>().await;
            }
        )+
    };
}

conformance! {
    Files in files with crate::files::tests::stand::FilesStand;
    Github in github with crate::github::tests::stand::GithubStand;
    Postgresql in postgresql with crate::postgresql::tests::stand::PostgresqlStand;
    S3 in s3 with crate::s3::tests::stand::S3Stand;
    Timed in timed with crate::testing::stand::TimedStand;
    Stub in stub with crate::testing::stand::StubStand;
    IncrementalStub in incremental_stub with crate::testing::stand::IncrementalStubStand;
    ExceptionStub in exception_stub with crate::testing::stand::ExceptionStubStand;
}
