//! The machine against a table of transitions, and against model stores that answer in any order and any mood.

use proptest::prelude::*;

use shared_models::Round;

use super::*;

const BOTH: [PurgeTarget; 2] = [PurgeTarget::Vespa, PurgeTarget::Arf];

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap()
}

fn machine(state: CleanupState) -> Machine {
    Machine::new(state, BOTH.to_vec(), TargetsProgress::new())
}

fn files(count: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([("file_entity".to_owned(), count)])
}

fn sliced(target: PurgeTarget, removed: u64, end: SliceEnd) -> Observed {
    let removed = if removed == 0 { BTreeMap::new() } else { files(removed) };
    Observed::Sliced(target, Sliced { removed, next_slot: 0, end })
}

fn empty(target: PurgeTarget, at: DateTime<Utc>) -> Observed {
    Observed::Empty(target, target.verification(), at)
}

#[test]
fn removals_that_do_not_stay_are_an_error_from_claim_to_claim() {
    let target = PurgeTarget::Arf;
    let mut progress = TargetsProgress::new();
    // Each look and each purge is a claim of its own.
    let mut next = |observed: Observed| {
        let mut machine = Machine::new(CleanupState::Purging, BOTH.to_vec(), progress.clone());
        let outcome = machine.observe(observed);
        progress = machine.progress().clone();
        outcome
    };
    let mut round = |count| {
        let looked = next(Observed::Holds(target, Some(count)));
        next(sliced(target, count, SliceEnd::Exhausted)).unwrap();
        looked
    };
    // What comes late may be more than what there was.
    for count in [5, 9, 9, 4, 4, 4] {
        assert_eq!(round(count), Ok(()), "{count}");
    }
    assert_eq!(round(4), Err(NoHeadway(target)));
    assert_eq!(round(4), Err(NoHeadway(target)), "and again, so that the pauses grow");
    assert_eq!(round(3), Ok(()));
    let mut machine = Machine::new(CleanupState::Purging, BOTH.to_vec(), progress);
    machine.observe(empty(target, at(1))).unwrap();
    assert_eq!(machine.of(target).round, Round::default());
}

#[test]
fn each_state_and_observation_leads_to_its_step() {
    use CleanupState as S;
    use PurgeTarget::{Arf, Vespa};
    let holds = |count| Observed::Holds(Vespa, count);
    let table: Vec<(&str, CleanupState, Vec<Observed>, Step)> = vec![
        ("scheduled looks first", S::Scheduled, vec![], Step::Look(Vespa)),
        ("purging looks first", S::Purging, vec![], Step::Look(Vespa)),
        ("settling looks first", S::Settling, vec![], Step::Look(Vespa)),
        ("done is closed", S::Done, vec![], Step::Nothing),
        ("refused is closed", S::Refused, vec![], Step::Nothing),
        ("what is held is purged", S::Purging, vec![holds(Some(3))], Step::Purge(Vespa)),
        ("what wasn't counted is counted first", S::Purging, vec![holds(None)], Step::Count(Vespa)),
        ("and then purged", S::Purging, vec![holds(None), Observed::Counted(Vespa, 9)], Step::Purge(Vespa)),
        ("one empty, the other next", S::Purging, vec![empty(Vespa, at(1))], Step::Look(Arf)),
        ("both empty settle", S::Purging, BOTH.map(|target| empty(target, at(1))).to_vec(), Step::Settle),
        (
            "time over goes on",
            S::Purging,
            vec![holds(Some(3)), sliced(Vespa, 2, SliceEnd::TimeOver)],
            Step::Purge(Vespa),
        ),
        (
            "held back goes on",
            S::Purging,
            vec![holds(Some(3)), sliced(Vespa, 0, SliceEnd::HeldBack)],
            Step::Purge(Vespa),
        ),
        (
            "exhausted is verified, not believed",
            S::Purging,
            vec![holds(Some(3)), sliced(Vespa, 3, SliceEnd::Exhausted)],
            Step::Look(Vespa),
        ),
        (
            "there again is purged again",
            S::Purging,
            vec![holds(Some(3)), sliced(Vespa, 3, SliceEnd::Exhausted), holds(Some(1))],
            Step::Purge(Vespa),
        ),
        ("settled and both empty finish", S::Settling, BOTH.map(|t| empty(t, at(1))).to_vec(), Step::Finish),
        ("one empty doesn't finish", S::Settling, vec![empty(Vespa, at(1))], Step::Look(Arf)),
        (
            "there again while settling is purged",
            S::Settling,
            vec![empty(Vespa, at(1)), Observed::Holds(Arf, Some(1))],
            Step::Purge(Arf),
        ),
    ];
    for (name, state, observations, step) in table {
        let mut machine = machine(state);
        for observed in observations {
            machine.observe(observed).unwrap();
        }
        assert_eq!(machine.next(), step, "{name}");
    }
}

#[test]
fn where_one_target_fails_the_other_ones_turn_comes_and_then_the_claim_is_given_back() {
    use PurgeTarget::{Arf, Vespa};
    let mut machine = machine(CleanupState::Purging);
    for target in BOTH {
        machine.observe(Observed::Holds(target, Some(5))).unwrap();
    }
    machine.fail(Vespa);
    assert_eq!(machine.next(), Step::Purge(Arf));
    let mut both = machine.clone();
    both.fail(Arf);
    assert_eq!((both.next(), both.next().work()), (Step::GiveBack, CleanupWork::Purge));
    machine.observe(sliced(Arf, 5, SliceEnd::Exhausted)).unwrap();
    assert_eq!(machine.next(), Step::GiveBack, "nothing is verified before both are through");
    let next = Machine::new(CleanupState::Purging, BOTH.to_vec(), machine.progress().clone());
    assert_eq!(next.next(), Step::Purge(Vespa), "the next claim tries again");
}

#[test]
fn removals_are_no_headway_where_round_after_round_finds_no_less() {
    let target = PurgeTarget::Arf;
    let mut progress = TargetsProgress::new();
    let mut headway = Vec::new();
    for count in [5, 5, 5, 5, 5, 4] {
        let mut machine = Machine::new(CleanupState::Purging, BOTH.to_vec(), progress);
        let _stuck = machine.observe(Observed::Holds(target, Some(count)));
        assert!(!machine.is_headway(target, 0));
        headway.push(machine.is_headway(target, count));
        machine.observe(sliced(target, count, SliceEnd::Exhausted)).unwrap();
        assert_eq!(headway.last(), Some(&machine.is_headway(target, count)), "whether asked before or after");
        progress = machine.progress().clone();
    }
    assert_eq!(headway, [true, true, true, false, false, true]);
}

#[test]
fn a_look_asks_what_it_does_not_know_yet() {
    let mut machine = machine(CleanupState::Purging);
    assert_eq!(machine.to_look_at(), BOTH);
    machine.observe(Observed::Holds(PurgeTarget::Vespa, Some(5))).unwrap();
    assert_eq!(machine.to_look_at(), [PurgeTarget::Arf], "what an open round holds is known");
    machine.observe(empty(PurgeTarget::Arf, at(1))).unwrap();
    assert_eq!(machine.to_look_at(), []);
    assert_eq!(machine.next().work(), CleanupWork::Purge);
}

#[test]
fn a_round_counts_what_it_found_once() {
    let mut machine = machine(CleanupState::Purging);
    machine.observe(Observed::Holds(PurgeTarget::Vespa, Some(5))).unwrap();
    machine.observe(sliced(PurgeTarget::Vespa, 2, SliceEnd::TimeOver)).unwrap();
    // Another worker goes on from the stored progress.
    let mut next = Machine::new(CleanupState::Purging, BOTH.to_vec(), machine.progress().clone());
    assert_eq!(next.next(), Step::Purge(PurgeTarget::Vespa));
    next.observe(sliced(PurgeTarget::Vespa, 3, SliceEnd::Exhausted)).unwrap();
    next.observe(empty(PurgeTarget::Vespa, at(9))).unwrap();
    let known = next.of(PurgeTarget::Vespa);
    assert_eq!((known.found, known.removed, known.rounds), (5, 5, 1));
    assert_eq!((known.removed_by_type, known.verified_empty_at), (files(5), Some(at(9))));
}

#[test]
fn the_slots_that_are_empty_are_known_to_the_next_holder_and_not_to_the_next_round() {
    let mut machine = machine(CleanupState::Purging);
    machine.observe(Observed::Holds(PurgeTarget::Vespa, Some(50_000))).unwrap();
    let slice = Sliced { removed: files(9_000), next_slot: 6_000, end: SliceEnd::TimeOver };
    machine.observe(Observed::Sliced(PurgeTarget::Vespa, slice)).unwrap();
    let next = Machine::new(CleanupState::Purging, BOTH.to_vec(), machine.progress().clone());
    let round = next.of(PurgeTarget::Vespa).round;
    assert_eq!((round.next_slot, round.found), (6_000, 50_000));
    machine.observe(sliced(PurgeTarget::Vespa, 41_000, SliceEnd::Exhausted)).unwrap();
    machine.observe(Observed::Holds(PurgeTarget::Vespa, Some(7))).unwrap();
    let round = machine.of(PurgeTarget::Vespa).round;
    assert_eq!((round.next_slot, round.found), (0, 7));
}

#[test]
fn a_round_in_vain_is_an_error_and_counts_nothing_twice() {
    let mut machine = machine(CleanupState::Purging);
    machine.observe(Observed::Holds(PurgeTarget::Vespa, Some(5))).unwrap();
    machine.observe(sliced(PurgeTarget::Vespa, 0, SliceEnd::Exhausted)).unwrap();
    // The look is another claim's.
    let mut next = Machine::new(CleanupState::Purging, BOTH.to_vec(), machine.progress().clone());
    let vain = next.observe(Observed::Holds(PurgeTarget::Vespa, Some(5)));
    assert_eq!(vain, Err(NoHeadway(PurgeTarget::Vespa)));
    assert_eq!((next.of(PurgeTarget::Vespa).found, next.next()), (5, Step::Purge(PurgeTarget::Vespa)));
    next.observe(sliced(PurgeTarget::Vespa, 5, SliceEnd::Exhausted)).unwrap();
    next.observe(Observed::Holds(PurgeTarget::Vespa, Some(1))).unwrap();
}

#[test]
fn slices_that_get_nowhere_are_bounded() {
    let mut machine = machine(CleanupState::Purging);
    machine.observe(Observed::Holds(PurgeTarget::Arf, Some(5))).unwrap();
    let idle = sliced(PurgeTarget::Arf, 0, SliceEnd::TimeOver);
    machine.observe(idle.clone()).unwrap();
    machine.observe(idle.clone()).unwrap();
    assert!(machine.observe(idle).is_err());
}

#[test]
fn empty_slots_are_headway() {
    let mut machine = machine(CleanupState::Purging);
    machine.observe(Observed::Holds(PurgeTarget::Vespa, Some(50_000))).unwrap();
    for next_slot in 1..100 {
        let slice = Sliced { removed: BTreeMap::new(), next_slot, end: SliceEnd::TimeOver };
        machine.observe(Observed::Sliced(PurgeTarget::Vespa, slice)).unwrap();
    }
}

#[test]
fn removals_that_never_end_are_bounded() {
    let mut machine = machine(CleanupState::Purging);
    machine.observe(Observed::Holds(PurgeTarget::Vespa, Some(5))).unwrap();
    let mut slices = 0;
    while machine.observe(sliced(PurgeTarget::Vespa, 1_000, SliceEnd::TimeOver)).is_ok() {
        slices += 1;
        assert!(slices < 100);
    }
}

#[test]
fn waiting_for_the_limit_is_no_lack_of_headway() {
    let mut machine = machine(CleanupState::Purging);
    machine.observe(Observed::Holds(PurgeTarget::Vespa, Some(5))).unwrap();
    for _ in 0..100 {
        machine.observe(sliced(PurgeTarget::Vespa, 0, SliceEnd::HeldBack)).unwrap();
    }
}

/// What happens around one step of the worker.
#[derive(Debug, Clone)]
enum Mood {
    Fine,
    /// A late write lands before the step.
    LateWrite(PurgeTarget, u64),
    /// The store fails: the attempt ends, the row goes back to scheduled.
    Fails,
    /// The worker dies after the step's effect and before its progress is stored.
    Dies,
}

fn mood() -> impl Strategy<Value = Mood> {
    let target = prop_oneof![Just(PurgeTarget::Vespa), Just(PurgeTarget::Arf)];
    prop_oneof![
        4 => Just(Mood::Fine),
        1 => (target, 1_u64..50).prop_map(|(target, count)| Mood::LateWrite(target, count)),
        1 => Just(Mood::Fails),
        1 => Just(Mood::Dies),
    ]
}

fn any_state() -> impl Strategy<Value = CleanupState> {
    prop_oneof![Just(CleanupState::Scheduled), Just(CleanupState::Purging), Just(CleanupState::Settling)]
}

fn any_progress() -> impl Strategy<Value = TargetsProgress> {
    let round = (0_u64..100, any::<bool>(), 0_u32..40_000, any::<bool>()).prop_map(
        |(found, is_uncounted, next_slot, ended_in_vain)| Round {
            found,
            is_uncounted,
            next_slot,
            ended_in_vain,
            ..Round::default()
        },
    );
    let known = (0_u64..100, 0_u64..100, any::<bool>(), round).prop_map(|(found, removed, round_open, round)| {
        TargetProgress { found, removed, round_open, round, rounds: 1, ..TargetProgress::default() }
    });
    prop::collection::btree_map(prop_oneof![Just(PurgeTarget::Vespa), Just(PurgeTarget::Arf)], known, 0..=2)
}

/// The row and the stores, and what the worker does with them.
struct World {
    held: BTreeMap<PurgeTarget, u64>,
    row: (CleanupState, TargetsProgress),
    machine: Machine,
    /// When each target was seen empty by the present holder in the present state, by a clock of steps.
    seen_empty: BTreeMap<PurgeTarget, u64>,
    settled_at: Option<u64>,
    claimed_at: u64,
    clock: u64,
}

impl World {
    fn claim(&mut self) {
        if self.row.0 == CleanupState::Scheduled {
            self.row.0 = CleanupState::Purging;
        }
        self.machine = Machine::new(self.row.0, BOTH.to_vec(), self.row.1.clone());
        self.seen_empty.clear();
        self.claimed_at = self.clock;
    }

    fn fail(&mut self) {
        self.row = (CleanupState::Scheduled, self.machine.progress().clone());
        self.claim();
    }

    /// One step. True when done. Between a look and a purge, either way, the row is given back and claimed again.
    fn step(&mut self, mood: &Mood, slice: u64) -> bool {
        self.clock += 1;
        if let Mood::LateWrite(target, count) = mood {
            *self.held.entry(*target).or_default() += count;
        }
        let step = self.machine.next();
        match (mood, step) {
            (Mood::Fails, Step::Look(_)) | (_, Step::GiveBack) => {
                self.fail();
                return false;
            }
            (Mood::Fails, Step::Count(target) | Step::Purge(target)) => {
                self.machine.fail(target);
                return false;
            }
            _ => {}
        }
        let observed = match step {
            Step::Look(target) => match self.held.get(&target).copied().unwrap_or_default() {
                0 => {
                    self.seen_empty.insert(target, self.clock);
                    empty(target, at(i64::try_from(self.clock).unwrap()))
                }
                count => Observed::Holds(target, (count < 150).then_some(count)),
            },
            Step::Count(target) => Observed::Counted(target, self.held.get(&target).copied().unwrap_or_default()),
            Step::Purge(target) => {
                let held = self.held.entry(target).or_default();
                let removed = slice.min(*held);
                *held -= removed;
                sliced(target, removed, if *held == 0 { SliceEnd::Exhausted } else { SliceEnd::TimeOver })
            }
            Step::Settle => {
                assert_ne!(self.row.0, CleanupState::Settling);
                self.row = (CleanupState::Settling, self.machine.progress().clone());
                self.settled_at = Some(self.clock);
                self.clock += 1_000;
                self.claim();
                return false;
            }
            Step::Finish => {
                assert_eq!(self.row.0, CleanupState::Settling, "done comes after settling only");
                for target in BOTH {
                    let seen = self.seen_empty.get(&target).copied().expect("both seen empty under this claim");
                    assert!(seen > self.claimed_at && self.settled_at.is_none_or(|settled| seen >= settled + 1_000));
                }
                return true;
            }
            Step::GiveBack | Step::Nothing => panic!("an open row has a step"),
        };
        if matches!(mood, Mood::Dies) {
            self.claim();
            return false;
        }
        if self.machine.observe(observed).is_err() {
            self.fail();
            return false;
        }
        self.row.1 = self.machine.progress().clone();
        if self.machine.next().work() != step.work() {
            self.row.0 = CleanupState::Scheduled;
            self.claim();
        }
        false
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// DEL-5 and DEL-7: whatever happens, once the stores answer and nobody writes, the cleanup is done within a bound,
    /// and it is never done before both targets were seen empty by one holder after the settle delay.
    #[test]
    fn from_any_state_it_reaches_done_and_never_too_early(
        state in any_state(),
        progress in any_progress(),
        vespa in 0_u64..200,
        arf in 0_u64..200,
        slice in 1_u64..60,
        moods in prop::collection::vec(mood(), 0..60),
    ) {
        let mut world = World {
            held: BTreeMap::from([(PurgeTarget::Vespa, vespa), (PurgeTarget::Arf, arf)]),
            row: (state, progress),
            machine: machine(state),
            seen_empty: BTreeMap::new(),
            settled_at: None,
            claimed_at: 0,
            clock: 0,
        };
        world.claim();
        let mut is_done = false;
        for mood in &moods {
            is_done = is_done || world.step(mood, slice);
            if is_done {
                break;
            }
        }
        for _ in 0..10_000 {
            is_done = is_done || world.step(&Mood::Fine, slice);
            if is_done {
                break;
            }
        }
        prop_assert!(is_done);
    }
}
