//! What can't be read for now.

use std::io::Write as _;

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};

use super::*;

/// A chain of folders with names of 250 characters; returns their path and the handle of the last.
fn chain(folders: &Folders, length: usize) -> (String, OwnedFd) {
    let name = "d".repeat(250);
    let mut at = openat(CWD, folders.root(), OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..length {
        mkdirat(&at, &name, Mode::from_raw_mode(0o700)).unwrap();
        at = openat(&at, &name, OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    (vec![name; length].join("/"), at)
}

fn write_at(folder: &OwnedFd, name: &str) {
    let flags = OFlags::CREATE | OFlags::WRONLY;
    let file = openat(folder, name, flags, Mode::from_raw_mode(0o600)).unwrap();
    fs::File::from(file).write_all(b"deep").unwrap();
}

#[tokio::test]
async fn a_folder_that_can_t_be_read_is_counted_and_what_is_in_it_is_not_gone() {
    let folders = Folders::new();
    folders.write("z.txt", "z");
    let (path, last) = chain(&folders, 20);
    write_at(&last, "deep.txt");
    let (entities, summary) = folders.read(json!({})).await.unwrap();
    assert_eq!(ids(&entities), ["z.txt"]);
    assert_eq!(summary.skipped.count(), 1);
    assert!(!summary.seen.means_gone(&format!("{path}/deep.txt")));
    assert!(summary.seen.means_gone("y.txt") && summary.seen.means_gone(&path[..250]));
}

#[tokio::test]
async fn a_file_that_can_t_be_read_is_counted_and_is_not_gone() {
    let folders = Folders::new();
    // The folder's path is just short enough for the system, the long name's isn't.
    let (path, last) = chain(&folders, 16);
    let long = "f".repeat(100);
    write_at(&last, &long);
    write_at(&last, "short");
    let (entities, summary) = folders.read(json!({})).await.unwrap();
    assert_eq!(ids(&entities), [format!("{path}/short")]);
    assert_eq!(summary.skipped.count(), 1);
    assert!(!summary.seen.means_gone(&format!("{path}/{long}")));
    assert!(summary.seen.means_gone(&format!("{path}/other")));
}

#[tokio::test]
async fn a_whole_read_leaves_no_gap() {
    let folders = Folders::new();
    folders.write("a.txt", "a");
    assert_eq!(folders.read(json!({})).await.unwrap().1, ReadSummary::everything());
}

/// Files that change, grow, shrink and vanish while they are read disturb nothing but themselves.
#[tokio::test]
async fn a_folder_in_motion_is_read_to_its_end() {
    let folders = Folders::new();
    for number in 0..400 {
        folders.write(format!("still/{number:03}.txt"), "the same");
        folders.write(format!("moving/{number:03}.txt"), "before");
    }
    let moving = folders.root().join("moving");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let mover = std::thread::spawn(move || {
        for number in (0..400).cycle() {
            if stopped.load(std::sync::atomic::Ordering::Relaxed) {
                break;
            }
            let path = moving.join(format!("{number:03}.txt"));
            match number % 4 {
                0 => fs::write(&path, "x".repeat(100_000)).unwrap(),
                1 => drop(fs::remove_file(&path)),
                2 => {
                    drop(fs::remove_file(&path));
                    drop(symlink("/etc/passwd", &path));
                }
                _ => fs::write(&path, "").unwrap(),
            }
        }
    });
    let (entities, summary) = folders.read(json!({})).await.unwrap();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    mover.join().unwrap();
    assert_eq!(summary.skipped.count(), 0);
    assert_eq!(entities.iter().filter(|entity| entity.id.starts_with("still/")).count(), 400);
    assert!(entities.iter().all(|entity| !entity.text.contains("root:")));
}

#[tokio::test]
async fn a_folder_of_thousands_of_files_is_read() {
    let folders = Folders::new();
    for number in 0..5_000 {
        folders.write(format!("many/{number}"), "x");
    }
    let (entities, summary) = folders.read(json!({})).await.unwrap();
    assert_eq!((entities.len(), summary.skipped.count()), (5_000, 0));
}
