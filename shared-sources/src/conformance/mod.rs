//! What every source keeps to, whatever it reads. One line in [`sources`] puts a source through all of it.
//!
//! A source brings a [`Stand`]: a small world of its own in which things can be made to go wrong. What a source can't
//! have (nothing to read at all, an entity that can't be read) its stand says with `None` or `false`.

mod logs;
mod memory;
mod properties;
mod run;
mod silence;
mod sources;
mod stand;

pub(crate) use run::Run;
pub(crate) use silence::Silence;
pub(crate) use stand::{Asked, Stand};
