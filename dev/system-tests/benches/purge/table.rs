//! Figures, as the tables show them.

/// By what sizes are divided, so that a short run is possible.
#[derive(Debug, Clone, Copy)]
pub struct Scale(pub u64);

impl Scale {
    /// So many, scaled; at least one.
    pub fn of(self, full: u64) -> u64 {
        (full / self.0).max(1)
    }
}

/// Prints a table's head.
pub fn head(title: &str, columns: &[&str]) {
    println!("\n## {title}\n\n| {} |\n|{}", columns.join(" | "), " --- |".repeat(columns.len()));
}

/// Prints a table's row.
pub fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// A figure with its target beside it.
pub fn judged(figure: f64, digits: usize, most: f64) -> String {
    let verdict = if figure <= most { "met" } else { "**MISSED**" };
    format!("{figure:.digits$} (at most {most}: {verdict})")
}

/// One number by another.
pub fn ratio(number: u64, by: u64) -> f64 {
    number_as_f64(number) / number_as_f64(by)
}

/// Exact for what is counted here.
pub fn number_as_f64(number: u64) -> f64 {
    let (high, low) = (u32::try_from(number >> 32).unwrap(), u32::try_from(number & 0xffff_ffff).unwrap());
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

/// With blanks between the thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(' ');
        }
        shown.push(digit);
    }
    shown
}

/// What lies in the middle.
pub fn median(values: &[f64]) -> f64 {
    part(values, 0.5)
}

/// The value that this part of all doesn't exceed.
pub fn part(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    let wanted = part * number_as_f64(last.try_into().unwrap());
    let place = (0..last).find(|place| number_as_f64((*place).try_into().unwrap()) >= wanted).unwrap_or(last);
    sorted[place]
}
