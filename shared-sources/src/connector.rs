//! What each source's folder must have.

use std::fmt::Debug;
use std::future::Future;

use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use shared_service::settings::Validate;

use crate::definition::{InvalidFields, Unknown, validate};
use crate::{EntitySink, ReadSummary, SourceAccess, SourceDefinition, SourceError, ValidatedFields};

/// A source. Its config and credentials reach it as types that were read from what its definition accepts.
pub(crate) trait Connector {
    /// What it is, and the fields that it asks for.
    const DEFINITION: SourceDefinition;

    /// What the connection's owner set.
    type Config: DeserializeOwned + Send;
    /// With what it authenticates.
    type Credentials: DeserializeOwned + Send;
    /// What the operator sets for it.
    type Settings: Args + Validate + Debug + Clone + Send + Sync + 'static;
    /// What the operator tells the gateway of it, so that a connection that can't work is refused when it is made.
    type GatewaySettings: Args + Debug + Clone + Send + Sync + 'static;

    /// What of `config` can't be right although each field by itself may be, as `field: problem`.
    fn misfit(_config: &Self::Config) -> Option<String> {
        None
    }

    /// Why a connection with this config must not be made, as far as that shows without a look at the source.
    fn refuse_config(_config: &Self::Config) -> Option<String> {
        None
    }

    /// Why a connection must not have these credentials, likewise. Never quotes a secret.
    fn refuse_credentials(_credentials: &Self::Credentials, _settings: &Self::GatewaySettings) -> Option<String> {
        None
    }

    /// Reads everything, or what came after `cursor`, into `sink`. It is dropped when nobody takes entities any more.
    fn read(given: Given<'_, Self>) -> impl Future<Output = Result<ReadSummary, SourceError>> + Send;
}

/// What a run is given.
pub(crate) struct Given<'a, C: Connector + ?Sized> {
    /// What the connection's owner set.
    pub(crate) config: C::Config,
    /// With what to authenticate.
    pub(crate) credentials: C::Credentials,
    /// What the operator allows.
    pub(crate) access: &'a SourceAccess,
    /// Where an earlier run came to an end; `None` reads everything.
    pub(crate) cursor: Option<&'a Value>,
    /// Where entities go.
    pub(crate) sink: &'a EntitySink,
}

/// A source for which the operator sets nothing.
#[derive(Debug, Clone, Copy, Default, Args)]
#[group(skip)]
pub struct NoSettings {}

impl Validate for NoSettings {}

pub(crate) fn check_config<C: Connector>(
    given: &Map<String, Value>,
    stored: Option<&Map<String, Value>>,
) -> Result<ValidatedFields, InvalidFields> {
    let valid = validate(C::DEFINITION.config_fields, given, Unknown::AsStored(stored))?;
    let misfit = match parse::<C::Config>(&valid) {
        Ok(config) => C::misfit(&config),
        Err(error) => Some(error.to_string()),
    };
    misfit.map_or(Ok(valid), |misfit| Err(InvalidFields(vec![misfit])))
}

pub(crate) fn refuse_config<C: Connector>(valid: &ValidatedFields) -> Option<String> {
    C::refuse_config(&parse(valid).ok()?)
}

pub(crate) fn refuse_credentials<C: Connector>(
    valid: &ValidatedFields,
    settings: &C::GatewaySettings,
) -> Option<String> {
    C::refuse_credentials(&parse(valid).ok()?, settings)
}

pub(crate) async fn read<C: Connector>(
    config: &Map<String, Value>,
    credentials: &Map<String, Value>,
    access: &SourceAccess,
    cursor: Option<&Value>,
    sink: &EntitySink,
) -> Result<ReadSummary, SourceError> {
    let config = parse(config).map_err(|error| SourceError::Misconfigured(format!("config is not valid: {error}")))?;
    // The parser's own text would quote the value, and with it a secret.
    let credentials =
        parse(credentials).map_err(|_| SourceError::Misconfigured("credentials are not valid".to_owned()))?;
    tokio::select! {
        biased;
        () = sink.closed() => Err(SourceError::Stopped),
        outcome = C::read(Given { config, credentials, access, cursor, sink }) => outcome,
    }
}

fn parse<T: DeserializeOwned>(fields: &Map<String, Value>) -> Result<T, serde_json::Error> {
    T::deserialize(fields)
}
