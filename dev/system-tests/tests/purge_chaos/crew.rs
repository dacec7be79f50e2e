//! The cleanup-workers of a wave, and what is done to them.

use std::time::{Duration, Instant};

use system_tests::{System, Worker};

use super::dice::Dice;
use super::faults::Plan;
use super::report::Report;

/// One goes by a rate, so that even small syncs are purged range by range; the other goes as fast as it can.
const SETTINGS: [&[(&str, &str)]; 2] = [&[("CLEANUP_DOCUMENTS_PER_SECOND", "1500")], &[]];
const CALM: Duration = Duration::from_millis(100);
/// Longer than a claim lasts.
const FROZEN: Duration = Duration::from_millis(2_600);

/// The workers.
pub struct Crew<'a> {
    system: &'a System,
    workers: Vec<Worker>,
    kills: bool,
    freezes: bool,
    frozen: Option<(usize, Instant)>,
    pub killed: usize,
    pub froze: usize,
}

impl<'a> Crew<'a> {
    pub async fn start(system: &'a System, plan: &Plan) -> Self {
        let mut workers = Vec::new();
        for settings in SETTINGS {
            workers.push(system.cleanup_worker_with(settings).await);
        }
        let (kills, freezes) = (plan.kills, plan.freezes);
        Self { system, workers, kills, freezes, frozen: None, killed: 0, froze: 0 }
    }

    /// Does something to one of them, or nothing for a moment.
    pub async fn disturb(&mut self, dice: &mut Dice) {
        tokio::time::sleep(CALM).await;
        let which = usize::try_from(dice.below(2)).unwrap();
        if let Some((frozen, since)) = self.frozen {
            if since.elapsed() >= FROZEN {
                self.workers[frozen].service.cont();
                self.frozen = None;
            }
        } else if self.freezes && dice.once_in(5) {
            self.workers[which].service.stop();
            self.frozen = Some((which, Instant::now()));
            self.froze += 1;
        } else if self.kills && dice.once_in(6) {
            self.workers[which].service.kill();
            self.workers[which] = self.system.cleanup_worker_with(SETTINGS[which]).await;
            self.killed += 1;
        }
    }

    pub fn tails(&self) -> String {
        self.workers.iter().map(|worker| worker.service.tail()).collect()
    }

    /// Ends them.
    pub fn end(self, report: &mut Report) {
        report.killed += self.killed;
        report.froze += self.froze;
        if let Some((frozen, _)) = self.frozen {
            self.workers[frozen].service.cont();
        }
    }
}
