use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

const INTERVAL: Duration = Duration::from_secs(10);

/// A driver on a paused clock, and a task of it whose runs are counted.
struct Stage {
    tasks: Tasks,
    driver: Driver,
    runs: Arc<AtomicU32>,
}

impl Stage {
    /// `work` gets the number of the run, from 0.
    fn start<N: Into<Next> + Send + 'static>(
        task: Periodic,
        work: impl Fn(u32, Woken) -> Result<N, &'static str> + Send + 'static,
    ) -> Self {
        let tasks = Tasks::new();
        let (driver, runs) = (Driver::new(&tasks), Arc::new(AtomicU32::new(0)));
        let counted = runs.clone();
        driver.start(task, move |woken| std::future::ready(work(counted.fetch_add(1, Ordering::SeqCst), woken)));
        Self { tasks, driver, runs }
    }

    async fn runs_after(&self, seconds: u64) -> u32 {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.runs.load(Ordering::SeqCst)
    }

    fn last(&self) -> Option<RunOutcome> {
        self.driver.last_runs().get("t").copied().flatten().map(|run| run.outcome)
    }
}

#[tokio::test(start_paused = true)]
async fn it_runs_now_on_time_and_when_its_bell_rings_until_shutdown() {
    let bell = Bell::default();
    let stage = Stage::start(Periodic::every("t", INTERVAL).woken_by(&bell), |run, woken| {
        let by_bell = if run == 2 { Woken::ByBell } else { Woken::ByTime };
        if woken == by_bell { Ok(()) } else { Err("woken by something else") }
    });
    assert_eq!((stage.runs_after(8).await, stage.runs_after(4).await), (1, 2));
    bell.ring();
    assert_eq!(stage.runs_after(1).await, 3);
    assert_eq!(stage.last(), Some(RunOutcome::Ok));
    assert!(stage.tasks.drain(Duration::from_secs(1)).await);
    assert_eq!(stage.runs_after(60).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_bell_that_rings_during_a_run_is_not_lost() {
    let (bell, tasks, runs) = (Bell::default(), Tasks::new(), Arc::new(AtomicU32::new(0)));
    let counted = runs.clone();
    Driver::new(&tasks).start(Periodic::every("t", INTERVAL).woken_by(&bell), move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Done::Ok(())
        }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    bell.ring();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn it_runs_as_soon_as_it_said_and_no_later_than_its_interval() {
    let stage = Stage::start(Periodic::every("t", INTERVAL), |run, _| {
        Ok(Next::Within(Duration::from_secs(if run == 0 { 1 } else { 1_000 })))
    });
    for (seconds, expected) in [(2, 2), (6, 2), (6, 3)] {
        assert_eq!(stage.runs_after(seconds).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_or_a_panic_it_runs_again_sooner_and_the_driver_knows() {
    let stage = Stage::start(Periodic::every("t", Duration::from_secs(600)), |run, _| match run {
        0 => Err("on purpose"),
        1 => panic!("on purpose"),
        _ => Ok(()),
    });
    assert_eq!(stage.driver.last_runs().get("t"), Some(&None));
    tokio::task::yield_now().await;
    assert_eq!(stage.last(), Some(RunOutcome::Failed));
    assert_eq!(stage.runs_after(1).await, 2);
    assert_eq!(stage.last(), Some(RunOutcome::Panicked));
    assert_eq!(stage.runs_after(2).await, 3);
    assert_eq!(stage.last(), Some(RunOutcome::Ok));
    assert_eq!(stage.runs_after(300).await, 3, "it keeps to its interval again");
}

#[tokio::test(start_paused = true)]
async fn what_is_needed_goes_on_during_shutdown() {
    let waits = Arc::new(AtomicU32::new(1));
    let left = waits.clone();
    let task = Periodic::every("t", INTERVAL).and_during_shutdown_while(move || left.load(Ordering::SeqCst) > 0);
    let stage = Stage::start(task, |_, _| Ok(()));
    assert_eq!(stage.runs_after(1).await, 1);
    stage.tasks.shutdown().cancel();
    assert_eq!(stage.runs_after(25).await, 4, "once at the shutdown, then on time");
    waits.store(0, Ordering::SeqCst);
    assert!(stage.tasks.drain(INTERVAL * 2).await);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_begins_during_a_run_ends_the_task_with_that_run() {
    let tasks = Tasks::new();
    Driver::new(&tasks).start(Periodic::every("t", Duration::from_secs(3_600)), |_| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Done::Ok(())
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(tasks.drain(Duration::from_secs(1)).await, "it waits for its interval");
}
