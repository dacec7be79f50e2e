//! The page, from its head to its foot.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use shared_models::PurgeTarget;
use shared_models::ledger::read_unverified_checkpoint;
use shared_models::receipt::{LaterCheck, Receipt, ReceiptFile, TargetReceipt};

use crate::Context;
use crate::style::STYLE;
use crate::words::{count, moment, place, removed, seconds, superseded, thousands, verified, writer_end};

pub fn page(file: &ReceiptFile, receipt: &Receipt, context: &Context) -> Markup {
    let title = format!("Certificate of deletion {}", receipt.receipt_id);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Certificate of deletion" }
                    p { "Issued on " (moment(receipt.issued_at)) ". All times are in Coordinated Universal Time." }
                }
                (void(context))
                main {
                    (statement(receipt))
                    (what(receipt))
                    (who(file, receipt, context))
                    (since(receipt))
                    (copies(receipt))
                    (left(receipt))
                    // The foot is never alone on a sheet.
                    div.keep {
                        (proof(file, receipt, context))
                        footer {
                            "This page was made from the receipt with the number " code { (receipt.receipt_id) }
                            " by Unweave, the service that held the data. It is for reading: the receipt’s file is what \
                             proves it."
                        }
                    }
                }
            }
        }
    }
}

/// What no longer holds, or wasn't verified, says so before everything else.
fn void(context: &Context) -> Markup {
    html! {
        @if context.is_unverified {
            p.void { "Nobody verified the receipt before this page was made from it." }
        }
        @if let Some((at, reason)) = context.superseded {
            p.void {
                "This certificate no longer holds since " (moment(at)) ": " (superseded(reason)) ". Ask for the one that \
                 follows it."
            }
        }
    }
}

fn statement(receipt: &Receipt) -> Markup {
    let again = receipt.settle_delay_seconds.map(seconds);
    html! {
        p {
            "Everything that this service had copied from the source below was removed. "
            @if let Some(delay) = again {
                "Each place that had held a copy was found empty, and found empty again at least " (delay) " later."
            } @else {
                "Each place that had held a copy was found empty."
            }
        }
    }
}

fn facts<'a>(rows: impl IntoIterator<Item = (&'a str, Markup)>) -> Markup {
    html! {
        table.facts {
            @for (name, text) in rows { tr { th scope="row" { (name) } td { (text) } } }
        }
    }
}

fn id(id: impl ToString) -> Markup {
    html! { code { (id.to_string()) } }
}

fn what(receipt: &Receipt) -> Markup {
    let records = count(receipt.entity_rows_deleted, "record of what was copied", "records of what was copied");
    html! {
        section {
            h2 { "What was deleted" }
            (facts([
                ("The connection", id(receipt.source_connection_id)),
                ("In the collection", id(receipt.collection_id)),
                ("Of the organization", id(receipt.organization_id)),
                ("With it went", html! {
                    (records) ", the stored credentials, the schedule and the history of the copying."
                }),
            ]))
        }
    }
}

fn who(file: &ReceiptFile, receipt: &Receipt, context: &Context) -> Markup {
    let reference = file.reference.as_ref().map(|opening| opening.reference.to_string());
    let key = receipt.requested_by.map(|key| {
        html! {
            "The access key " (id(key))
            @if let Some(name) = &context.requested_by_name {
                ", called “" (name) "” when this page was made"
            }
        }
    });
    let mut rows = vec![("Asked for on", html! { (moment(receipt.deletion_requested_at)) })];
    match (reference, receipt.deletion_reference_hash) {
        (Some(reference), _) => rows.push(("Under the reference", html! { strong { (reference) } })),
        (None, Some(_)) => rows.push(("Under the reference", html! { "one that this file doesn’t tell" })),
        (None, None) => {}
    }
    rows.push(("Asked for by", key.unwrap_or_else(|| html! { "whoever runs the service" })));
    if let Some(request) = receipt.request_id {
        rows.push(("In the request", id(request)));
    }
    html! { section { h2 { "Who asked, and when" } (facts(rows)) } }
}

fn since(receipt: &Receipt) -> Markup {
    let mut rows = vec![
        ("No search found it since", html! { strong { (moment(receipt.deletion_requested_at)) } }),
        (
            "Records and credentials were gone on",
            html! {
                (moment(receipt.rows_deleted_at)) ". " (writer_end(receipt.writer_end))
            },
        ),
    ];
    if let Some(at) = receipt.blob_key_destroyed_at {
        rows.push((
            "The key of its files was destroyed on",
            html! {
                (moment(at)) ". "
                @if receipt.has_plain_blobs {
                    "Some files may have been written before there was a key."
                } @else {
                    "All its files were encrypted with that key: what may be left of them in copies is unreadable, but for \
                 whoever has both a backup of the database from before and the keys of the service."
                }
            },
        ));
    }
    html! { section { h2 { "Since when nobody could reach it" } (facts(rows)) } }
}

fn copies(receipt: &Receipt) -> Markup {
    html! {
        section {
            h2 { "When each copy was gone" }
            table.copies {
                thead { tr { th { "Where" } th { "Removed" } th { "Found empty" } th { "Found empty again" } } }
                tbody {
                    @for (target, of) in &receipt.targets { (copy(*target, of)) }
                }
            }
            p {
                @for (target, of) in &receipt.targets {
                    (place(*target)) ": checked by " (verified(of.verified_by)) ". "
                }
                @match receipt.later_check {
                    Some(LaterCheck::Due { at }) => { "It will be checked once more on " (moment(at)) "." }
                    Some(LaterCheck::Made { at }) => { "It was checked once more on " (moment(at)) "." }
                    None => {}
                }
            }
        }
    }
}

fn copy(target: PurgeTarget, of: &TargetReceipt) -> Markup {
    let first = of.verifications.first().filter(|_| of.verifications.len() > 1);
    html! {
        tr {
            td { (place(target)) }
            td { (removed(target, of.removed)) }
            td { (moment(first.map_or(of.verified_empty_at, |first| first.at))) }
            td { @if first.is_some() { (moment(of.verified_empty_at)) } @else { "not recorded" } }
        }
    }
}

fn left(receipt: &Receipt) -> Markup {
    html! {
        @if !(receipt.out_of_reach.is_empty() && receipt.out_of_reach_until.is_empty()) {
            section {
                h2 { "What this service can’t reach" }
                ul {
                    @for text in &receipt.out_of_reach { li { (text) } }
                    @for of in &receipt.out_of_reach_until {
                        li { "The operator says: " (of.what) ", until " (moment(of.until)) "." }
                    }
                }
            }
        }
    }
}

fn proof(file: &ReceiptFile, receipt: &Receipt, context: &Context) -> Markup {
    let mut rows =
        vec![("Number of the receipt", id(receipt.receipt_id)), ("Signed by the key", id(&file.signature.key_id))];
    rows.push(("In the deletion ledger", match &file.ledger {
        Some(ledger) => html! {
            "Entry number " (thousands(ledger.index))
            @if let Ok(checkpoint) = read_unverified_checkpoint(&ledger.checkpoint) {
                " of " (id(&checkpoint.origin)) ", which had " (count(checkpoint.size, "entry", "entries"))
                " then and the root " (id(checkpoint.root))
            }
        },
        None => html! { "Not yet: the receipt is signed, and enters it within seconds. Get the certificate again then." },
    }));
    if !context.verified_by.is_empty() {
        let keys = context.verified_by.join(", ");
        rows.push(("Verified before printing", html! { "The file was verified with the key " (id(keys)) }));
    }
    if let Some(before) = receipt.follows {
        rows.push(("It follows the receipt", id(before)));
    }
    html! {
        section {
            h2 { "How to verify it" }
            (facts(rows))
            p {
                "Keep the receipt’s file with this page, and get the operator’s public key by a way that you trust, not from \
                 the file. Then the command "
                code { "unweave receipt verify receipt.json --key KEY --connection " (receipt.source_connection_id) }
                " checks, without any connection to the service, that the receipt is signed, that it is of this deletion, \
                 and that it stands in the deletion ledger. That is a record that only grows: whoever keeps its signed \
                 state, as this file does, notices if anything before it is altered. The formats are published: any other \
                 program can do the same."
            }
        }
    }
}
