//! Free ports on the loopback interface, remembered so that a second start has the same addresses where it can.
//!
//! They are taken from below the range from which the kernel serves clients: between finding a port and RabbitMQ
//! listening on it lie ten seconds, in which an outgoing connection could otherwise get it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context, Result};
use rand::RngExt as _;

/// The ports of one stack, by purpose.
#[derive(Debug)]
pub struct Ports {
    file: PathBuf,
    remembered: BTreeMap<String, u16>,
    taken: BTreeSet<u16>,
}

impl Ports {
    /// Reads what an earlier start used. An unreadable file only costs the memory.
    #[must_use]
    pub fn load(file: PathBuf) -> Self {
        let remembered = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self { file, remembered: remembered.unwrap_or_default(), taken: BTreeSet::new() }
    }

    /// A port for `purpose`: the one of last time if it is free.
    ///
    /// # Errors
    /// When no port is free.
    pub fn take(&mut self, purpose: &str) -> Result<u16> {
        let last = self.remembered.get(purpose).copied();
        let port = match last.filter(|port| !self.taken.contains(port) && is_free(*port)) {
            Some(port) => port,
            None => self.find()?,
        };
        self.taken.insert(port);
        self.remembered.insert(purpose.to_owned(), port);
        Ok(port)
    }

    /// Keeps the ports for the next start.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(&self.remembered)?;
        std::fs::write(&self.file, text).with_context(|| format!("write {}", self.file.display()))
    }

    fn find(&self) -> Result<u16> {
        let mut random = rand::rng();
        for _ in 0..200 {
            let port = random.random_range(20_000..30_000_u16);
            if !self.taken.contains(&port) && is_free(port) {
                return Ok(port);
            }
        }
        let any = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
        Ok(any.local_addr().context("find a free port")?.port())
    }
}

/// Whether nobody listens on this port of the loopback interface.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
