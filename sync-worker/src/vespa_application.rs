//! Whether Vespa runs an application that takes what jobs write: asked at the start, before the first job is taken.
//!
//! A put with a field that the schema doesn't know is refused for good, so each job of this worker would fail. While
//! Vespa refuses no job is taken here; another worker, of the version that fits, may take them. A Vespa that can't be
//! asked holds up nothing: jobs wait for it by themselves, and it is asked again.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use shared_service::periodic::Next;
use shared_service::{Driver, Periodic};
use shared_stores::VespaError;

use crate::worker::Worker;

const TIMEOUT: Duration = Duration::from_secs(5);
/// While Vespa refuses or can't be asked, it is asked again after this.
const AGAIN: Duration = Duration::from_secs(5);
/// After that it is asked now and then: somebody may deploy an older application.
const INTERVAL: Duration = Duration::from_mins(5);

/// What is known of Vespa's application.
#[derive(Debug, Clone, Default)]
pub struct Application(Arc<Mutex<Learnt>>);

#[derive(Debug, Default)]
struct Learnt {
    known: Known,
    /// Whether jobs are taken. Never taken back: jobs then fail, and say why.
    is_open: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Known {
    /// Nobody has answered yet.
    #[default]
    Unasked,
    /// It has what is needed, or can't be asked: jobs are taken.
    Usable,
    /// It lacks this.
    Lacking(String),
}

impl Application {
    /// Whether it has what is needed.
    ///
    /// # Errors
    /// What it lacks, or that it wasn't asked yet.
    pub fn state(&self) -> Result<(), String> {
        match &self.0.lock().known {
            Known::Usable => Ok(()),
            Known::Unasked => Err("not asked yet".to_owned()),
            Known::Lacking(what) => Err(what.clone()),
        }
    }

    /// Takes in an answer. Returns whether jobs may be taken from now on that weren't before.
    fn learn(&self, answer: &Result<(), VespaError>) -> bool {
        let mut learnt = self.0.lock();
        learnt.known = match answer {
            Err(VespaError::Rejected { message, .. }) => Known::Lacking(message.clone()),
            Ok(()) | Err(_) => Known::Usable,
        };
        let opens = learnt.known == Known::Usable && !learnt.is_open;
        learnt.is_open |= opens;
        opens
    }
}

/// Asks until Vespa takes what jobs write; then there are `slots` for jobs.
pub fn check(worker: &Arc<Worker>, slots: usize, driver: &Driver) -> Application {
    let application = Application::default();
    let (worker, known) = (worker.clone(), application.clone());
    driver.start(Periodic::every("check Vespa's application", INTERVAL), move |_| {
        let (worker, known) = (worker.clone(), known.clone());
        async move { ask(&worker, &known, slots).await }
    });
    application
}

async fn ask(worker: &Worker, known: &Application, slots: usize) -> Result<Next, std::convert::Infallible> {
    let answer = worker.tools.stores.vespa.check_document_types(TIMEOUT).await;
    if known.learn(&answer) {
        worker.slots.add_permits(slots);
        worker.look_now.ring();
    }
    match answer {
        Ok(()) => Ok(Next::AtInterval),
        Err(error @ VespaError::Rejected { .. }) => {
            tracing::error!(%error, "Vespa lacks what documents are written with: deploy the application package");
            Ok(Next::Within(AGAIN))
        }
        Err(_) => Ok(Next::Within(AGAIN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacking() -> Result<(), VespaError> {
        Err(VespaError::Rejected { status: 400, message: "No field 'f'".to_owned() })
    }

    #[test]
    fn jobs_are_taken_once_vespa_does_not_refuse_and_their_slots_are_given_once() {
        let application = Application::default();
        assert!(application.state().is_err());
        assert!(!application.learn(&lacking()));
        assert_eq!(application.state(), Err("No field 'f'".to_owned()));
        assert!(application.learn(&Ok(())));
        assert_eq!(application.state(), Ok(()));
        assert!(!application.learn(&Ok(())));
        assert!(!application.learn(&lacking()));
        assert!(application.state().is_err(), "an older application was deployed since");
        assert!(!application.learn(&Ok(())), "not twice");
        assert!(Application::default().learn(&Err(VespaError::Overloaded)), "what can't be asked holds up nothing");
    }
}
