//! What can't be read for now.

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};

use super::*;
use crate::sources::Seen;

#[tokio::test]
async fn an_unreadable_file_is_counted_and_the_rest_goes_on() {
    let folders = Folders::new();
    folders.write("a.txt", "a");
    folders.write("locked.txt", "b");
    fs::set_permissions(folders.root().join("locked.txt"), fs::Permissions::from_mode(0o0)).unwrap();
    folders.write("z.txt", "z");
    let (entities, summary) = folders.read(json!({})).await.unwrap();
    if rustix::process::geteuid().is_root() {
        // Nothing is locked for root; the next test covers it.
        assert_eq!(entities.len(), 3);
    } else {
        assert_eq!(ids(&entities), ["a.txt", "z.txt"]);
        assert_eq!(summary.skipped, 1);
    }
}

#[tokio::test]
async fn a_path_too_long_for_the_system_is_counted_and_the_rest_goes_on() {
    let folders = Folders::new();
    folders.write("z.txt", "z");
    let name = "d".repeat(250);
    let mut at = openat(CWD, folders.root(), OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..20 {
        mkdirat(&at, &name, Mode::from_raw_mode(0o700)).unwrap();
        at = openat(&at, &name, OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    let (entities, summary) = folders.read(json!({})).await.unwrap();
    assert_eq!(ids(&entities), ["z.txt"]);
    assert_eq!(summary.skipped, 1);
}
