//! `unweave receipt print`: a receipt as a page for people.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use shared_certificate::{Context, certificate};
use shared_models::ledger::{Expectation, Refusal, verify_receipt};
use shared_models::receipt::{MAX_FILE_BYTES, ReceiptFile};

use crate::failure::Failure;
use crate::input;
use crate::keys::Keys;
use crate::output::{Answer, Output};

const EXAMPLES: &str = "Examples:
    unweave receipt print receipt.json --keys keys.txt > certificate.html
  As the API answers it:
    curl -sS -H \"x-api-key: $UNWEAVE_API_KEY\" \"$UNWEAVE_URL/cleanups/$ID/receipt\" \\
      | unweave receipt print - --keys keys.txt > certificate.html

It is one page of HTML that loads nothing: open it in a browser, and print it there or save it as PDF.";

/// What `receipt print` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Print {
    /// The receipt's file; - is standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    #[command(flatten)]
    keys: Keys,
    /// Print it without verifying it first; the page says so then
    #[arg(long, conflicts_with_all = ["key", "keys"])]
    unverified: bool,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl Print {
    pub(super) fn run(&self) -> Result<Answer, Failure> {
        let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
        let file = ReceiptFile::read(&input::read(&self.file, most)?).map_err(Refusal::from)?;
        let mut context = Context { is_unverified: self.unverified, ..Context::default() };
        if !self.unverified {
            if !self.keys.are_given() {
                let text = "--key or --keys verifies it first; --unverified prints it without";
                return Err(Failure::Usage(text.to_owned()));
            }
            let verified = verify_receipt(&file, &self.keys.trusted()?, Expectation::Anything, None)?;
            context.verified_by.push(verified.signed_by.name());
        }
        let page = certificate(&file, &context).map_err(|error| Failure::refused("unknown_form", error.to_string()))?;
        Ok(Answer { lines: page.lines().map(str::to_owned).collect(), json: json!({ "html": page }) })
    }
}
