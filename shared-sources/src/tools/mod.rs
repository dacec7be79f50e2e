//! What readers share: text fit for the index, room in memory, patterns, times, what names tell.

pub(crate) mod breadcrumbs;
pub(crate) mod busy;
pub(crate) mod content;
pub(crate) mod cut;
pub(crate) mod entries;
pub(crate) mod http;
pub(crate) mod kinds;
pub(crate) mod memory;
pub(crate) mod patterns;
pub(crate) mod reasons;
pub(crate) mod text;
pub(crate) mod times;
pub(crate) mod url;
