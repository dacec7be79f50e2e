//! Vespa, the ARF store and the ledger store; and how full their disks are.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use shared_ledger::{Standing, Watch};
use shared_service::clock;
use shared_service::settings::http_url;
use shared_stores::{ArfStore, LedgerStore, VespaClient};
use url::Url;

use super::finding::Finding;
use super::settings::{Settings, TIMEOUT, in_time, store_url};
use crate::postgres;

const READABLE: &str = "see that PostgreSQL answers, that LEDGER_URL names the store, and that the environment's keys may \
                        list and read there";

/// Less than this part of a disk should never be free.
const LEAST_FREE: u64 = 10;

/// Everything.
pub async fn look(settings: &Settings) -> Vec<Finding> {
    let (index, arf, ledger) = tokio::join!(index(settings), arf(settings), ledger(settings));
    let mut findings = vec![index];
    findings.extend(arf);
    findings.extend(ledger);
    findings
}

async fn index(settings: &Settings) -> Finding {
    let Some(url) = &settings.vespa_url else { return Finding::skipped("Vespa", "VESPA_URL") };
    let checked = in_time(async {
        let url = http_url(url.expose_secret()).map_err(|error| format!("VESPA_URL: {error}"))?;
        let vespa = VespaClient::new(&url).map_err(|error| error.to_string())?;
        vespa.check_application(TIMEOUT).await.map_err(|error| error.to_string())
    });
    let found = checked.await.map(|()| "it has our schemas and rank profiles".to_owned());
    Finding::of("Vespa", found, "see that VESPA_URL leads to it, and deploy deploy/vespa of this version")
}

async fn arf(settings: &Settings) -> Vec<Finding> {
    let Some(given) = &settings.arf_url else { return vec![Finding::skipped("ARF store", "ARF_URL")] };
    let checked = in_time(async {
        let url = store_url("ARF_URL", given)?;
        let store = ArfStore::open_existing(&url).map_err(|error| error.to_string())?;
        store.check_access(clock::utc_now(), TIMEOUT).await.map_err(|error| error.to_string())
    });
    let found = checked.await.map(|()| "a blob was written, read and removed".to_owned());
    let advice = "see that ARF_URL names it, and that the environment's keys may list, read, write and remove there";
    with_disk(Finding::of("ARF store", found, advice), "ARF store", "ARF_URL", given)
}

async fn ledger(settings: &Settings) -> Vec<Finding> {
    let Some(given) = &settings.ledger_url else {
        let advice = "set LEDGER_URL: without it a restore that brings deleted data back isn't noticed";
        return vec![Finding::look("ledger store", "LEDGER_URL is not set", advice)];
    };
    let store = store_url("LEDGER_URL", given)
        .and_then(|url| LedgerStore::open_to_read(&url).map_err(|error| error.to_string()));
    let finding = match store {
        Ok(store) => standing(settings, store).await,
        Err(why) => Finding::failed("ledger store", why, READABLE),
    };
    with_disk(finding, "ledger store", "LEDGER_URL", given)
}

/// How PostgreSQL's ledger stands to the store's.
async fn standing(settings: &Settings, store: LedgerStore) -> Finding {
    let (Some(database), Some(origin)) = (&settings.database_url, &settings.ledger_origin) else {
        return Finding::skipped("ledger store", "DATABASE_URL or LEDGER_ORIGIN");
    };
    let looked = in_time(async {
        let database = postgres::open(database).map_err(|failure| failure.to_string())?;
        Watch::new(database, store, origin.clone(), false).look().await.map_err(|error| error.to_string())
    });
    let what = "ledger store";
    match looked.await {
        Ok(Standing::InOrder { store, database }) => match store.strange {
            None => {
                Finding::well(what, format!("it has {} of {database} entries, and nothing contradicts", store.written))
            }
            Some(strange) => {
                let advice = "the next publication repairs it; find out who wrote it";
                Finding::look(what, format!("its checkpoint isn't this ledger's: {}", strange.why()), advice)
            }
        },
        Ok(Standing::Behind { store, database }) => {
            let found = format!("PostgreSQL has lost history: {database} entries, and the store {}", store.written);
            Finding::failed(what, found, "unweave ledger recover --dry-run says what would be put back")
        }
        Ok(Standing::Fork { store, database, .. }) => {
            let found =
                format!("the store's ledger of {store} entries and PostgreSQL's of {database} contradict each other");
            Finding::failed(
                what,
                found,
                "another installation publishes there, or somebody altered one: docs/operations.md",
            )
        }
        Ok(Standing::Foreign(why)) => {
            Finding::failed(what, why, "give this installation a ledger store of its own: LEDGER_URL, LEDGER_ORIGIN")
        }
        Err(why) => Finding::failed(what, why, READABLE),
    }
}

/// A folder's disk is looked at, too.
fn with_disk(finding: Finding, what: &'static str, setting: &'static str, given: &SecretString) -> Vec<Finding> {
    let folder = store_url(setting, given).ok().filter(|url: &Url| url.scheme() == "file");
    let folder = folder.and_then(|url| url.to_file_path().ok());
    let disk = folder.and_then(|folder| disk(what, &folder));
    std::iter::once(finding).chain(disk).collect()
}

fn disk(what: &'static str, folder: &Path) -> Option<Finding> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    let free = disk.f_bavail.saturating_mul(100).checked_div(disk.f_blocks)?;
    let gib = disk.f_bavail.saturating_mul(disk.f_frsize) >> 30;
    let found = format!("{free} % of its disk are free, {gib} GiB");
    Some(if free < LEAST_FREE {
        Finding::look(what, found, "make room: a full disk stops syncs, and a ledger that can't be published")
    } else {
        Finding::well(what, found)
    })
}
