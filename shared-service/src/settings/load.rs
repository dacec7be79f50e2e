//! From the environment and the command line to valid settings, or to the end of the process.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::exit;

use clap::{Arg, ArgAction, Command, Parser};

use super::misspelling::{self, Scrutiny};
use super::names::EVERY_SERVICE;
use super::one_line::{self, Named};

const CHECK_CONFIG: &str = "check-config";
const CHECK_CONNECTIONS: &str = "check-connections";

/// Settings that can contradict each other.
pub trait Validate {
    /// Looks at the settings as a whole; a binary's settings call that of each of their groups. Settings that fit by
    /// themselves always fit together, unless this says otherwise.
    ///
    /// # Errors
    /// One line that names the setting.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

/// What a service was started for.
pub(crate) enum Started<S> {
    /// To serve.
    Serve(S),
    /// To say whether everything that it talks to can be reached: `--check-connections`.
    CheckConnections(S),
}

/// The settings of this process. With `--check-config`, `--help` or a fault it ends the process instead:
/// exit code 0 with "configuration is valid" or the help, or 2 with one line on stderr that names the setting.
#[must_use]
pub fn load<S: Parser + Validate>() -> S {
    match judged(S::command()) {
        Started::Serve(settings) | Started::CheckConnections(settings) => settings,
    }
}

/// The same for a service, which can also look at what it talks to.
pub(crate) fn load_service<S: Parser + Validate>() -> Started<S> {
    judged(S::command().arg(
        Arg::new(CHECK_CONNECTIONS)
            .long(CHECK_CONNECTIONS)
            .help("Judge the configuration, connect to everything that it names, and exit: 0 if all can be used, 1 if not")
            .action(ArgAction::SetTrue),
    ))
}

#[expect(clippy::print_stderr, reason = "speaks to whoever starts the service, before telemetry")]
fn judged<S: Parser + Validate>(command: Command) -> Started<S> {
    let environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    let named = named(&command);
    match judge::<S>(command, &named, std::env::args_os().collect(), &environment) {
        Judgement::Run(settings) => Started::Serve(*settings),
        Judgement::CheckConnections(settings) => Started::CheckConnections(*settings),
        Judgement::Say(text) => {
            // A reader that has seen enough, such as head, is no fault.
            let _closed = writeln!(std::io::stdout(), "{text}");
            exit(0)
        }
        Judgement::Refuse(line) => {
            eprintln!("{}: {line}", S::command().get_name());
            exit(2)
        }
    }
}

pub(super) enum Judgement<S> {
    Run(Box<S>),
    CheckConnections(Box<S>),
    Say(String),
    Refuse(String),
}

/// The arguments of `command` and their variables.
pub(super) fn named(command: &Command) -> Vec<Named> {
    // How an argument is written is known only once the command is built, and a built command takes no more arguments.
    let mut built = command.clone();
    built.build();
    one_line::variables(&built)
}

pub(super) fn judge<S: Parser + Validate>(
    command: Command,
    named: &[Named],
    arguments: Vec<OsString>,
    environment: &[(OsString, OsString)],
) -> Judgement<S> {
    let command = without_empty(command, environment).arg(
        Arg::new(CHECK_CONFIG)
            .long(CHECK_CONFIG)
            .help("Judge the configuration and exit: 0 if it is valid, 2 with one line if not")
            .action(ArgAction::SetTrue),
    );
    let has = |flag: &str| arguments.iter().any(|argument| argument.to_str() == Some(flag));
    let (checking, connecting) = (has("--check-config"), has("--check-connections"));
    let scrutiny = if checking || connecting { Scrutiny::CheckConfig } else { Scrutiny::Start };
    let matches = match command.try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return Judgement::Say(error.to_string().trim_end().to_owned()),
        // A variable that isn't set is best explained by the one that was misspelt.
        Err(error) => {
            let misspelt = misspelt(environment, named, scrutiny);
            return Judgement::Refuse(misspelt.unwrap_or_else(|| one_line::render(&error, named)));
        }
    };
    if let Some(line) = misspelt(environment, named, scrutiny) {
        return Judgement::Refuse(line);
    }
    let settings = match S::from_arg_matches(&matches) {
        Ok(settings) => settings,
        Err(error) => return Judgement::Refuse(one_line::render(&error, named)),
    };
    match settings.validate() {
        Err(line) => Judgement::Refuse(line),
        Ok(()) if connecting => Judgement::CheckConnections(Box::new(settings)),
        Ok(()) if checking => Judgement::Say("configuration is valid".to_owned()),
        Ok(()) => Judgement::Run(Box::new(settings)),
    }
}

fn misspelt(environment: &[(OsString, OsString)], named: &[Named], scrutiny: Scrutiny) -> Option<String> {
    let own = named.iter().map(|named| named.variable.as_str());
    let known: Vec<&str> = own.chain(EVERY_SERVICE.iter().copied()).collect();
    misspelling::find(environment.iter().filter_map(|(name, _)| name.to_str()), &known, scrutiny)
}

/// A variable that is set but empty counts as not set: `${NAME:-}` in a compose file means "the default".
fn without_empty(command: Command, environment: &[(OsString, OsString)]) -> Command {
    command.mut_args(|argument| {
        let empty = argument
            .get_env()
            .is_some_and(|name| environment.iter().any(|(known, value)| known == name && value.is_empty()));
        if empty { argument.env(None) } else { argument }
    })
}
