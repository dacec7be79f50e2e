//! Asking before something is done that can't be undone.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use clap::Args;

use crate::failure::Failure;
use crate::output::one_line;

/// Whether somebody is asked.
#[derive(Debug, Args)]
pub struct Confirmation {
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

impl Confirmation {
    /// Says what is going to happen, and asks; does neither with `--yes`.
    ///
    /// # Errors
    /// Nobody is there to be asked, or nobody agreed.
    pub fn ask<T: AsRef<str>>(&self, what: &[T], question: &str) -> Result<(), Failure> {
        if self.yes { Ok(()) } else { ask(what, question) }
    }
}

/// Says what is going to happen, and asks.
#[expect(clippy::print_stderr, reason = "talks to people")]
fn ask<T: AsRef<str>>(what: &[T], question: &str) -> Result<(), Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::Usage("nobody is there to be asked: --yes does it".to_owned()));
    }
    what.iter().for_each(|line| eprintln!("{}", one_line(line.as_ref())));
    eprint!("{question} Type yes: ");
    let _flushed = std::io::stderr().flush();
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    if read.is_ok() && answer.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::Unchecked("nothing was changed".to_owned()))
}
