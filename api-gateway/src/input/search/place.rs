//! Where in a body something is, and what is wrong there.

use shared_models::wire::problem::{FieldProblem, Location};

use crate::input::{MAX_FAULTS, shortened};

/// A place in the body, however deep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(Vec<Location>);

impl Place {
    /// A field of the body itself.
    pub fn of(field: &str) -> Self {
        Self(vec![Location::Name("body".to_owned()), Location::Name(field.to_owned())])
    }

    /// A field of the object here.
    pub fn field(&self, name: &str) -> Self {
        self.with(Location::Name(shortened(name)))
    }

    /// An item of the list here.
    pub fn item(&self, index: usize) -> Self {
        self.with(Location::Index(index))
    }

    fn with(&self, step: Location) -> Self {
        let mut place = self.0.clone();
        place.push(step);
        Self(place)
    }
}

/// What is wrong so far.
#[derive(Debug, Default)]
pub struct Faults(Vec<FieldProblem>);

impl Faults {
    /// Adds one.
    pub fn add(&mut self, at: &Place, msg: impl Into<String>, kind: &str) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(FieldProblem { loc: at.0.clone(), msg: msg.into(), kind: kind.to_owned() });
        }
    }

    /// Adds one about a value of the right form that makes no sense here.
    pub fn senseless(&mut self, at: &Place, why: &str) {
        self.add(at, format!("Value error, {why}"), "value_error");
    }

    /// All of them.
    pub fn into_problems(self) -> Vec<FieldProblem> {
        self.0
    }
}
