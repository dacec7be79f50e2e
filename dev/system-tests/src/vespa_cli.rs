//! The official `vespa` command, without the Python around it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use test_support::StandIn;

/// The command, aimed at a server.
#[must_use]
pub fn vespa(server: &StandIn, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).args(["--target", &server.url]);
    command.env("VESPA_CLI_HOME", server.data()).env("NO_COLOR", "1").stdin(Stdio::null()).stderr(Stdio::null());
    command
}

fn binary() -> PathBuf {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.local/venv/lib");
    let machine = if cfg!(target_arch = "aarch64") { "linux_arm64" } else { "linux_amd64" };
    let mut pythons = lib.read_dir().unwrap_or_else(|_| panic!("`make python-tools` installs the vespa command"));
    let folder = pythons.next().unwrap().unwrap().path().join("site-packages/vespacli/go-binaries");
    let mut binaries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    binaries.find(|path| path.to_string_lossy().ends_with(machine)).unwrap().join("bin/vespa")
}
