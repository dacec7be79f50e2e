//! What `make test` cannot run on an ordinary machine, why, and what runs it where it can be run.

/// One thing that isn't run.
#[derive(Debug, Clone, Copy)]
pub struct NotRun {
    /// What.
    pub what: &'static str,
    /// Why not here.
    pub reason: &'static str,
    /// What runs it.
    pub target: &'static str,
}

/// All of them.
pub const NOT_RUN: &[NotRun] = &[
    NotRun {
        what: "the ARF and ledger stores on Azure",
        reason: "needs Azurite, 190 MB from npm",
        target: "make test-azure",
    },
    NotRun {
        what: "the ARF store on Google Cloud Storage",
        reason: "has been compiled, and never run: there is no emulator to be had as a package",
        target: "cleanup-worker --check-connections",
    },
    NotRun {
        what: "building the container images",
        reason: "needs Docker or another builder, and a base image from a registry",
        target: "docker compose build",
    },
    NotRun {
        what: "the whole system in containers, with the real Vespa",
        reason: "needs Docker and 8 GB of memory; the tests use the stand-in instead",
        target: "docker compose up",
    },
];

/// The list, for people.
#[must_use]
pub fn list() -> String {
    let mut text = String::from("Not run here:");
    for NotRun { what, reason, target } in NOT_RUN {
        text.push_str(&format!("\n  - {what}: {reason}. Run it with `{target}`."));
    }
    text
}
