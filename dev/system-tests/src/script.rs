//! A pgbench script that does in plain SQL what a gateway did: made from the round trips of two requests of one kind,
//! so that it can't drift from the gateway's statements.
//!
//! What differs between the two requests is what a script must vary: ids.
//! Each becomes a text made from the number `:n` of the script's run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::BytesMut;
use regex::{Captures, Regex};
use test_support::{Asked, Prepared, RoundTrip};
use tokio_postgres::Client;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use crate::copies::{CONNECTION, MIDDLE, SYNC};

const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
/// What the pool asks of an idle session is no part of a request's work.
const POOL_CHECKS: [&str; 2] = ["SELECT 1", "SELECT $1"];

/// One request that was recorded.
#[derive(Debug)]
pub struct Recorded {
    /// Its round trips.
    pub trips: Vec<RoundTrip>,
    /// The connection that it was about.
    pub connection: String,
    /// That connection's sync.
    pub sync: String,
}

/// The script, and how many statements it has.
pub async fn from_two(client: &Client, one: &Recorded, other: &Recorded) -> (String, usize) {
    let (statements, others) = (statements(one), statements(other));
    assert_eq!(statements.len(), others.len(), "two requests of one kind ask the same");
    let known = [(one.connection.clone(), CONNECTION.to_owned()), (one.sync.clone(), SYNC.to_owned())];
    let mut ids = Ids(known.into());
    let placeholder = Regex::new(r"\$(\d+)").unwrap();
    // -D gives the first number and how many each client takes.
    let mut script = "\\set i :i + 1\n\\set n :first + :client_id * :each + :i - 1\n".to_owned();
    for ((statement, parameters), (other, other_parameters)) in statements.iter().zip(&others) {
        assert_eq!(statement, other, "two requests of one kind ask the same");
        let text = &statement.text;
        let told: Vec<Type> =
            statement.types.iter().map(|number| Type::from_oid(*number).unwrap_or(Type::UNKNOWN)).collect();
        let types = client.prepare_typed(text, &told).await.unwrap().params().to_vec();
        let mut values = Vec::new();
        for ((parameter, other), kind) in parameters.iter().zip(other_parameters).zip(&types) {
            let (parameter, other) = (shown(client, parameter, kind).await, shown(client, other, kind).await);
            values.push(format!("({}::{})", ids.literal(parameter.as_deref(), other.as_deref()), sql_name(kind)));
        }
        let value = |found: &Captures<'_>| values[found[1].parse::<usize>().unwrap() - 1].clone();
        writeln!(script, "{};", placeholder.replace_all(text, value)).unwrap();
    }
    (script, statements.len())
}

type Statement = (Prepared, Vec<Option<Vec<u8>>>);

/// What was run, in order. How it was prepared is pgbench's own affair.
fn statements(recorded: &Recorded) -> Vec<Statement> {
    let asked = recorded.trips.iter().flat_map(|trip| trip.asked.clone());
    let run = asked.filter_map(|asked| match asked {
        Asked::Run(statement, parameters) => Some((statement, parameters)),
        Asked::Query(text) => Some((Prepared { text, types: Vec::new() }, Vec::new())),
        Asked::Prepare(_) | Asked::Forget(_) => None,
        Asked::Open | Asked::Other(_) => panic!("a warm gateway opens no session: {recorded:?}"),
    });
    run.filter(|(statement, _)| !POOL_CHECKS.contains(&statement.text.trim())).collect()
}

/// The ids that a script must vary, each with its first eight digits.
struct Ids(BTreeMap<String, String>);

impl Ids {
    /// A parameter of the first request as SQL. It must differ from the second one's in ids alone.
    fn literal(&mut self, value: Option<&str>, other: Option<&str>) -> String {
        let (Some(value), Some(other)) = (value, other) else {
            assert_eq!(value, other, "a parameter that is NULL in one request alone");
            return "NULL".to_owned();
        };
        let uuid = Regex::new(UUID).unwrap();
        let without_ids = |text: &str| uuid.replace_all(text, "").into_owned();
        assert_eq!(without_ids(value), without_ids(other), "a parameter that changes, and not by its ids alone");
        let mut parts = Vec::new();
        let mut end = 0;
        for (mine, theirs) in uuid.find_iter(value).zip(uuid.find_iter(other)) {
            if mine.as_str() == theirs.as_str() {
                continue;
            }
            parts.push(quoted(&value[end..mine.start()]));
            parts.push(format!("'{}{MIDDLE}' || lpad(:n::text, 12, '0')", self.prefix(mine.as_str())));
            end = mine.end();
        }
        parts.push(quoted(&value[end..]));
        parts.retain(|part| part != "''");
        if parts.is_empty() { "''".to_owned() } else { format!("({})", parts.join(" || ")) }
    }

    fn prefix(&mut self, id: &str) -> String {
        let next = format!("{:08x}", self.0.len());
        self.0.entry(id.to_owned()).or_insert(next).clone()
    }
}

/// A text in quotes; pgbench would take a colon before a word for a variable of its own.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''").replace(':', "' || ':' || '"))
}

/// The type's name in SQL.
fn sql_name(kind: &Type) -> String {
    format!("{}.\"{}\"", kind.schema(), kind.name())
}

/// A parameter as PostgreSQL shows it.
async fn shown(client: &Client, parameter: &Option<Vec<u8>>, kind: &Type) -> Option<String> {
    let parameter = parameter.clone()?;
    let question = format!("SELECT ($1::{})::text", sql_name(kind));
    let answer = client.query_one(&question, &[&Sent(parameter)]).await;
    Some(answer.unwrap_or_else(|error| panic!("{question}: {error:?}")).get(0))
}

/// A parameter as it was sent.
#[derive(Debug)]
struct Sent(Vec<u8>);

impl ToSql for Sent {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Binary
    }

    to_sql_checked!();
}
