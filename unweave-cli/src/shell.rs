//! What shells and `man` want to know of the command: completions and manual pages.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{Answer, Output};

/// What `completion` is given.
#[derive(Debug, Args)]
#[command(after_help = "Example, for bash:\n    unweave completion bash > \
                  ~/.local/share/bash-completion/completions/unweave")]
pub struct Completion {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// What `man` is given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    unweave man ~/.local/share/man/man1 && man unweave-cleanups-list")]
pub struct Man {
    /// The folder that gets a page for each command; it must be there
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

impl Completion {
    /// The script, as its lines.
    pub fn run(&self, mut command: Command) -> Answer {
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        let script = String::from_utf8_lossy(&script).into_owned();
        Answer { lines: script.lines().map(str::to_owned).collect(), json: json!(script) }
    }
}

impl Man {
    /// Writes the pages.
    ///
    /// # Errors
    /// The folder can't be written.
    pub fn run(&self, command: Command) -> Result<Answer, Failure> {
        let cannot = |error: std::io::Error| Failure::Unchecked(format!("{}: {error}", self.folder.display()));
        clap_mangen::generate_to(command, &self.folder).map_err(cannot)?;
        let line = format!("the pages are in {}", self.folder.display());
        Ok(Answer { lines: vec![line], json: json!({ "folder": self.folder }) })
    }
}
