//! The distribution's packages without installing them: `apt-get download` and `dpkg-deb -x`, as any user.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::{ELSEWHERE, Packages};
use crate::launch::{DeathSignal, Identity};

/// Package name prefixes that count as absent when the system's copies are to be ignored.
const IGNORED: [&str; 5] = ["postgresql", "libpq", "libllvm", "rabbitmq", "erlang"];

/// Package name prefixes that are named as needed, but only for what isn't used here: PostgreSQL's just-in-time
/// compiler, and Prometheus' pages.
const SKIPPED: [&str; 4] = ["libllvm", "libz3", "libjs-", "fonts-"];

/// apt, with the system's package lists or, where these are missing or stale, with private ones.
pub struct Apt<'a> {
    packages: &'a Packages<'a>,
    private: PathBuf,
}

impl<'a> Apt<'a> {
    /// # Errors
    /// When this is no machine with apt.
    pub fn new(packages: &'a Packages<'a>) -> Result<Self> {
        for tool in ["apt-get", "dpkg-deb", "dpkg-query"] {
            if packages.environment.find_program(tool).is_none() {
                bail!(
                    "PostgreSQL (15 or newer), RabbitMQ or promtool is missing, and without {tool} it can't be \
                     fetched; {ELSEWHERE}"
                );
            }
        }
        Ok(Self { packages, private: packages.home.join("opt/apt") })
    }

    /// Unpacks a package, and those that it needs and the machine hasn't, below `root`. Gives their number.
    pub async fn unpack(&self, package: &str, root: &Path) -> Result<usize> {
        let archives = root.join("archives");
        std::fs::create_dir_all(&archives).with_context(|| format!("create {}", archives.display()))?;
        let count = self.fetch_from_somewhere(package, &archives).await?;
        let entries = std::fs::read_dir(&archives).context("read the downloaded packages")?;
        for archive in entries.flatten().map(|entry| entry.path()) {
            self.run("dpkg-deb", &["-x".into(), path(&archive), path(root)], root).await?;
        }
        std::fs::remove_dir_all(&archives).context("remove the downloaded packages")?;
        Ok(count)
    }

    /// From the system's lists, else from ours, else from fresh ones.
    async fn fetch_from_somewhere(&self, package: &str, archives: &Path) -> Result<usize> {
        if let Ok(count) = self.fetch(package, archives, &[]).await {
            return Ok(count);
        }
        let private = self.private_lists();
        if self.private.is_dir()
            && let Ok(count) = self.fetch(package, archives, &private).await
        {
            return Ok(count);
        }
        self.update(&private).await?;
        self.fetch(package, archives, &private).await
    }

    async fn fetch(&self, package: &str, archives: &Path, options: &[String]) -> Result<usize> {
        let names = self.missing(package, archives, options).await?;
        if names.is_empty() {
            bail!("apt says that {package} is installed, but it is not where it should be, or too old; {ELSEWHERE}");
        }
        let mut arguments = options.to_vec();
        // As root, apt would hand over to a user who may not enter every folder that root may.
        arguments.extend(["-o".into(), "APT::Sandbox::User=root".into(), "-q".into(), "download".into()]);
        arguments.extend(names.iter().cloned());
        self.run("apt-get", &arguments, archives).await?;
        Ok(names.len())
    }

    /// The packages that installing `package` would bring.
    async fn missing(&self, package: &str, folder: &Path, options: &[String]) -> Result<Vec<String>> {
        let mut arguments = options.to_vec();
        let ignore = self.packages.ignore_system;
        if ignore {
            arguments.extend(["-o".into(), "Dir::State::status=/dev/null".into()]);
        }
        arguments.extend(["-s".into(), "--no-install-recommends".into(), "install".into(), package.into()]);
        let answer = self.run("apt-get", &arguments, folder).await?;
        let present = if ignore { self.installed(folder).await? } else { BTreeSet::new() };
        let named = answer.lines().filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next());
        let skipped = |name: &str| SKIPPED.iter().any(|prefix| name.starts_with(prefix));
        Ok(named.filter(|name| !present.contains(*name) && !skipped(name)).map(str::to_owned).collect())
    }

    async fn installed(&self, folder: &Path) -> Result<BTreeSet<String>> {
        let format = "${db:Status-Status} ${Package}\n".to_owned();
        let answer = self.run("dpkg-query", &["-W".into(), "-f".into(), format], folder).await?;
        let installed = answer.lines().filter_map(|line| line.strip_prefix("installed "));
        Ok(installed.filter(|name| !IGNORED.iter().any(|prefix| name.starts_with(prefix))).map(str::to_owned).collect())
    }

    /// The options with which apt uses package lists of ours.
    fn private_lists(&self) -> Vec<String> {
        let option = |name: &str, folder: &str| format!("{name}={}", self.private.join(folder).display());
        vec!["-o".into(), option("Dir::State::lists", "lists"), "-o".into(), option("Dir::Cache", "cache")]
    }

    async fn update(&self, private: &[String]) -> Result<()> {
        let step = self.packages.progress.begin("Fetch package lists");
        for part in ["lists/partial", "cache/archives/partial"] {
            let part = self.private.join(part);
            std::fs::create_dir_all(&part).with_context(|| format!("create {}", part.display()))?;
        }
        let mut arguments = private.to_vec();
        arguments.extend([
            "-o".into(),
            "APT::Sandbox::User=root".into(),
            "-q".into(),
            "--error-on=any".into(),
            "update".into(),
        ]);
        self.run("apt-get", &arguments, &self.private).await?;
        step.done("");
        Ok(())
    }

    async fn run(&self, program: &str, arguments: &[String], folder: &Path) -> Result<String> {
        let found = self.packages.environment.find_program(program).unwrap_or_else(|| program.into());
        let mut command = self.packages.run.command(found, Identity::Same, DeathSignal::Kill);
        command.args(arguments).current_dir(folder).env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
        let answer = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().await;
        let answer = answer.with_context(|| format!("run {program}"))?;
        if !answer.status.success() {
            let errors = String::from_utf8_lossy(&answer.stderr);
            bail!("{program} {} failed:\n{}\n{ELSEWHERE}", arguments.join(" "), errors.trim());
        }
        Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
    }
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
