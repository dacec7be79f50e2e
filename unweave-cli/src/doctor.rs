//! `unweave doctor`: everything that an installation needs, looked at once; each finding with what to do.
//!
//! Nothing is changed, but for what the checks of the stores write and remove again. What isn't set isn't looked at,
//! and that is said.

use clap::Args;
use futures::FutureExt as _;
use futures::future::join_all;
use serde_json::{Value, json};

mod database;
mod finding;
mod services;
mod settings;
mod stores;

use finding::{Finding, Verdict};
pub use settings::Settings;

use crate::failure::Failure;
use crate::output::{Answer, Output};

const EXAMPLES: &str = "Examples, with the environment of a cleanup-worker:
    unweave doctor
    unweave doctor --service http://gateway-1:9001 --service http://cleanup-worker-1:9003

It ends with 0 if nothing has failed, also if something is to be looked at (--strict: with 1 then), and with 1 otherwise.";

/// What `doctor` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Doctor {
    #[command(flatten)]
    settings: Settings,
    /// What is to be looked at counts as a failure, too
    #[arg(long)]
    strict: bool,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

impl Doctor {
    /// Looks at everything.
    ///
    /// # Errors
    /// Something has failed; the findings are the answer all the same.
    pub async fn run(&self) -> Result<Answer, Failure> {
        let settings = &self.settings;
        let parts = [database::look(settings).boxed_local(), stores::look(settings).boxed_local()];
        let mut findings = vec![settings.times()];
        findings.extend(join_all(parts).await.into_iter().flatten());
        findings.extend(services::look(settings).await);
        let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
        let (failed, odd) = (count(Verdict::Failed), count(Verdict::Look));
        let mut lines: Vec<String> = findings.iter().flat_map(Finding::lines).collect();
        lines.push(match (failed, odd) {
            (0, 0) => "all is well".to_owned(),
            (0, odd) => format!("nothing has failed; {odd} to be looked at"),
            (failed, odd) => format!("{failed} failed, {odd} more to be looked at"),
        });
        let json = json!({
            "failed": failed,
            "to_look_at": odd,
            "findings": findings.iter().map(Finding::described).collect::<Vec<Value>>(),
        });
        let answer = Answer { lines, json };
        if failed > 0 || self.strict && odd > 0 { Err(Failure::Found(answer)) } else { Ok(answer) }
    }
}
