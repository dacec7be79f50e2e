//! DEL-2 at the risky places, and as a model.

use proptest::prelude::*;

use super::*;

const TIMES: LeaseTimes =
    LeaseTimes { ttl: ms(10_000), renewal: ms(3_000), store_timeout: ms(3_000), open_write_bound: ms(7_000) };

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A lease whose claim was sent at 100 s.
fn lease() -> LeaseState {
    LeaseState::new(TIMES, at(0))
}

const fn at(millis: u64) -> Duration {
    Duration::from_millis(100_000 + millis)
}

fn start(lease: &mut LeaseState, now: Duration) -> u64 {
    lease.start(now, WriteKind::Remote).unwrap().0
}

#[test]
fn a_write_starts_only_with_more_than_the_store_timeout_left() {
    let cases = [
        (0, Ok(())),
        (6_999, Ok(())),
        (7_000, Err(StartRefused::TooLittleLeft)),
        (9_999, Err(StartRefused::TooLittleLeft)),
        (10_000, Err(StartRefused::Ended(Stop::Expired))),
        (3_600_000, Err(StartRefused::Ended(Stop::Expired))),
    ];
    for (now, expected) in cases {
        assert_eq!(lease().start(at(now), WriteKind::Remote).map(drop), expected, "at {now} ms");
    }
}

#[test]
fn a_deadline_is_absolute() {
    let (_, deadline) = lease().start(at(500), WriteKind::Remote).unwrap();
    assert_eq!(deadline, at(3_500));
}

#[test]
fn a_renewal_counts_from_before_it_was_sent() {
    let mut lease = lease();
    lease.renewed(at(4_900), at(3_000));
    assert_eq!(lease.ends_at(), at(13_000));
    assert_eq!(lease.start(at(10_000), WriteKind::Remote), Err(StartRefused::TooLittleLeft));
}

#[test]
fn an_older_renewal_answered_late_shortens_nothing() {
    let mut lease = lease();
    lease.renewed(at(6_100), at(6_000));
    lease.renewed(at(6_200), at(3_000));
    assert_eq!(lease.ends_at(), at(16_000));
}

#[test]
fn a_lease_that_ran_out_is_never_renewed() {
    let mut lease = lease();
    lease.renewed(at(10_100), at(10_000));
    assert_eq!(lease.start(at(10_200), WriteKind::Remote), Err(StartRefused::Ended(Stop::Expired)));
}

#[test]
fn a_refused_lease_is_never_renewed() {
    let mut lease = lease();
    lease.stop(at(3_000), Stop::Refused);
    lease.renewed(at(3_100), at(2_900));
    assert_eq!(lease.ends_at(), at(10_000));
    assert_eq!(lease.start(at(3_200), WriteKind::Remote), Err(StartRefused::Ended(Stop::Refused)));
}

#[test]
fn a_stop_lets_open_writes_end_and_starts_none() {
    let mut lease = lease();
    let (first, second) = (start(&mut lease, at(100)), start(&mut lease, at(200)));
    lease.stop(at(300), Stop::Cancelled);
    lease.stop(at(310), Stop::Shutdown);
    assert_eq!(lease.start(at(320), WriteKind::Remote), Err(StartRefused::Ended(Stop::Cancelled)));
    assert_eq!(lease.open_writes(at(320)), 2);
    lease.answered(at(400), first);
    assert_eq!(lease.open_writes(at(400)), 1);
    lease.answered(at(450), second);
    assert_eq!(lease.open_writes(at(450)), 0);
    assert!(!lease.has_ended_late());
}

#[test]
fn a_ticket_dropped_unanswered_stays_open_for_its_bound() {
    let mut lease = lease();
    let write = start(&mut lease, at(0));
    lease.let_go(at(3_000), write);
    assert_eq!(lease.open_writes(at(6_999)), 1);
    assert_eq!(lease.next_closing(), Some(at(7_000)));
    assert_eq!(lease.open_writes(at(7_000)), 0);
    assert_eq!(lease.next_closing(), None);
}

#[test]
fn a_held_ticket_counts_as_open_no_longer_than_its_bound() {
    let mut lease = lease();
    start(&mut lease, at(0));
    assert_eq!(lease.open_writes(at(6_999)), 1);
    assert_eq!(lease.open_writes(at(7_000)), 0);
}

#[test]
fn a_blocking_write_is_open_until_it_has_returned() {
    let mut lease = lease();
    let (write, _) = lease.start(at(0), WriteKind::Blocking).unwrap();
    assert_eq!(lease.next_closing(), None);
    assert_eq!(lease.open_writes(at(60_000)), 1);
    lease.let_go(at(60_001), write);
    assert_eq!(lease.open_writes(at(60_001)), 0);
    assert!(lease.has_ended_late());
}

#[test]
fn a_machine_that_slept_has_lost_its_lease_and_knows_of_its_late_write() {
    let mut lease = lease();
    let write = start(&mut lease, at(6_000));
    let woken = at(3_600_000);
    assert_eq!(lease.start(woken, WriteKind::Remote), Err(StartRefused::Ended(Stop::Expired)));
    lease.answered(woken, write);
    assert_eq!(lease.open_writes(woken), 0);
    assert!(lease.has_ended_late());
}

#[test]
fn a_machine_that_slept_without_an_open_write_has_nothing_to_reopen() {
    let mut lease = lease();
    let write = start(&mut lease, at(6_000));
    lease.answered(at(6_100), write);
    lease.observe(at(3_600_000));
    assert_eq!(lease.stopped().map(|(stop, _)| stop), Some(Stop::Expired));
    assert!(!lease.has_ended_late());
}

#[test]
fn an_answer_after_the_leases_end_is_late_even_if_the_job_was_stopped_before() {
    let mut lease = lease();
    let write = start(&mut lease, at(6_900));
    lease.stop(at(6_950), Stop::Cancelled);
    lease.answered(at(10_001), write);
    assert!(lease.has_ended_late());
}

#[test]
fn a_write_let_go_of_in_time_is_late_only_if_the_machine_slept_over_its_bound() {
    for (looked_at, is_late) in [(10_000, false), (12_899, false), (12_900, true), (3_600_000, true)] {
        let mut lease = lease();
        let write = start(&mut lease, at(5_900));
        lease.let_go(at(8_900), write);
        lease.observe(at(looked_at));
        lease.observe(at(3_700_000));
        assert_eq!(lease.has_ended_late(), is_late, "looked at {looked_at} ms");
    }
}

/// What may happen to a lease, in any order.
#[derive(Debug, Clone)]
enum Event {
    Pass {
        millis: u64,
    },
    SendRenewal,
    /// PostgreSQL executes the oldest renewal that is under way, and the worker hears of it, or doesn't.
    Grant {
        is_heard: bool,
    },
    Refuse,
    Start {
        kind: WriteKind,
    },
    Answer {
        which: usize,
    },
    LetGo {
        which: usize,
    },
    Cancel,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..4_000_u64).prop_map(|millis| Event::Pass { millis }),
        1 => (8_000..100_000_u64).prop_map(|millis| Event::Pass { millis }),
        4 => Just(Event::SendRenewal),
        4 => any::<bool>().prop_map(|is_heard| Event::Grant { is_heard }),
        1 => Just(Event::Refuse),
        6 => prop_oneof![3 => Just(WriteKind::Remote), 1 => Just(WriteKind::Blocking)]
            .prop_map(|kind| Event::Start { kind }),
        3 => any::<usize>().prop_map(|which| Event::Answer { which }),
        2 => any::<usize>().prop_map(|which| Event::LetGo { which }),
        1 => Just(Event::Cancel),
    ]
}

/// The truth that the lease must never overstep: what PostgreSQL's row says, on the same clock.
struct World {
    now: Duration,
    row_ends_at: Duration,
    is_stopped: bool,
    renewals: Vec<Duration>,
    held: Vec<(u64, Duration, WriteKind)>,
    let_go: Vec<(Duration, WriteKind)>,
}

impl World {
    fn is_open(&self, (started_at, kind): (Duration, WriteKind), is_held: bool) -> bool {
        match kind {
            WriteKind::Remote => self.now < started_at + TIMES.open_write_bound,
            WriteKind::Blocking => is_held,
        }
    }

    fn open_writes(&self) -> usize {
        let held = self.held.iter().filter(|(_, started_at, kind)| self.is_open((*started_at, *kind), true)).count();
        held + self.let_go.iter().filter(|write| self.is_open(**write, false)).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// DEL-2: whatever the interleaving, no write starts with the store timeout or less left of the row's lease, none
    /// after a stop, and a write counts as open exactly as long as it may be.
    #[test]
    fn no_write_starts_that_could_outlive_the_lease(events in proptest::collection::vec(event(), 1..80)) {
        let mut lease = lease();
        let mut world = World {
            now: at(0),
            row_ends_at: at(0) + TIMES.ttl,
            is_stopped: false,
            renewals: Vec::new(),
            held: Vec::new(),
            let_go: Vec::new(),
        };
        for event in events {
            match event {
                Event::Pass { millis } => world.now += ms(millis),
                Event::SendRenewal => world.renewals.push(world.now),
                Event::Grant { is_heard } if !world.renewals.is_empty() => {
                    let sent_at = world.renewals.remove(0);
                    if !world.is_stopped {
                        // Executed at some moment since it was sent: the earliest is the strictest.
                        world.row_ends_at = world.row_ends_at.max(sent_at + TIMES.ttl);
                    }
                    if is_heard {
                        lease.renewed(world.now, sent_at);
                    }
                }
                Event::Grant { .. } => {}
                Event::Refuse => {
                    world.is_stopped = true;
                    lease.stop(world.now, Stop::Refused);
                }
                Event::Cancel => {
                    world.is_stopped = true;
                    lease.stop(world.now, Stop::Cancelled);
                }
                Event::Start { kind } => match lease.start(world.now, kind) {
                    Ok((id, deadline)) => {
                        prop_assert!(!world.is_stopped, "started after a stop");
                        prop_assert!(world.now + TIMES.store_timeout < world.row_ends_at, "could outlive the lease");
                        prop_assert!(deadline < world.row_ends_at);
                        world.held.push((id, world.now, kind));
                    }
                    Err(StartRefused::Ended(_)) => world.is_stopped = true,
                    Err(StartRefused::TooLittleLeft) => prop_assert!(!world.is_stopped),
                },
                Event::Answer { which } if !world.held.is_empty() => {
                    let (id, ..) = world.held.remove(which % world.held.len());
                    lease.answered(world.now, id);
                }
                Event::LetGo { which } if !world.held.is_empty() => {
                    let (id, started_at, kind) = world.held.remove(which % world.held.len());
                    lease.let_go(world.now, id);
                    world.let_go.push((started_at, kind));
                }
                Event::Answer { .. } | Event::LetGo { .. } => {}
            }
            prop_assert_eq!(lease.open_writes(world.now), world.open_writes());
        }
    }
}
