//! Properties of the store clients, against a temporary folder, canned answers and the stand-in.

#[cfg(test)]
mod arf;
#[cfg(test)]
mod arf_azure;
#[cfg(test)]
mod arf_bucket;
#[cfg(test)]
mod arf_bucket_faults;
#[cfg(test)]
mod arf_listing;
#[cfg(test)]
mod arf_removal;
#[cfg(test)]
mod arf_versions;
#[cfg(test)]
mod canned;
#[cfg(test)]
mod embedder;
#[cfg(test)]
mod ledger_azure;
#[cfg(test)]
mod ledger_bucket;
#[cfg(test)]
mod ledger_bucket_faults;
#[cfg(test)]
mod ledger_folder;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod standin;
#[cfg(test)]
mod support;
#[cfg(test)]
mod vespa_answers;
#[cfg(test)]
mod vespa_faults;
#[cfg(test)]
mod vespa_search;
#[cfg(test)]
mod vespa_spelling;
#[cfg(test)]
mod vespa_standin;
#[cfg(test)]
mod vespa_wire;
