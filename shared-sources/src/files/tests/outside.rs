//! Nothing outside of the root is read.

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;
use crate::files::beneath::PathProblem;

#[tokio::test]
async fn a_path_out_of_the_root_is_refused() {
    let folders = Folders::new();
    folders.write("in/a.txt", "a");
    let absolute = folders.base.path().join("outside");
    for path in ["..", "../outside", "in/../../outside", absolute.to_str().unwrap(), "/"] {
        let error = folders.read(json!({"path": path})).await.unwrap_err();
        assert!(matches!(error, SourceError::Misconfigured(_)));
        assert_eq!(error.to_string(), format!("path '{path}' is outside of its root"));
    }
}

#[tokio::test]
async fn a_path_over_a_link_is_refused_wherever_it_points_to_and_the_root_may_be_one() {
    let folders = Folders::new();
    folders.write("in/deep/a.txt", "a");
    symlink(folders.base.path().join("outside"), folders.root().join("absolute")).unwrap();
    symlink("../outside", folders.root().join("relative")).unwrap();
    symlink("loop", folders.root().join("loop")).unwrap();
    symlink("in", folders.root().join("inner")).unwrap();
    symlink("deep", folders.root().join("in/last")).unwrap();
    let link = folders.base.path().join("link-to-root");
    symlink("root", &link).unwrap();
    let limits = limits_of(&link);
    assert_eq!(ids(&read(&limits, "docs", json!({"path": "in"})).await.unwrap().0), ["in/deep/a.txt"]);
    for path in ["absolute", "relative", "loop", "inner", "inner/deep", "in/last"] {
        let error = read(&limits, "docs", json!({"path": path})).await.unwrap_err();
        assert!(matches!(error, SourceError::Misconfigured(_)));
        assert_eq!(error.to_string(), format!("path '{path}' leads over a symbolic link; links are not followed"));
        // The same without `openat2`.
        for root in [Beneath::open_root(&link).unwrap(), Beneath::open_root(&link).unwrap().without_openat2()] {
            assert!(matches!(root.descend(path), Err(PathProblem::Link)), "{path}");
        }
    }
}

#[tokio::test]
async fn links_pipes_and_vanished_names_yield_nothing() {
    let folders = Folders::new();
    folders.write("real.txt", "real");
    symlink(folders.base.path().join("outside/secret.txt"), folders.root().join("file-link.txt")).unwrap();
    symlink(folders.base.path().join("outside"), folders.root().join("folder-link")).unwrap();
    symlink("real.txt", folders.root().join("inner-link.txt")).unwrap();
    mknodat(CWD, folders.root().join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let (entities, summary) = folders.read(json!({})).await.unwrap();
    assert_eq!(ids(&entities), ["real.txt"]);
    assert_eq!(summary.skipped.count(), 0);
}

/// What a walk opens if names are swapped after it listed them; with and without `openat2`.
#[test]
fn a_name_that_became_a_link_or_pipe_is_not_opened() {
    let folders = Folders::new();
    folders.write("real.txt", "real");
    folders.write("inner/file.txt", "inner");
    symlink(folders.base.path().join("outside/secret.txt"), folders.root().join("link.txt")).unwrap();
    symlink(folders.base.path().join("outside"), folders.root().join("folder")).unwrap();
    symlink("inner", folders.root().join("inner-link")).unwrap();
    mknodat(CWD, folders.root().join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let root = || Beneath::open_root(&folders.root()).unwrap();
    for handle in [root(), root().without_openat2()] {
        for path in ["link.txt", "folder/secret.txt", "inner-link/file.txt", "pipe", "../outside/secret.txt", "gone"] {
            assert!(handle.open_file(Path::new(path)).unwrap().is_none(), "{path}");
        }
        assert!(handle.open_file(Path::new("real.txt")).unwrap().is_some());
        assert!(handle.open_file(Path::new("inner/file.txt")).unwrap().is_some());
        assert!(handle.list(Path::new("folder")).is_err());
        assert_eq!(handle.list(Path::new("")).unwrap().len(), 6);
    }
    assert!(root().without_openat2().descend("folder").is_err());
    assert_eq!(root().without_openat2().descend("inner").unwrap().1, Path::new("inner"));
}
