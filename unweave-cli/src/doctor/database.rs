//! PostgreSQL, and what stands in it: clock, cleanups, pauses, the ledger, the key ring; and RabbitMQ.

use std::time::Instant;

use chrono::TimeDelta;
use secrecy::ExposeSecret as _;
use shared_database::{Database, DatabaseError, Migrations};
use shared_messaging::operator::Operator;
use shared_models::{CleanupState, Standing};
use shared_service::clock;
use shared_service::settings::KeyRing;

use super::finding::Finding;
use super::settings::{Settings, in_time};
use crate::postgres;

/// More than this a clock shouldn't be off, for what people read in receipts and logs.
const MOST_OFF: TimeDelta = TimeDelta::seconds(5);
/// An entry of the ledger should be published long before.
const LONGEST_LAG: f64 = 60.0;
/// So many dead messages are counted.
const MOST_DEAD: usize = 1_000;

/// Everything.
pub async fn look(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![broker(settings).await];
    let Some(url) = &settings.database_url else {
        findings.push(Finding::skipped("PostgreSQL", "DATABASE_URL"));
        return findings;
    };
    let server = in_time(shared_database::check(url.clone(), Migrations::MustBeThere)).await;
    let is_well = server.is_ok();
    let advice = "see that DATABASE_URL leads to the primary, and that an api-gateway of this version was started";
    findings.push(Finding::of("PostgreSQL", server, advice));
    if !is_well {
        return findings;
    }
    match postgres::open(url) {
        Ok(database) => {
            findings.push(or_failed("clock", clock_of(&database)).await);
            findings.extend(in_time(cleanups(&database)).await.unwrap_or_else(|why| vec![unread("cleanups", why)]));
            findings.push(or_failed("ledger", lag(&database, settings)).await);
            findings.push(or_failed("key ring", ring(&database, settings)).await);
        }
        Err(failure) => findings.push(unread("PostgreSQL", failure)),
    }
    findings
}

async fn or_failed(what: &'static str, look: impl Future<Output = Result<Finding, DatabaseError>>) -> Finding {
    in_time(look).await.unwrap_or_else(|why| unread(what, why))
}

fn unread(what: &'static str, why: impl ToString) -> Finding {
    Finding::failed(what, why, "see that PostgreSQL answers")
}

async fn broker(settings: &Settings) -> Finding {
    let Some(url) = &settings.amqp_url else { return Finding::skipped("RabbitMQ", "AMQP_URL") };
    let advice = "see that AMQP_URL leads to it, and that its user may declare exchanges and queues";
    if let Err(why) = in_time(shared_messaging::check(url.clone(), "unweave")).await {
        return Finding::failed("RabbitMQ", why, advice);
    }
    let dead = in_time(async { Operator::connect(url).await?.dead(MOST_DEAD).await });
    match dead.await {
        Ok(dead) if dead.is_empty() => {
            Finding::well("RabbitMQ", "it takes our exchanges and queues; no message is dead")
        }
        Ok(dead) => {
            Finding::look("RabbitMQ", format!("{} messages are dead", dead.len()), "unweave dead list says why")
        }
        Err(why) => Finding::failed("RabbitMQ", why, advice),
    }
}

async fn clock_of(database: &Database) -> Result<Finding, DatabaseError> {
    let (asked, before) = (Instant::now(), clock::utc_now());
    let theirs = database.receipts_until_now().await?;
    // Half of the way there and back.
    let ours = before + TimeDelta::from_std(asked.elapsed() / 2).unwrap_or_default();
    let off = theirs - ours;
    let found = format!("PostgreSQL's clock is {} ms off this machine's", off.num_milliseconds());
    Ok(if off.abs() > MOST_OFF {
        Finding::look("clock", found, "let NTP set both: leases don't depend on it, but times in receipts and logs do")
    } else {
        Finding::well("clock", found)
    })
}

async fn cleanups(database: &Database) -> Result<Vec<Finding>, DatabaseError> {
    let stats = database.cleanup_stats().await?;
    let failing = stats.by_standing.get(&Standing::Failing).copied().unwrap_or_default();
    let refused = stats.by_state.get(&CleanupState::Refused).copied().unwrap_or_default();
    let mut findings = Vec::new();
    for (what, count, advice) in [
        ("failing", failing, "unweave cleanups list --status failing says what stopped them"),
        ("overdue", stats.overdue, "unweave cleanups list --overdue; see that cleanup-workers run, and are enough"),
        ("refused", refused, "unweave cleanups list --state refused: their syncs are alive, somebody must look"),
    ] {
        if count > 0 {
            findings.push(Finding::look("cleanups", format!("{count} are {what}"), advice));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::well("cleanups", "none is failing, overdue or refused"));
    }
    let pauses = database.cleanup_pauses().await?;
    if !pauses.is_empty() {
        let found = format!("{} pauses stand: nothing is purged meanwhile", pauses.len());
        findings.push(Finding::look("pauses", found, "unweave cleanups pauses says whose and what for"));
    }
    Ok(findings)
}

async fn lag(database: &Database, settings: &Settings) -> Result<Finding, DatabaseError> {
    let pending = database.ledger_pending(settings.ledger_url.is_some()).await?;
    let (size, oldest) = (pending.size, pending.oldest_seconds);
    Ok(if oldest > LONGEST_LAG {
        let found = format!("an entry has waited for {oldest:.0} s to be published");
        let advice = "see that a cleanup-worker runs, and what its log says of the ledger store";
        Finding::look("ledger", found, advice)
    } else {
        Finding::well("ledger", format!("{size} entries; none waits for long"))
    })
}

async fn ring(database: &Database, settings: &Settings) -> Result<Finding, DatabaseError> {
    let Some(keys) = &settings.credentials_keys else { return Ok(Finding::skipped("key ring", "CREDENTIALS_KEYS")) };
    let Ok(ring) = keys.expose_secret().parse::<KeyRing>() else {
        return Ok(Finding::failed("key ring", "CREDENTIALS_KEYS can't be read", "id:base64-of-32-bytes[,id2:…]"));
    };
    let ids: Vec<String> = ring.secrets().map(|(id, _)| id).collect();
    let used = database.ring_use().await?;
    let missing: Vec<&str> =
        used.iter().map(|used| used.key_id.as_str()).filter(|id| !ids.iter().any(|known| known == id)).collect();
    Ok(if missing.is_empty() {
        Finding::well("key ring", format!("it has every key that rows need, of {}", ids.len()))
    } else {
        let found = format!("rows need keys that it lacks: {}", missing.join(", "));
        Finding::failed("key ring", found, "put them back into CREDENTIALS_KEYS: what they encrypt can't be read")
    })
}
