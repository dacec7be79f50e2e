//! Commands about dead messages: what no consumer could work on, and what is done about it.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use shared_messaging::operator::{Chosen, DeadMessage, Operator};
use shared_messaging::{MessagingError, PublishError};
use shared_service::settings::{amqp_url, whole_number};

use crate::confirm::Confirmation;
use crate::failure::Failure;
use crate::output::{Answer, Output};
use crate::table;

/// What is done with dead messages.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists dead messages, the oldest first; they stay where they are
    List(List),
    /// Shows one dead message with its body
    Show(Show),
    /// Sends dead messages to where they came from, as they were
    Replay(Replay),
    /// Removes dead messages for good
    Drop(Drop),
}

/// Where RabbitMQ is.
#[derive(Debug, Args)]
struct Broker {
    /// RabbitMQ, as amqp://user:password@host:5672/vhost or amqps://…; a secret
    #[arg(long, env = "AMQP_URL", value_name = "URL", hide_env_values = true)]
    amqp_url: SecretString,
}

/// What `dead list` is given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    unweave dead list --limit 20")]
pub struct List {
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = whole_number(1..=10_000_usize))]
    limit: usize,
    #[command(flatten)]
    broker: Broker,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What `dead show` is given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    unweave dead show 0f0e0d0c-0b0a-4908-8706-050403020100")]
pub struct Show {
    /// The message's id
    #[arg(value_name = "MESSAGE")]
    message: String,
    #[command(flatten)]
    broker: Broker,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Which messages something is done with.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// These messages, by their ids
    #[arg(value_name = "MESSAGE")]
    messages: Vec<String>,
    /// The oldest, so many
    #[arg(long, value_name = "COUNT", value_parser = whole_number(1..=10_000_usize))]
    oldest: Option<usize>,
    /// All; at most 10 000 at once
    #[arg(long)]
    all: bool,
}

/// What `dead replay` is given.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n    unweave dead replay 0f0e0d0c-0b0a-4908-8706-050403020100\n    unweave dead \
                        replay --all --yes\n\nA message may be worked on twice without harm. One that can't be \
                        read will be dead again.")]
pub struct Replay {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    broker: Broker,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What `dead drop` is given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    unweave dead drop 0f0e0d0c-0b0a-4908-8706-050403020100\n\nA message only says \
                        that there is something to do; the rows in PostgreSQL say what, and workers look at them \
                        without being told. So no deletion is lost with it.")]
pub struct Drop {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    broker: Broker,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Messages that are looked through for one.
const MOST: usize = 10_000;

impl Command {
    /// How the answer is written.
    pub const fn output(&self) -> Output {
        match self {
            Self::List(asked) => asked.output,
            Self::Show(asked) => asked.output,
            Self::Replay(asked) => asked.output,
            Self::Drop(asked) => asked.output,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// Why it couldn't be done.
    pub async fn run(&self) -> Result<Answer, Failure> {
        match self {
            Self::List(asked) => Ok(listed(&asked.broker.connect().await?.dead(asked.limit).await?)),
            Self::Show(asked) => {
                let dead = asked.broker.connect().await?.dead(MOST).await?;
                let named = dead.iter().find(|dead| dead.message_id.as_deref() == Some(&*asked.message));
                let text = || format!("there is no dead message {}", asked.message);
                Ok(shown(named.ok_or_else(|| Failure::refused("not_found", text()))?))
            }
            Self::Replay(asked) => {
                let operator = asked.broker.connect().await?;
                let (lines, chosen) = asked.which.named(&operator).await?;
                asked.confirmation.ask(&lines, "Send them to where they came from?")?;
                let count = operator.replay(&chosen).await?;
                asked.which.outcome(count, "replayed", "sent to where they came from")
            }
            Self::Drop(asked) => {
                let operator = asked.broker.connect().await?;
                let (lines, chosen) = asked.which.named(&operator).await?;
                asked.confirmation.ask(&lines, "Remove them for good?")?;
                let count = operator.drop_dead(&chosen).await?;
                asked.which.outcome(count, "dropped", "removed")
            }
        }
    }
}

impl Broker {
    async fn connect(&self) -> Result<Operator, Failure> {
        let url = amqp_url(self.amqp_url.expose_secret());
        let url = url.map_err(|error| Failure::Usage(format!("AMQP_URL: {error}")))?;
        Ok(Operator::connect(&url).await?)
    }
}

impl Which {
    fn chosen(&self) -> Chosen {
        match (self.oldest, self.messages.is_empty()) {
            (Some(count), _) => Chosen::Oldest(count),
            (None, true) => Chosen::Oldest(MOST),
            (None, false) => Chosen::Ids(self.messages.iter().cloned().collect::<BTreeSet<_>>()),
        }
    }

    /// The table of those that are meant, and these very ones: what is dead since isn't among them.
    async fn named(&self, operator: &Operator) -> Result<(Vec<String>, Chosen), Failure> {
        let mut dead = operator.dead(MOST).await?;
        let mut chosen = self.chosen();
        match &chosen {
            Chosen::Oldest(count) => dead.truncate(*count),
            Chosen::Ids(ids) => dead.retain(|dead| dead.message_id.as_ref().is_some_and(|id| ids.contains(id))),
        }
        if matches!(chosen, Chosen::Oldest(_)) {
            let ids: Option<BTreeSet<String>> = dead.iter().map(|dead| dead.message_id.clone()).collect();
            // Strangers' messages may have none.
            chosen = ids.map_or(Chosen::Oldest(dead.len()), Chosen::Ids);
        }
        Ok((listed(&dead).lines, chosen))
    }

    fn outcome(&self, count: usize, name: &str, what: &str) -> Result<Answer, Failure> {
        let asked = self.messages.iter().collect::<BTreeSet<_>>().len();
        if count < asked {
            let missing = asked - count;
            let text = format!("{count} messages {what}; {missing} aren't dead, or don't say where they came from");
            return Err(Failure::refused("not_found", text));
        }
        Ok(Answer { lines: vec![format!("{count} messages {what}")], json: json!({ name: count }) })
    }
}

fn listed(dead: &[DeadMessage]) -> Answer {
    let rows = dead.iter().map(|dead| {
        [&dead.message_id, &dead.queue, &dead.first_seen, &dead.reason].map(|text| table::shown(text.as_ref()))
    });
    let lines = table::lines(["message", "queue", "first seen", "reason"], rows);
    Answer { lines, json: dead.iter().map(described).collect() }
}

fn shown(dead: &DeadMessage) -> Answer {
    let shown = |text: &Option<String>| table::shown(text.as_ref());
    let lines = table::described([
        ("message", shown(&dead.message_id)),
        ("queue", shown(&dead.queue)),
        ("exchange", shown(&dead.exchange)),
        ("routing key", shown(&dead.routing_key)),
        ("first seen", shown(&dead.first_seen)),
        ("reason", shown(&dead.reason)),
        ("body", String::from_utf8_lossy(&dead.body).into_owned()),
    ]);
    Answer { lines, json: described(dead) }
}

fn described(dead: &DeadMessage) -> Value {
    json!({
        "message_id": dead.message_id,
        "queue": dead.queue,
        "exchange": dead.exchange,
        "routing_key": dead.routing_key,
        "first_seen": dead.first_seen,
        "reason": dead.reason,
        "body": String::from_utf8_lossy(&dead.body),
    })
}

impl From<MessagingError> for Failure {
    fn from(error: MessagingError) -> Self {
        Self::Unchecked(format!("RabbitMQ: {error}"))
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        Self::Unchecked(format!("RabbitMQ: {error}"))
    }
}
