//! PostgreSQL's own programs.

use std::path::{Path, PathBuf};

use tokio::process::Command;

/// `pgbench`, `pg_dump`, …: from the machine's packages, or from those that the local stack has unpacked.
///
/// # Panics
/// If it is in neither.
#[must_use]
pub fn postgres_program(name: &str) -> Command {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.local/opt/postgresql");
    let libraries = folders(&unpacked.join("usr/lib")).into_iter().find(|folder| folder.ends_with("-linux-gnu"));
    for (root, libraries) in [(Path::new("/"), None), (unpacked.as_path(), libraries)] {
        let versions = folders(&root.join("usr/lib/postgresql"));
        let programs = versions.into_iter().rev().map(|version| version.join("bin").join(name));
        if let Some(program) = programs.into_iter().find(|program| program.is_file()) {
            let mut command = Command::new(program);
            command.envs(libraries.map(|libraries| ("LD_LIBRARY_PATH", libraries)));
            return command;
        }
    }
    panic!("{name} is in neither /usr/lib/postgresql nor {}", unpacked.display());
}

/// The folders in a folder, in order.
fn folders(parent: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}
