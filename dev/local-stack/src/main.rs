//! `local-stack`: starts and stops everything that Unweave needs on a developer's machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use local_stack::environment::Environment;
use local_stack::launch::{self, DeathSignal, Run};
use local_stack::layout::{Layout, find_home};
use local_stack::options::{Options, Scope};
use local_stack::packages::Packages;
use local_stack::postgres::Durability;
use local_stack::stack::Stack;
use local_stack::terminal::{Event, Progress, remark, say};
use local_stack::{demo, exec, not_run, supervisor};

/// Runs PostgreSQL, RabbitMQ, the Vespa stand-in and Unweave's services on this machine, without installing anything.
#[derive(Debug, Parser)]
#[command(name = "local-stack", version)]
struct Arguments {
    /// Where everything is kept [default: .local at the repository's root]
    #[arg(long, global = true, env = "LOCAL_STACK_HOME", value_name = "FOLDER")]
    home: Option<PathBuf>,
    /// Download PostgreSQL and RabbitMQ even if this machine has them: 1 or 0
    #[arg(long, global = true, env = "LOCAL_STACK_IGNORE_SYSTEM", hide = true, default_value_t = 0)]
    ignore_system: u8,
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Start everything and wait until it is ready; what ends afterwards is started again
    Up {
        /// Stay, and stop everything on Ctrl-C
        #[arg(long)]
        foreground: bool,
        /// Only PostgreSQL and RabbitMQ
        #[arg(long)]
        servers_only: bool,
    },
    /// Stop everything
    Down,
    /// Say what runs and how to reach it. The exit code is 0 if all of it runs, 1 if something is down, 3 if nothing
    /// runs
    Status,
    /// Remove all data
    Clean,
    /// Run a command with a PostgreSQL and a RabbitMQ that last as long as it does
    Exec {
        /// The command and its arguments
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Show a deletion from start to receipt, on real data
    Demo,
    /// Download what is missing, start nothing
    Prepare,
    /// Download promtool if this machine hasn't got it, and say where it is
    Promtool,
    /// List what the tests do not run on this machine, and why
    NotRunHere,
    #[command(hide = true)]
    Supervise {
        #[arg(long)]
        servers_only: bool,
    },
    #[command(hide = true)]
    Launch {
        #[arg(long)]
        parent: u32,
        #[arg(long)]
        signal: DeathSignal,
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    #[command(hide = true)]
    Guard { run: String },
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            remark(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let ignore_system = arguments.ignore_system != 0;
    let home = home(arguments.home)?;
    let lasting = Layout::lasting(&home);
    match arguments.task {
        Task::Launch { parent, signal, command } => {
            let (program, rest) = command.split_first().context("no program was given")?;
            match launch::launch(parent, signal, program, rest)? {}
        }
        Task::Guard { run } => launch::guard(&run),
        Task::NotRunHere => say(&not_run::list()),
        Task::Status => {
            let status = block_on(supervisor::status(&lasting))?;
            say(&status.text);
            return Ok(ExitCode::from(status.state.exit_code()));
        }
        Task::Clean => supervisor::clean(&lasting)?,
        Task::Down => {
            let ran = block_on(supervisor::down(&lasting))?;
            say(if ran { "Stopped." } else { "No stack runs here." });
        }
        Task::Demo => {
            let executable = std::env::current_exe().context("find the local-stack program")?;
            let binaries = executable.parent().map(Path::to_owned).context("find the services' programs")?;
            let held = block_on(demo::run(&home, binaries, ignore_system))?;
            return Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Task::Prepare => block_on(prepare(&home, ignore_system))?,
        Task::Promtool => say(&block_on(promtool(&home, ignore_system))?.display().to_string()),
        Task::Up { foreground: true, servers_only } => {
            let options = Options::of_caller(lasting, scope(servers_only), ignore_system, Progress::detect())?;
            block_on(supervisor::supervise(options))?;
        }
        Task::Up { foreground: false, servers_only } => {
            let mut passed_on: Vec<OsString> = vec!["--home".into(), home.into()];
            passed_on.extend(["--ignore-system".into(), if ignore_system { "1" } else { "0" }.into()]);
            passed_on.push("supervise".into());
            passed_on.extend(servers_only.then(|| "--servers-only".into()));
            block_on(supervisor::up_in_background(&lasting, &passed_on, Progress::detect()))?;
        }
        Task::Supervise { servers_only } => {
            rustix::process::setsid().context("leave the terminal")?;
            let options = Options::of_caller(lasting, scope(servers_only), ignore_system, Progress::Events)?;
            if let Err(error) = block_on(supervisor::supervise(options)) {
                Progress::Events.send(&Event::Failed { reason: format!("{error:#}") });
                return Ok(ExitCode::FAILURE);
            }
        }
        Task::Exec { command } => {
            let (layout, _lock) = Layout::throwaway(&home)?;
            let mut options = Options::of_caller(layout.clone(), Scope::Servers, ignore_system, Progress::detect())?;
            options.durability = Durability::None;
            let code = block_on(async { exec::exec(Stack::new(options)?, &command).await });
            layout.discard();
            return Ok(ExitCode::from(code?));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn scope(servers_only: bool) -> Scope {
    if servers_only { Scope::Servers } else { Scope::Everything }
}

fn home(given: Option<PathBuf>) -> Result<PathBuf> {
    let here = std::env::current_dir().context("find the current folder")?;
    Ok(match given {
        Some(home) => here.join(home),
        None => find_home(&here),
    })
}

async fn prepare(home: &Path, ignore_system: bool) -> Result<()> {
    let environment = Environment::of_caller();
    let run = Run::begin(&environment)?;
    let packages = Packages { home, environment: &environment, run: &run, progress: Progress::detect(), ignore_system };
    let postgres = packages.postgres().await;
    let rabbitmq = packages.rabbitmq().await;
    run.end().await;
    say(&format!("PostgreSQL: {}\nRabbitMQ: {}", postgres?.bin.display(), rabbitmq?.server.display()));
    Ok(())
}

async fn promtool(home: &Path, ignore_system: bool) -> Result<PathBuf> {
    let environment = Environment::of_caller();
    let run = Run::begin(&environment)?;
    let packages = Packages { home, environment: &environment, run: &run, progress: Progress::detect(), ignore_system };
    let promtool = packages.promtool().await;
    run.end().await;
    promtool
}

/// One thread does everything: the kernel ties children to the thread that started them, and this one lasts.
fn block_on<T>(task: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?.block_on(task)
}
