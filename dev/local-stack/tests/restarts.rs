//! What dies is started again, and `status` tells it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::cell::OnceCell;
use std::net::TcpListener;

use rustix::process::Signal;

use crate::support::{Home, eventually, is_alive, kill, send};

/// The servers of a stack, with the variable that carries each one's process id.
const SERVERS: [(&str, &str); 3] = [("postgres", "POSTGRES_PID"), ("rabbitmq", "RABBITMQ_PID"), ("epmd", "EPMD_PID")];

/// `status`: its exit code and what it says.
fn status(home: &Home) -> (Option<i32>, String) {
    let answer = home.command(["status"]).output().unwrap();
    assert!(answer.stderr.is_empty(), "{}", String::from_utf8_lossy(&answer.stderr));
    (answer.status.code(), String::from_utf8(answer.stdout).unwrap())
}

/// What `status` says of one child.
fn told(home: &Home, name: &str) -> String {
    let (_, text) = status(home);
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name));
    line.unwrap_or_else(|| panic!("nothing of {name}: {text}")).to_owned()
}

/// Kills a child while its supervisor stands still, so that what is seen in `meanwhile` can't pass too soon.
fn kill_unnoticed(home: &Home, variable: &str, meanwhile: impl FnOnce()) {
    let settings = home.settings();
    send(&settings["SUPERVISOR_PID"], Signal::STOP);
    kill(&settings[variable]);
    eventually("it is dead", || !is_alive(&settings[variable]));
    meanwhile();
    send(&settings["SUPERVISOR_PID"], Signal::CONT);
}

fn log(home: &Home, name: &str) -> String {
    std::fs::read_to_string(home.path().join("logs").join(format!("{name}.log"))).unwrap()
}

#[test]
fn servers_that_die_are_started_again_with_their_data_until_the_stack_is_stopped() {
    let home = Home::new();
    assert_eq!(status(&home).0, Some(3), "nothing runs");
    home.run(["up", "--servers-only"]);
    home.sql("CREATE TABLE kept (id int)");
    home.put_virtual_host("kept");
    let first = home.settings();
    let (code, text) = status(&home);
    assert!(code == Some(0) && !text.contains("started again"), "{text}");

    for (name, variable) in SERVERS {
        kill_unnoticed(&home, variable, || {
            assert_eq!(status(&home).0, Some(1));
            assert!(told(&home, name).contains("IS DOWN"));
        });
        eventually("everything runs again", || status(&home).0 == Some(0));
        let now = told(&home, name);
        assert!(now.contains("runs (") && now.contains("; started again once; last ended at "), "{now}");
        assert!(now.ends_with(" UTC (signal 9)") && log(&home, name).contains("has ended (signal 9)"), "{now}");
        assert!(home.settings()[variable] != first[variable] && is_alive(&home.settings()[variable]));
        assert!(log(&home, "supervisor").contains(&format!("{name} serves again")));
    }
    home.sql("INSERT INTO kept VALUES (1)");
    assert!(home.virtual_hosts().contains(&"kept".to_owned()));

    // It hears of a death and of its own end at the same moment.
    kill_unnoticed(&home, "POSTGRES_PID", || send(&first["SUPERVISOR_PID"], Signal::TERM));
    eventually("the stack has stopped", || status(&home).0 == Some(3));
    home.assert_nothing_left();
    let starts = log(&home, "postgres").matches("LOG:  starting PostgreSQL").count();
    assert_eq!(starts, 2, "it was started while the stack was stopped");

    // The next stack counts anew, and writes on in the same logs.
    home.run(["up", "--servers-only"]);
    let (code, text) = status(&home);
    assert!(code == Some(0) && !text.contains("started again"), "{text}");
    for (name, _) in SERVERS {
        assert!(log(&home, name).contains(&format!("{name} serves again")), "{name}: its log was emptied");
    }
    home.run(["down"]);
    home.assert_nothing_left();
}

#[test]
fn a_service_that_dies_and_cannot_start_is_tried_again_until_it_can() {
    let home = Home::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = free.local_addr().unwrap();
    drop(free);
    let answer = home.command(["up"]).env("LISTEN", listen.to_string()).output().unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    assert_eq!(status(&home).0, Some(0));

    let somebody = OnceCell::new();
    kill_unnoticed(&home, "GATEWAY_PID", || {
        eventually("somebody else has its port", || {
            TcpListener::bind(listen).is_ok_and(|port| somebody.set(port).is_ok())
        });
    });
    eventually("two starts have failed", || told(&home, "api-gateway").contains("started again 2 times"));
    assert_eq!(status(&home).0, Some(1));
    assert!(log(&home, "supervisor").contains("api-gateway does not start: api-gateway ended while starting"));
    drop(somebody);
    eventually("everything runs", || status(&home).0 == Some(0));

    for (name, variable) in
        [("sync-worker", "SYNC_WORKER_PID"), ("cleanup-worker", "CLEANUP_WORKER_PID"), ("vespa-standin", "VESPA_PID")]
    {
        kill_unnoticed(&home, variable, || assert_eq!(status(&home).0, Some(1)));
        eventually("everything runs again", || status(&home).0 == Some(0));
        assert!(told(&home, name).contains("started again once"));
    }

    // What is frozen runs, and keeps those waiting that need it.
    let vespa = home.settings()["VESPA_PID"].clone();
    send(&vespa, Signal::STOP);
    eventually("the workers wait for it", || {
        let (code, text) = status(&home);
        code == Some(1) && text.contains("sync-worker ISN'T READY: it waits for vespa.")
    });
    send(&vespa, Signal::CONT);
    eventually("everything is ready again", || status(&home).0 == Some(0));
    home.run(["down"]);
    home.assert_nothing_left();
}
