//! How each child of a stack that stays fares, kept in a file for whoever asks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::layout::Layout;
use crate::secrets::write_private;

/// All children, by name.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Children(BTreeMap<String, Child>);

/// How one child fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Child {
    pub(super) pid: u32,
    pub(super) now: Now,
    /// How often it was started after its first start.
    pub(super) restarts: u32,
    pub(super) last_end: Option<End>,
}

/// What a child does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Now {
    /// It answered since its start.
    Serves,
    /// It runs and has not answered yet.
    Starts,
    /// It has ended, and is started again at this time.
    Waits(DateTime<Utc>),
}

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) how: String,
    pub(super) at: DateTime<Utc>,
}

impl Children {
    /// Children that serve since their first start.
    pub(super) fn serving(pids: &BTreeMap<String, u32>) -> Self {
        let child = |pid: u32| Child { pid, now: Now::Serves, restarts: 0, last_end: None };
        Self(pids.iter().map(|(name, pid)| (name.clone(), child(*pid))).collect())
    }

    pub(super) fn change(&mut self, name: &str, change: impl FnOnce(&mut Child)) {
        if let Some(child) = self.0.get_mut(name) {
            change(child);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Child)> {
        self.0.iter().map(|(name, child)| (name.as_str(), child))
    }

    pub(super) fn write(&self, layout: &Layout) -> Result<()> {
        write_private(&file(layout), &serde_json::to_string_pretty(self)?)
    }

    pub(super) fn read(layout: &Layout) -> Result<Self> {
        let path = file(layout);
        let text = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("read {}", path.display()))
    }
}

/// The file that holds them.
pub(super) fn file(layout: &Layout) -> PathBuf {
    layout.data.join("children.json")
}

impl Child {
    pub(super) fn ended(&mut self, how: String, at: DateTime<Utc>, next_start: DateTime<Utc>) {
        self.last_end = Some(End { how, at });
        self.now = Now::Waits(next_start);
    }

    pub(super) fn started_again(&mut self, pid: u32) {
        self.pid = pid;
        self.restarts = self.restarts.saturating_add(1);
        self.now = Now::Starts;
    }

    /// Whether it runs, whatever its supervisor has noticed so far: one that is dead and not yet waited for has no
    /// executable.
    pub(super) fn is_alive(&self) -> bool {
        Path::new("/proc").join(self.pid.to_string()).join("exe").read_link().is_ok()
    }
}
