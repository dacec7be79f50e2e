//! The tables of docs/operations.md that say which metrics to watch and which tasks there are.

use std::collections::{BTreeMap, BTreeSet};

/// A metric to watch.
#[derive(Debug)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// Its labels, and what values each has from the start.
    pub labels: BTreeMap<String, Values>,
    /// Which services show it.
    pub services: BTreeSet<String>,
}

/// What values a label has.
#[derive(Debug)]
pub enum Values {
    /// These, all of them.
    These(BTreeSet<String>),
    /// The service's tasks.
    EachTask,
    /// Not told.
    Some,
}

/// Every alarm for a metric of ours.
pub fn alarms() -> Vec<Alarm> {
    let rows = table("| metric | labels | service | alarm when |");
    rows.iter().filter(|row| row[0].starts_with("`unweave_")).flat_map(|row| of_row(row)).collect()
}

/// The tasks of each service. Those that only some settings start aren't among them.
pub fn tasks() -> BTreeMap<String, BTreeSet<String>> {
    let rows = table("| service | tasks |");
    let names = |cell: &str| {
        let names = cell.split(", ").filter(|name| !name.contains(" (with "));
        names.map(|name| name.trim_matches('`').to_owned()).collect()
    };
    rows.iter().map(|row| (row[0].clone(), names(&row[1]))).collect()
}

fn of_row(row: &[String]) -> Vec<Alarm> {
    let services = if row[2] == "all" { "gateway, sync-worker, cleanup-worker" } else { &row[2] };
    let services: BTreeSet<String> = services.split(", ").map(str::to_owned).collect();
    let alarm = |name: &str| Alarm {
        name: name.trim_matches('`').to_owned(),
        labels: row[1].split("; ").filter(|label| !label.is_empty()).map(label).collect(),
        services: services.clone(),
    };
    row[0].split(", ").map(alarm).collect()
}

/// `` `label`: value, value ``
fn label(text: &str) -> (String, Values) {
    let (name, values) = text.split_once(": ").unwrap_or_else(|| panic!("{text}"));
    let values = match values {
        "each task" => Values::EachTask,
        "each connection" => Values::Some,
        values => Values::These(values.split(", ").map(str::to_owned).collect()),
    };
    (name.trim_matches('`').to_owned(), values)
}

/// The rows of the table with this head.
fn table(head: &str) -> Vec<Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().skip_while(|line| *line != head).skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}
