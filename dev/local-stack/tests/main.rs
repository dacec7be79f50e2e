//! The stack's promises: a command gets servers of its own, nothing survives, a second start keeps the data.
//!
//! Most tests start RabbitMQ at least once, which takes seconds; there are few of them for that reason.

mod restarts;
mod support;

use support::{Home, eventually, is_alive};

#[test]
fn a_command_has_both_servers_and_what_it_leaves_behind_is_killed() {
    let home = Home::new();
    let script = "echo $DATABASE_URL; echo $AMQP_URL; sleep 1000 & echo $!; disown; exit 7";
    let answer = home.command(["exec", "--", "bash", "-c", script]).output().unwrap();
    assert_eq!(answer.status.code(), Some(7), "{}", String::from_utf8_lossy(&answer.stderr));
    let text = String::from_utf8(answer.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("postgres://postgres:"), "{text}");
    assert!(lines[1].starts_with("amqp://unweave:"), "{text}");
    assert!(!is_alive(lines[2]), "the command's own child survived");
    home.assert_nothing_left();
}

#[test]
fn a_command_dies_with_its_supervisor_and_so_do_its_children() {
    let home = Home::new();
    let pid_file = home.path().join("pid");
    let script = format!("sleep 1000 & echo $! > {0}.draft; mv {0}.draft {0}; wait", pid_file.display());
    let mut supervisor = home.command(["exec", "--", "bash", "-c", &script]).spawn().unwrap();
    eventually("the command runs", || pid_file.exists());
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    eventually("the command's child is gone", || !is_alive(pid.trim()));
    home.assert_nothing_left();
}

#[test]
fn servers_given_by_the_caller_are_used_and_none_are_started() {
    let home = Home::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = listener.local_addr().unwrap();
    let urls = [format!("postgres://me:hunter2@{theirs}/d"), format!("amqp://me:hunter2@{theirs}/%2f")];
    let mut command = home.command(["exec", "--", "bash", "-c", "echo $DATABASE_URL $AMQP_URL"]);
    let answer = command.env("DATABASE_URL", &urls[0]).env("AMQP_URL", &urls[1]).output().unwrap();
    drop(listener);
    assert_eq!(String::from_utf8(answer.stdout).unwrap().trim(), urls.join(" "));
    let words = String::from_utf8(answer.stderr).unwrap();
    assert!(words.contains(&format!("using DATABASE_URL from your environment: postgres://me@{theirs}/d")), "{words}");
    assert!(!words.contains("hunter2"), "{words}");
    assert!(!home.path().join("test/0/postgres").exists());
}

#[test]
fn a_server_of_the_caller_at_which_nobody_listens_stops_the_start_by_its_variable() {
    let home = Home::new();
    let mut command = home.command(["up", "--servers-only"]);
    // Nobody listens on the port of tcpmux.
    let answer = command.env("DATABASE_URL", "postgres://me:hunter2@127.0.0.1:1/d").output().unwrap();
    assert!(!answer.status.success());
    let words = String::from_utf8(answer.stderr).unwrap();
    let why = "nobody listens at DATABASE_URL from your environment, postgres://me@127.0.0.1:1/d";
    assert!(words.contains(why) && words.contains("`unset DATABASE_URL`"), "{words}");
    home.assert_nothing_left();
}

#[test]
fn a_stack_outlives_kills_at_any_time_with_its_data() {
    let home = Home::new();

    // Killed while its databases are being made.
    let mut half_way = home.command(["up", "--foreground", "--servers-only"]).spawn().unwrap();
    eventually("RabbitMQ begins its database", || home.has_entries("rabbitmq/mnesia"));
    half_way.kill().unwrap();
    half_way.wait().unwrap();
    home.assert_nothing_left();

    home.run(["up", "--servers-only"]);
    home.sql("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)");
    home.put_virtual_host("kept");
    let again = home.command(["up", "--servers-only"]).output().unwrap();
    assert!(!again.status.success(), "a second stack started in the same folder");

    // Killed while it runs.
    let first = home.settings();
    support::kill(&first["SUPERVISOR_PID"]);
    for name in ["POSTGRES_PID", "RABBITMQ_PID", "EPMD_PID"] {
        eventually(&format!("{name} is gone"), || !is_alive(&first[name]));
    }
    home.assert_nothing_left();
    let status = home.command(["status"]).output().unwrap();
    assert!(String::from_utf8(status.stdout).unwrap().contains("No stack runs"));

    home.run(["up", "--servers-only"]);
    let second = home.settings();
    assert_eq!(first["DATABASE_URL"], second["DATABASE_URL"], "the address changed");
    home.sql("INSERT INTO kept VALUES (2)");
    assert!(home.virtual_hosts().contains(&"kept".to_owned()));

    // Another one beside it.
    home.run(["exec", "--", "true"]);
    assert!(is_alive(&second["RABBITMQ_PID"]));

    home.run(["down"]);
    assert!(!home.path().join("stack.env").exists());
    home.assert_nothing_left();
    home.run(["clean"]);
    assert!(!home.path().join("postgres").exists());
}

#[test]
fn a_refused_start_says_why() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut command = home.command(["up"]);
    let answer = command.env("LISTEN", format!("127.0.0.1:{port}")).output().unwrap();
    assert!(!answer.status.success());
    let words = String::from_utf8(answer.stderr).unwrap();
    let expected = [format!("port {port} is taken"), "is not built".to_owned()];
    assert!(expected.iter().any(|reason| words.contains(reason)), "{words}");
    home.assert_nothing_left();
}
