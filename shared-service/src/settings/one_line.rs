//! A clap error as one line that names the environment variable and never shows a secret.

use std::error::Error;
use std::net::AddrParseError;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::number::NoSuchNumber;

/// One argument: how clap writes it, its variable, and whether its value may be shown.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) shown: String,
    pub(super) variable: String,
    pub(super) secret: bool,
    pub(super) required: bool,
}

/// Every argument of `command` that can come from the environment, subcommands included.
pub(super) fn variables(command: &Command) -> Vec<Named> {
    let own = command.get_arguments().filter_map(|argument| {
        let variable = argument.get_env()?.to_str()?.to_owned();
        let (secret, required) = (argument.is_hide_env_values_set(), argument.is_required_set());
        Some(Named { shown: argument.to_string(), variable, secret, required })
    });
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}

/// The error as one line.
pub(super) fn render(error: &clap::Error, named: &[Named]) -> String {
    let arguments = strings(error.get(ContextKind::InvalidArg));
    let find = |shown: &String| named.iter().find(|named| named.shown == *shown);
    let name = |shown: &String| find(shown).map_or_else(|| shown.clone(), |named| named.variable.clone());
    let names = arguments.iter().map(name).collect::<Vec<_>>().join(", ");
    let value = strings(error.get(ContextKind::InvalidValue)).join(", ");
    match error.kind() {
        ErrorKind::MissingRequiredArgument if arguments.len() == 1 => match arguments.first().and_then(find) {
            Some(Named { required: false, variable, .. }) => {
                let group = variable.split('_').next().unwrap_or_default();
                format!("{names} is not set, and another {group}_… setting needs it")
            }
            _ => format!("{names} is not set"),
        },
        ErrorKind::MissingRequiredArgument => format!("{names} are not set"),
        ErrorKind::ValueValidation if error.source().is_some_and(<dyn Error>::is::<NoSuchNumber>) => {
            format!("{names} {}", error.source().map(ToString::to_string).unwrap_or_default())
        }
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            let why = match error.source() {
                Some(source) => explain(source),
                None => format!("not one of {}", strings(error.get(ContextKind::ValidValue)).join(", ")),
            };
            match arguments.first().and_then(find) {
                Some(named) if !named.secret => format!("{names} is {value:?}: {why}"),
                _ => format!("{names}: {why}"),
            }
        }
        ErrorKind::UnknownArgument if !names.starts_with('-') => format!("unknown command {names}: see --help"),
        ErrorKind::UnknownArgument => format!("unknown option {names}"),
        _ => {
            let text = error.to_string();
            text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    }
}

/// What a parser says, or what was expected where it speaks to programmers.
fn explain(why: &(dyn Error + 'static)) -> String {
    if why.is::<humantime::DurationError>() {
        return "not a duration such as 500ms, 30s, 5m or 1h 30m".to_owned();
    }
    if why.is::<AddrParseError>() {
        return "not of the form IP:port, such as 127.0.0.1:8001 or [::1]:8001".to_owned();
    }
    why.to_string()
}

fn strings(value: Option<&ContextValue>) -> Vec<String> {
    match value {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}
