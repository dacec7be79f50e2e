//! PostgreSQL and RabbitMQ: the copies on this machine, or the distribution's packages unpacked below `.local/opt`.
//!
//! Nothing is installed. A download that is cut short leaves only a draft, which the next one removes.

mod apt;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::environment::Environment;
use crate::launch::Run;
use crate::layout::try_lock;
use crate::terminal::Progress;

/// The oldest PostgreSQL that will do.
const POSTGRES_AT_LEAST: u32 = 15;

/// A PostgreSQL that can be run.
#[derive(Debug, Clone)]
pub struct Postgres {
    /// The folder of `postgres` and `initdb`.
    pub bin: PathBuf,
    /// Where its libraries are, if not in the system's place.
    pub libraries: Option<OsString>,
}

/// A RabbitMQ that can be run.
#[derive(Debug, Clone)]
pub struct RabbitMq {
    /// RabbitMQ's own start script: Debian's wrapper refuses ordinary users.
    pub server: PathBuf,
    /// `erl`.
    pub erlang: PathBuf,
    /// `epmd`.
    pub epmd: PathBuf,
    /// Where its libraries are, if not in the system's place.
    pub libraries: Option<OsString>,
}

/// Finds the servers or fetches them.
#[derive(Debug)]
pub struct Packages<'a> {
    /// `.local`.
    pub home: &'a Path,
    /// The caller's variables.
    pub environment: &'a Environment,
    /// Whatever is started belongs to this run.
    pub run: &'a Run,
    /// How progress is shown.
    pub progress: Progress,
    /// Act as if the machine had neither server.
    pub ignore_system: bool,
}

impl Packages<'_> {
    /// PostgreSQL, from the machine or downloaded.
    ///
    /// # Errors
    /// When it is neither there nor to be had.
    pub async fn postgres(&self) -> Result<Postgres> {
        if let Some(found) = self.system_postgres() {
            return Ok(found);
        }
        let root = self.unpacked("postgresql").await?;
        let bin = newest_postgres(&root.join("usr/lib/postgresql"));
        let bin = bin.with_context(|| {
            format!("this distribution's PostgreSQL is too old: {POSTGRES_AT_LEAST} or newer is needed; {ELSEWHERE}")
        })?;
        Ok(Postgres { bin, libraries: libraries(&root) })
    }

    /// RabbitMQ, from the machine or downloaded.
    ///
    /// # Errors
    /// When it is neither there nor to be had.
    pub async fn rabbitmq(&self) -> Result<RabbitMq> {
        if let Some(found) = self.system_rabbitmq() {
            return Ok(found);
        }
        let root = self.unpacked("rabbitmq-server").await?;
        let server = root.join("usr/lib/rabbitmq/bin/rabbitmq-server");
        let erlang = root.join("usr/lib/erlang/bin/erl");
        let epmd = root.join("usr/lib/erlang/bin/epmd");
        if !server.is_file() || !erlang.is_file() {
            bail!("the package rabbitmq-server lies differently here than expected; {ELSEWHERE}");
        }
        Ok(RabbitMq { server, erlang, epmd, libraries: libraries(&root) })
    }

    /// `promtool`, which checks metrics, from the machine or downloaded.
    ///
    /// # Errors
    /// When it is neither there nor to be had.
    pub async fn promtool(&self) -> Result<PathBuf> {
        if let Some(found) = self.environment.find_program("promtool").filter(|_| !self.ignore_system) {
            return Ok(found);
        }
        let promtool = self.unpacked("prometheus").await?.join("usr/bin/promtool");
        if !promtool.is_file() {
            bail!("the package prometheus has no promtool here; install it by your system's means");
        }
        Ok(promtool)
    }

    fn system_postgres(&self) -> Option<Postgres> {
        if self.ignore_system {
            return None;
        }
        let on_path = || {
            let initdb = self.environment.find_program("initdb")?;
            let bin = initdb.canonicalize().ok()?.parent()?.to_owned();
            (bin.join("postgres").is_file() && version_of(&bin.join("postgres"))? >= POSTGRES_AT_LEAST).then_some(bin)
        };
        let bin = newest_postgres(Path::new("/usr/lib/postgresql")).or_else(on_path)?;
        Some(Postgres { bin, libraries: None })
    }

    fn system_rabbitmq(&self) -> Option<RabbitMq> {
        if self.ignore_system {
            return None;
        }
        let server = ["/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server"]
            .into_iter()
            .map(PathBuf::from)
            .find(|path| path.is_file())?;
        let erlang = self.environment.find_program("erl")?;
        let epmd = self.environment.find_program("epmd")?;
        Some(RabbitMq { server, erlang, epmd, libraries: None })
    }

    /// The folder into which a package and what it needs are unpacked, after seeing to it that they are.
    async fn unpacked(&self, package: &str) -> Result<PathBuf> {
        let opt = self.home.join("opt");
        let root = opt.join(package);
        std::fs::create_dir_all(&opt).with_context(|| format!("create {}", opt.display()))?;
        let _lock = loop {
            if let Some(lock) = try_lock(&opt.join("lock"))? {
                break lock;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        if root.exists() {
            return Ok(root);
        }
        let draft = opt.join(format!("{package}.draft"));
        if draft.exists() {
            std::fs::remove_dir_all(&draft).with_context(|| format!("remove {}", draft.display()))?;
        }
        std::fs::create_dir_all(&draft).with_context(|| format!("create {}", draft.display()))?;
        let step = self.progress.begin(&format!("Download {package}"));
        let count = apt::Apt::new(self)?.unpack(package, &draft).await?;
        make_erlang_movable(&draft)?;
        std::fs::rename(&draft, &root).with_context(|| format!("rename {}", draft.display()))?;
        step.done(&format!("{count} packages into {}", root.display()));
        Ok(root)
    }
}

/// Where else the servers may come from.
const ELSEWHERE: &str = "install it by your system's means, set DATABASE_URL and AMQP_URL to servers that you have, \
                         or run everything in containers with `docker compose up`";

/// The newest usable version below a folder that has one folder per version.
fn newest_postgres(versions: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(versions).ok()?;
    let version = |name: &std::ffi::OsStr| name.to_str()?.parse::<u32>().ok().filter(|v| *v >= POSTGRES_AT_LEAST);
    entries
        .flatten()
        .filter_map(|entry| Some((version(&entry.file_name())?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("postgres").is_file() && bin.join("initdb").is_file())
        .max()
        .map(|(_, bin)| bin)
}

fn version_of(postgres: &Path) -> Option<u32> {
    let answer = std::process::Command::new(postgres).arg("--version").output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    text.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok())
}

/// The library folders of an unpacked tree, as a search path.
fn libraries(root: &Path) -> Option<OsString> {
    let multiarch = |parent: PathBuf| {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| path.to_string_lossy().ends_with("-linux-gnu")).collect::<Vec<_>>()
    };
    let mut folders = multiarch(root.join("usr/lib"));
    folders.extend(multiarch(root.join("lib")));
    std::env::join_paths(folders).ok().filter(|joined| !joined.is_empty())
}

/// Erlang's start script knows only the place where the package would have been installed.
fn make_erlang_movable(root: &Path) -> Result<()> {
    let script = root.join("usr/lib/erlang/bin/erl");
    if !script.is_file() {
        return Ok(());
    }
    let text = std::fs::read_to_string(&script).with_context(|| format!("read {}", script.display()))?;
    let own_folder = "ROOTDIR=$(dirname \"$(dirname \"$(readlink -f \"$0\")\")\")";
    std::fs::write(&script, text.replace("ROOTDIR=/usr/lib/erlang\n", &format!("{own_folder}\n")))
        .with_context(|| format!("write {}", script.display()))
}
