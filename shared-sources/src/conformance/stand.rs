//! The small world that a source brings, in which things can be made to go wrong.

use serde_json::Value;

use super::silence::Silence;
use crate::{Source, SourceAccess};

/// How a source is to be read.
pub(crate) struct Asked {
    pub(crate) config: Value,
    pub(crate) credentials: Value,
    pub(crate) access: SourceAccess,
}

/// A world with a few entities to read. What a source can't have its stand says with `None` or `false`.
pub(crate) trait Stand: Sized {
    const SOURCE: Source;

    async fn start() -> Self;
    fn asked(&self) -> Asked;
    /// What of the credentials nobody may ever see; `None` if nothing of them is secret.
    fn secret(&self) -> Option<String>;
    /// Leaves nothing to read, and says how many entities there are even so: containers.
    async fn empty(&mut self) -> Option<usize>;
    /// Makes something unreadable for now while all else can be read, and says which entity that is.
    async fn hide(&mut self) -> Option<String>;
    /// Adds something that no entity can be made of, and says which entity it would be.
    async fn add_odd(&mut self) -> Option<String>;
    /// Lets the server fail from now on, and says with what words.
    async fn fail(&mut self) -> Option<&'static str>;
    /// Lets the server say nothing any more once it is asked for what comes in this step of a run, the first being 0;
    /// `None` if a run has no such step, or there is no server.
    async fn fall_silent(&mut self, step: usize) -> Option<Silence>;
    /// Leaves about so many small entities, containers included, and not less.
    async fn fill(&mut self, entities: usize) -> bool;
    /// Leaves one entity of about a GiB.
    async fn fill_with_one(&mut self) -> bool;
}
