//! The stub's config.

use serde::Deserialize;

/// What the owner may set.
#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    pub(super) entity_count: u32,
    pub(super) seed: i64,
    pub(super) generation_delay_ms: u64,
    pub(super) small_entity_weight: u32,
    pub(super) medium_entity_weight: u32,
    pub(super) large_entity_weight: u32,
    pub(super) small_file_weight: u32,
    pub(super) large_file_weight: u32,
    pub(super) code_file_weight: u32,
    pub(super) inject_special_tokens: bool,
    pub(super) custom_content_prefix: Option<String>,
    pub(super) fail_after: i64,
}
