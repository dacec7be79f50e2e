//! The demo's data: real files of this machine, and a database filled from their metadata.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::environment::Environment;

/// A copied file.
#[derive(Debug, Clone)]
pub(super) struct DemoFile {
    /// The crate that it is from.
    pub(super) package: String,
    /// Path below the demo's root.
    pub(super) path: String,
    /// Bytes.
    pub(super) size: u64,
}

/// The folder and what is in it.
#[derive(Debug)]
pub(super) struct DemoData {
    pub(super) root: PathBuf,
    pub(super) files: Vec<DemoFile>,
}

const LARGEST: u64 = 100 * 1024;

/// Copies `count` source files of the crates that Cargo downloaded to `target`, so that the demo may change them.
pub(super) fn copy_files(
    caller: &Environment,
    target: &Path,
    count: usize,
    progress: &dyn Fn(usize),
) -> Result<DemoData> {
    let home = || caller.get("HOME").map(|home| Path::new(home).join(".cargo"));
    let cargo =
        caller.get("CARGO_HOME").map(PathBuf::from).or_else(home).context("neither CARGO_HOME nor HOME is set")?;
    let registry = cargo.join("registry/src");
    let mut files = Vec::new();
    for index in folders(&registry).with_context(|| format!("find crate sources below {}", registry.display()))? {
        for package in folders(&index)? {
            copy_package(&package, target, count, &mut files, progress)?;
            if files.len() >= count {
                return Ok(DemoData { root: target.to_owned(), files });
            }
        }
    }
    ensure!(files.len() >= 500, "only {} source files below {}: too few for the demo", files.len(), registry.display());
    Ok(DemoData { root: target.to_owned(), files })
}

/// At most 60 files of one crate, so that many crates are there.
fn copy_package(
    package: &Path,
    target: &Path,
    count: usize,
    files: &mut Vec<DemoFile>,
    progress: &dyn Fn(usize),
) -> Result<()> {
    let name = package.file_name().and_then(|name| name.to_str()).context("a crate without a name")?.to_owned();
    let mut found = Vec::new();
    find_text(package, &mut found)?;
    found.sort();
    for from in found.into_iter().take(60.min(count - files.len().min(count))) {
        let Ok(below) = from.strip_prefix(package) else { continue };
        let Some(below) = below.to_str() else { continue };
        let to = target.join(&name).join(below);
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        }
        let text = std::fs::read(&from).with_context(|| format!("read {}", from.display()))?;
        std::fs::write(&to, &text).with_context(|| format!("write {}", to.display()))?;
        let size = u64::try_from(text.len()).unwrap_or(0);
        files.push(DemoFile { package: name.clone(), path: format!("{name}/{below}"), size });
        progress(files.len());
    }
    Ok(())
}

fn find_text(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let is_text = path.extension().and_then(|e| e.to_str()).is_some_and(|e| ["rs", "md", "toml"].contains(&e));
        if kind.is_dir() {
            find_text(&path, found)?;
        } else if kind.is_file() && is_text && entry.metadata()?.len() <= LARGEST {
            found.push(path);
        }
    }
    Ok(())
}

fn folders(parent: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

/// Appends a line to every file: the next sync has work to do.
pub(super) fn change(data: &DemoData) -> Result<()> {
    use std::io::Write as _;
    for file in &data.files {
        let path = data.root.join(&file.path);
        let mut open = std::fs::File::options().append(true).open(&path)?;
        writeln!(open, "\n// changed by the demo").with_context(|| format!("change {}", path.display()))?;
    }
    Ok(())
}

/// The name of the database that the demo fills as a source.
pub(super) const DATABASE: &str = "demo_source";

/// Makes a database of the files' metadata: one row a file.
pub(super) async fn fill_database(admin_url: &str, data: &DemoData) -> Result<()> {
    let admin = super::facts::connect(admin_url).await?;
    admin.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await.context("create the source database")?;
    let mut url = url::Url::parse(admin_url).context("read the database's URL")?;
    url.set_path(DATABASE);
    let source = super::facts::connect(url.as_str()).await?;
    source
        .batch_execute(
            "CREATE TABLE source_file (id integer PRIMARY KEY, title text NOT NULL, crate_name text NOT NULL,
                                       path text NOT NULL, size_bytes bigint NOT NULL)",
        )
        .await?;
    let insert = source.prepare("INSERT INTO source_file VALUES ($1, $2, $3, $4, $5)").await?;
    source.batch_execute("BEGIN").await?;
    for (number, file) in data.files.iter().enumerate() {
        let id = i32::try_from(number)?;
        let title = format!("{} of crate {}", file.path.rsplit('/').next().unwrap_or(&file.path), file.package);
        let size = i64::try_from(file.size)?;
        source.execute(&insert, &[&id, &title, &file.package, &file.path, &size]).await.context("fill a row")?;
    }
    source.batch_execute("COMMIT").await?;
    Ok(())
}
