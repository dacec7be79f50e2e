//! Runs the command, and makes ledgers to run it on.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use shared_models::ledger::*;
use tempfile::TempDir;

/// The log of the pinned files.
pub const ORIGIN: &str = "unweave.example.org/ledger";

/// How the command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let ended = Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        // Nothing is a panic, whatever was read, and no file moves a terminal.
        assert!(ended.code.is_some_and(|code| code <= 3), "{ended:?}");
        let is_plain = |text: &str| text.chars().all(|letter| !letter.is_control() || letter == '\n');
        assert!(is_plain(&ended.out) && is_plain(&ended.err), "{ended:?}");
        ended
    }

    /// It verified, or did what it was asked for.
    #[track_caller]
    pub fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.err, "");
        self.out
    }

    /// It refused, for this reason.
    #[track_caller]
    pub fn refused(self, reason: &str) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        let text = self.out.strip_prefix(&format!("refused ({reason}): "));
        let text = text.unwrap_or_else(|| panic!("{self:?}, not {reason}"));
        assert!(text.ends_with('\n') && text.lines().count() == 1, "{self:?}");
        text.to_owned()
    }

    /// It gave no verdict; in one line.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{self:?}");
        self.err
    }

    #[track_caller]
    pub fn json(self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unweave"));
    command.args(arguments).env_clear();
    command
}

pub fn unweave(arguments: &[&str]) -> Ended {
    Ended::of(command(arguments).stdin(Stdio::null()).output().unwrap())
}

pub fn unweave_with(variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = command(arguments);
    command.envs(variables.iter().copied());
    Ended::of(command.stdin(Stdio::null()).output().unwrap())
}

pub fn unweave_given(stdin: &[u8], arguments: &[&str]) -> Ended {
    let mut command = command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have read enough before the end.
    let _refused = child.stdin.take().unwrap().write_all(stdin);
    Ended::of(child.wait_with_output().unwrap())
}

/// A pinned file.
pub fn pinned(name: &str) -> String {
    let file = repository().join("shared-models/src/ledger/vectors").join(name);
    file.to_str().unwrap().to_owned()
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The keys of the pinned log.
pub fn pinned_keys() -> Vec<String> {
    std::fs::read_to_string(pinned("keys.txt")).unwrap().lines().map(str::to_owned).collect()
}

/// Signs for the pinned log: one of its keys has the secret of sevens.
pub fn signer(byte: u8) -> LedgerSigner {
    LedgerSigner::new(ORIGIN.parse().unwrap(), byte.to_string(), &[byte; 32]).unwrap()
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder with the pinned copy, which may be altered.
pub fn pinned_copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in files(Path::new(&pinned("copy"))) {
        write(&folder.path().join(&name), &std::fs::read(Path::new(&pinned("copy")).join(&name)).unwrap());
    }
    folder
}

/// Entries that differ by `what`.
pub fn entries(what: &str, count: u64) -> Vec<Value> {
    (0..count).map(|number| json!({ "form": 1, "kind": "later", "what": what, "number": number })).collect()
}

/// Publishes a log of these entries, as a sequencer that does it all at once would; what is there stays there.
pub fn publish(folder: &Path, entries: &[Value], signer: &LedgerSigner) {
    let texts: Vec<_> = entries.iter().map(|entry| canonical(entry).unwrap()).collect();
    let Appended { full, checkpoint, note, .. } = append(Frontier::new(), entries, signer).unwrap();
    let mut log = Frontier::new();
    for entry in &texts {
        log.append(leaf_hash(entry)).unwrap();
    }
    for tile in full.into_iter().chain(log.partial_tiles()) {
        write(&folder.join("log").join(tile.id.path()), &write_tile(&tile.hashes).unwrap());
    }
    for (bundle, texts) in bundles_between(0, checkpoint.size).zip(texts.chunks(256)) {
        write(&folder.join("log").join(bundle.path()), &write_bundle(texts).unwrap());
    }
    write(&folder.join(format!("log/checkpoints/{}", checkpoint.size)), note.as_bytes());
    write(&folder.join("checkpoint"), note.as_bytes());
}

pub fn write(file: &Path, content: &[u8]) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, content).unwrap();
}

/// The names of the files below a folder, in their order.
pub fn files(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            names.extend(files(&entry.path()).iter().map(|below| format!("{name}/{below}")));
        } else {
            names.push(name);
        }
    }
    names.sort();
    names
}

/// One bit of a file is another one.
pub fn flip(file: &Path, byte: usize, bit: usize) {
    let mut content = std::fs::read(file).unwrap();
    content[byte] ^= 1 << bit;
    std::fs::write(file, content).unwrap();
}
