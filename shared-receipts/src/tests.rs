//! What can be said without a database. The exports themselves are tested where there is one: in the gateway.

use std::collections::BTreeSet;

use crate::export::Format;
use crate::table::no_formula;

#[test]
fn a_text_is_never_a_formula_in_a_spreadsheet() {
    for formula in ["=1+1", "+49 30", "-2", "@SUM(A1)", "\t=1", "\r=1"] {
        assert_eq!(no_formula(formula), format!("'{formula}"));
    }
    for text in ["DSAR-2026-042", "", "a=b", "'quoted"] {
        assert_eq!(no_formula(text), text);
    }
}

#[test]
fn formats_are_told_apart_and_read_as_they_are_written() {
    let names: BTreeSet<_> = Format::ALL.iter().map(|format| format.as_str()).collect();
    assert_eq!(names, Format::NAMES.iter().copied().collect());
    for format in Format::ALL {
        assert_eq!(format.as_str().parse(), Ok(format));
    }
    assert!("xlsx".parse::<Format>().is_err());
}
