//! What the kernel knows of a process: its processor time, the most memory that it has had.

use test_support::Service;

/// Clock ticks a second of /proc, on every Linux there is.
const TICKS: f64 = 100.0;

/// Seconds of processor time that a running service has taken.
#[must_use]
pub fn cpu_of(service: &Service) -> f64 {
    ticks(&format!("/proc/{}/stat", service.pid().as_raw_nonzero()), [11, 12])
}

/// Seconds of processor time of this process's children that have been waited for.
#[must_use]
pub fn cpu_of_children() -> f64 {
    ticks("/proc/self/stat", [13, 14])
}

fn ticks(path: &str, fields: [usize; 2]) -> f64 {
    let stat = std::fs::read_to_string(path).unwrap();
    let rest: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields.into_iter().map(|at| rest[at].parse::<f64>().unwrap()).sum::<f64>() / TICKS
}

/// The most memory that a running service has ever had, in KiB.
#[must_use]
pub fn peak_kib(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid().as_raw_nonzero())).unwrap();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    kib.trim().trim_end_matches(" kB").parse().unwrap()
}
