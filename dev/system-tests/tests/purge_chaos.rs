//! Purges while everything goes wrong: faults of Vespa, killed and frozen workers, late writes, and leftovers of every
//! kind that a purge has ever been trapped by. What becomes of them is judged by eyes that share nothing with our own
//! code: they read the stand-in's file and walk the blob folder.
//!
//! `make chaos-purge PURGES=1000 SEED=7` is the long form, in which each fault also happens alone.

use std::time::{Duration, Instant};

use system_tests::System;
use uuid::Uuid;

mod bystanders;
mod crew;
mod dice;
mod documents;
mod eyes;
mod faults;
mod late;
mod report;
mod victim;
mod watch;

use crew::Crew;
use dice::Dice;
use eyes::Eyes;
use faults::Plan;
use late::LateWrites;
use report::Report;
use victim::Victim;
use watch::Watch;

/// As many as take less than a minute.
const PURGES: usize = 16;
const SEED: u64 = 10;
/// Purges at the same time.
const WAVE: usize = 8;
const LONG_WAVE: usize = 25;
const BOUND: Duration = Duration::from_mins(2);
/// So long a cleanup waits between its verifications. Late writes, and lies of Vespa, are over sooner.
const SETTLE: Duration = Duration::from_secs(2);

const SETTINGS: [(&str, &str); 7] = [
    ("SETTLE_DELAY", "2s"),
    ("CLAIM_TTL", "2s"),
    ("CLAIM_RENEWAL", "500ms"),
    ("CLEANUP_POLL_INTERVAL", "200ms"),
    ("PURGE_SLICE", "200ms"),
    ("RETRY_BASE_DELAY", "50ms"),
    ("RETRY_MAX_DELAY", "400ms"),
];

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn del_4_and_7_no_receipt_for_a_store_with_leftovers_and_nothing_foreign_touched() {
    let purges = usize::try_from(number("PURGES", PURGES.try_into().unwrap())).unwrap();
    let mut dice = Dice::new(number("SEED", SEED));
    let size = if purges > PURGES { LONG_WAVE } else { WAVE };
    let system = System::for_bench(&SETTINGS).await;
    faults::expect(&system.expects);
    let eyes = Eyes::new(&system);
    let plans = Plan::of_waves(purges.div_ceil(size), &mut dice);
    let mut report = Report::default();
    let mut syncs = Vec::new();
    for (wave, plan) in plans.into_iter().enumerate() {
        let victims = size.min(purges - wave * size);
        syncs.extend(run(&system, &eyes, &plan, victims, &mut dice, &mut report, &syncs).await);
    }
    report.print();
    report.assert_clean(purges);
}

/// One wave: some syncs are purged at the same time, under one plan. Returns them.
async fn run(
    system: &System,
    eyes: &Eyes,
    plan: &Plan,
    victims: usize,
    dice: &mut Dice,
    report: &mut Report,
    before: &[Uuid],
) -> Vec<Uuid> {
    let began = Instant::now();
    let victims: Vec<Victim> = (0..victims).map(|_| Victim::new(dice)).collect();
    let syncs: Vec<Uuid> = victims.iter().map(|victim| victim.sync).collect();
    let gone = [before, &syncs].concat();
    for victim in &victims {
        documents::put_all(&system.vespa.url, victim.documents()).await;
        documents::put_all(&system.vespa.url, bystanders::documents(victim, dice)).await;
        bystanders::blobs(&system.arf(), victim);
        victim.write_blobs(&system.arf(), dice);
    }
    let held = eyes.foreign(&gone);
    report.documents += syncs.iter().map(|sync| eyes.held(*sync).documents.len()).sum::<usize>();
    plan.begin(&system.vespa.url).await;

    let mut crew = Crew::start(system, plan).await;
    let watch = Watch::start(system, eyes.clone());
    let late = LateWrites::start(system, &victims, dice);
    for sync in &syncs {
        system.request_cleanup(*sync).await;
    }
    let (mut lie, mut quiet) = (plan.lie(), dice.below(10));
    loop {
        let open = system.count(&open_of(&syncs)).await;
        if open == 0 {
            break;
        }
        assert!(began.elapsed() < BOUND, "{open} purges of this wave aren't done ({})\n{}", plan.name(), crew.tails());
        // Never to a verification that counts: it alone sees late writes, and nobody could see through that.
        if quiet == 0
            && lie.is_some()
            && system.count(&settling_of(&syncs)).await == 0
            && let Some(lie) = lie.take()
        {
            report.fired(lie.tell(&system.vespa.url).await);
        }
        quiet = quiet.saturating_sub(1);
        crew.disturb(dice).await;
    }
    let late = late.stop().await;
    let receipts = watch.stop(&syncs).await;
    report.fired(plan.end(&system.vespa.url).await);
    crew.end(report);
    report.wave(&plan.name(), receipts, late, began.elapsed());
    report.left(syncs.iter().map(|sync| (*sync, eyes.held(*sync))));
    report.foreign(held, eyes.foreign(&gone));
    report.walks(&system.vespa.url).await;
    syncs
}

fn open_of(syncs: &[Uuid]) -> String {
    cleanups_of(syncs, "state <> 'done'")
}

fn settling_of(syncs: &[Uuid]) -> String {
    cleanups_of(syncs, "state = 'settling'")
}

fn cleanups_of(syncs: &[Uuid], condition: &str) -> String {
    let syncs: Vec<String> = syncs.iter().map(Uuid::to_string).collect();
    format!("cleanup WHERE {condition} AND sync_id::text = ANY ('{{{}}}')", syncs.join(","))
}
