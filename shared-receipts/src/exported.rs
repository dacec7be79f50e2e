//! What is written of each receipt.

use shared_models::wire::ledger::CleanupReceipt;

/// A receipt of an export.
pub(crate) struct Exported {
    pub(crate) receipt: CleanupReceipt,
    pub(crate) requested_by_name: Option<String>,
}
