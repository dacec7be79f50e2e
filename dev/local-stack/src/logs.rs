//! Logs: one file a process, appended to by every start, each held to a bound.
//!
//! A log that has grown too large is copied beside itself, over the copy before, and emptied in place: its writer holds
//! it open for appending and goes on at its new end. What is written during the copy may be lost.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};

/// How large a log may grow before it is emptied: beside its copy it takes at most about twice this.
const LARGEST: u64 = 8 * 1024 * 1024;

/// Opens a log to append to it, making its folder if need be.
///
/// # Errors
/// When the folder or the file can't be made.
pub fn append(log: &Path) -> Result<File> {
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    let opened = File::options().create(true).append(true).open(log);
    opened.with_context(|| format!("write {}", log.display()))
}

/// Empties a log that has grown too large, and keeps a copy of it as `….log.1`.
///
/// # Errors
/// When it can't be copied or emptied.
pub fn bound(log: &Path) -> Result<()> {
    bound_to(log, LARGEST)
}

fn bound_to(log: &Path, largest: u64) -> Result<()> {
    if length(log) <= largest {
        return Ok(());
    }
    let empty = || {
        std::fs::copy(log, log.with_extension("log.1"))?;
        File::options().write(true).open(log)?.set_len(0)
    };
    empty().with_context(|| format!("empty {}", log.display()))
}

/// Holds every log of a folder to its bound.
///
/// # Errors
/// When the folder can't be read, or one can't be emptied.
pub fn bound_all(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            bound(&path)?;
        }
    }
    Ok(())
}

/// How long a log is; one that isn't there has nothing in it.
#[must_use]
pub fn length(log: &Path) -> u64 {
    std::fs::metadata(log).map_or(0, |metadata| metadata.len())
}

/// The last lines of a log, as far as they were written since it had the length `from`. Of a panic only the words
/// matter, not the backtrace.
#[must_use]
pub fn tail(log: &Path, from: u64) -> Vec<String> {
    // A log that was emptied since begins anew.
    let from = if length(log) < from { 0 } else { from };
    let read = || -> std::io::Result<Vec<u8>> {
        let (mut file, mut bytes) = (File::open(log)?, Vec::new());
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let panic = lines.iter().rposition(|line| line.contains("panicked at"));
    let last = match panic {
        Some(place) => lines.get(place..lines.len().min(place + 4)),
        None => lines.get(lines.len().saturating_sub(15)..),
    };
    last.unwrap_or_default().iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_log_that_has_grown_too_large_is_emptied_under_its_writer_and_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        let mut writer = append(&log).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();

        writer.write_all(b"1234\n").unwrap();
        bound_to(&log, 5).unwrap();
        assert_eq!((read("a.log").as_str(), read("a.log.1").as_str()), ("1234\n", ""));

        for round in ["first!\n", "second!\n"] {
            writer.write_all(round.as_bytes()).unwrap();
            bound_to(&log, 5).unwrap();
            assert_eq!(read("a.log"), "");
            assert!(read("a.log.1").ends_with(round));
        }
        writer.write_all(b"on\n").unwrap();
        assert_eq!((read("a.log").as_str(), read("a.log.1").as_str()), ("on\n", "second!\n"));
    }

    #[test]
    fn the_end_of_a_log_is_that_of_the_last_start() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        std::fs::write(&log, "panicked at the first start\n").unwrap();
        let from = length(&log);
        append(&log).unwrap().write_all(b"one\ntwo\n").unwrap();
        assert_eq!(tail(&log, from), ["one", "two"]);
        std::fs::write(&log, "new\n").unwrap();
        assert_eq!(tail(&log, from), ["new"]);
    }
}
