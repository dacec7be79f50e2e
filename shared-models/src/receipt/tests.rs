//! Receipts: their forms, their signatures, and what they must say.

use super::*;
use crate::ledger::{LedgerSigner, TrustedKeys};

fn signer(byte: u8) -> LedgerSigner {
    LedgerSigner::new("unweave.example.org/ledger".parse().unwrap(), "2026".to_owned(), &[byte; 32]).unwrap()
}

fn trust(byte: u8) -> TrustedKeys {
    signer(byte).verifier().clone().into()
}

/// Made by a version before blob keys.
const FORM_1: &str = include_str!("form_1.json");
/// Made by a version before the ledger.
const FORM_2: &str = include_str!("form_2.json");

fn read(text: &str) -> (SignedReceipt, Receipt) {
    let signed: SignedReceipt = serde_json::from_str(text).unwrap();
    let receipt = serde_json::from_value(signed.receipt.clone()).unwrap();
    (signed, receipt)
}

/// As form 3 says it.
fn receipt() -> Receipt {
    let mut receipt = read(FORM_2).1;
    receipt.form = FORM;
    receipt.settle_delay_seconds = Some(60);
    for target in receipt.targets.values_mut() {
        let last = VerifiedEmpty { at: target.verified_empty_at, by: target.verified_by };
        target.verifications = vec![VerifiedEmpty { at: last.at - TimeDelta::seconds(60), ..last }, last];
    }
    receipt
}

#[test]
fn a_receipt_verifies_after_a_round_trip_through_json() {
    let signed = signer(7).sign_receipt(&receipt()).unwrap();
    let (read, content) = read(&serde_json::to_string_pretty(&signed).unwrap());
    assert_eq!(read.signed_by(&trust(7)).unwrap(), signer(7).verifier());
    assert_eq!(content, receipt());
    assert_eq!(signed.signature.public_key, None);
}

#[test]
fn receipts_of_earlier_forms_stay_readable_and_verify_by_the_key_that_signed_them() {
    let (signed, receipt) = read(FORM_1);
    signed.signed_by(&trust(7)).unwrap();
    assert_eq!((receipt.form, receipt.blob_key_destroyed_at, receipt.has_plain_blobs), (1, None, true));
    assert_eq!(receipt.check(), Err(Fault::LacksTarget(PurgeTarget::Arf)));
    let (signed, receipt) = read(FORM_2);
    signed.signed_by(&trust(7)).unwrap();
    assert_eq!((receipt.form, receipt.settle_delay_seconds, receipt.check()), (2, None, Ok(())));
    assert!(matches!(signed.signed_by(&trust(8)), Err(ReceiptError::UnknownKey(_))));
}

#[test]
fn an_altered_receipt_is_refused_in_every_form() {
    let signed = signer(7).sign_receipt(&receipt()).unwrap();
    for mut altered in [signed, read(FORM_1).0, read(FORM_2).0] {
        altered.receipt["entity_rows_deleted"] = 2.into();
        assert!(matches!(altered.signed_by(&trust(7)), Err(ReceiptError::Mismatch)));
    }
}

#[test]
fn a_receipt_by_another_key_is_refused_whatever_the_file_says() {
    let mut signed = signer(8).sign_receipt(&receipt()).unwrap();
    assert!(matches!(signed.signed_by(&trust(7)), Err(ReceiptError::UnknownKey(_))));
    signed.signature.public_key = Some("6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=".to_owned());
    assert!(matches!(signed.signed_by(&trust(8)), Err(ReceiptError::Malformed(_))));
    signed.signature.public_key = None;
    signed.signature.key_id = signer(7).verifier().name();
    assert!(matches!(signed.signed_by(&trust(7)), Err(ReceiptError::Mismatch)));
}

/// What is signed of one form is no signature of another one, though the key is the same.
#[test]
fn a_signature_holds_for_its_form_only() {
    let mut bare = read(FORM_2).0;
    bare.receipt["form"] = 3.into();
    bare.signature.public_key = None;
    bare.signature.key_id = signer(7).verifier().name();
    bare.signature.value = base64_of(&signer(7).sign(&serde_jcs::to_vec(&bare.receipt).unwrap()));
    assert!(matches!(bare.signed_by(&trust(7)), Err(ReceiptError::Mismatch)));
    bare.receipt["form"] = 4.into();
    assert!(matches!(bare.signed_by(&trust(7)), Err(ReceiptError::UnknownForm(4))));
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn what_is_signed_says_what_it_is() {
    let signed = signer(7).sign_receipt(&receipt()).unwrap();
    let mut text = b"unweave receipt 3\nalgorithm Ed25519\nkey unweave.example.org/ledger+".to_vec();
    text.extend(format!("{}\n\n", &signer(7).verifier().to_string()["unweave.example.org/ledger+".len()..]).bytes());
    text.extend(serde_jcs::to_vec(&signed.receipt).unwrap());
    assert_eq!(signed.signature.value, base64_of(&signer(7).sign(&text)));
    assert_eq!(
        (signed.signature.algorithm.as_str(), signed.signature.key_id),
        ("Ed25519", signer(7).verifier().name())
    );
}

#[test]
fn what_certifies_nothing_is_not_signed() {
    let refused = |change: fn(&mut Receipt)| {
        let mut receipt = receipt();
        change(&mut receipt);
        assert_eq!(signer(7).sign_receipt(&receipt).is_err(), receipt.form != FORM || receipt.check().is_err());
        receipt.check()
    };
    fn vespa(receipt: &mut Receipt) -> &mut TargetReceipt {
        receipt.targets.get_mut(&PurgeTarget::Vespa).unwrap()
    }
    let lacks = Err(Fault::LacksVerification(PurgeTarget::Vespa));
    assert_eq!(refused(|_| ()), Ok(()));
    assert_eq!(refused(|it| it.form = 2), Ok(()));
    assert_eq!(refused(|it| drop(it.targets.remove(&PurgeTarget::Arf))), Err(Fault::LacksTarget(PurgeTarget::Arf)));
    assert_eq!(refused(|it| it.settle_delay_seconds = None), Err(Fault::LacksSettleDelay));
    assert_eq!(refused(|it| vespa(it).verifications.clear()), lacks);
    assert_eq!(refused(|it| vespa(it).verifications.reverse()), lacks);
    assert_eq!(refused(|it| vespa(it).verified_empty_at += TimeDelta::microseconds(1)), lacks);
    assert_eq!(refused(|it| vespa(it).verified_by = Verification::EmptyListing), lacks);
    let not_settled = Err(Fault::NotSettled(PurgeTarget::Vespa));
    assert_eq!(refused(|it| vespa(it).verifications = vespa(it).verifications.split_off(1)), not_settled);
    assert_eq!(refused(|it| vespa(it).verifications[0].at += TimeDelta::microseconds(1)), not_settled);
    assert_eq!(refused(|it| it.settle_delay_seconds = Some(u64::MAX)), Err(Fault::NotSettled(PurgeTarget::Vespa)));
    // Without a delay one verification is both.
    assert_eq!(
        refused(|it| {
            it.settle_delay_seconds = Some(0);
            it.targets.values_mut().for_each(|target| target.verifications = target.verifications.split_off(1));
        }),
        Ok(())
    );
}

#[test]
fn what_is_too_large_for_the_ledger_is_not_signed() {
    let mut receipt = receipt();
    receipt.out_of_reach.push("x".repeat(16 * 1024));
    assert!(matches!(signer(7).sign_receipt(&receipt), Err(ReceiptError::NoEntry(_))));
}

#[test]
fn a_file_that_readers_may_read_differently_is_refused() {
    let file = ReceiptFile::from(signer(7).sign_receipt(&receipt()).unwrap());
    let text = serde_json::to_string(&file).unwrap();
    assert_eq!(ReceiptFile::read(text.as_bytes()).unwrap(), file);
    assert_eq!(ReceiptFile::read(FORM_2.as_bytes()).unwrap().signed(), read(FORM_2).0);
    for altered in [
        text.replacen("{\"receipt\":", "{\"receipt\":{},\"receipt\":", 1),
        text.replacen("\"rounds\":1", "\"rounds\":2,\"rounds\":1", 1),
        text.replacen("{\"receipt\":", "{\"checked\":\"by me\",\"receipt\":", 1),
        text.replacen("\"rounds\":1", "\"rounds\":1.0", 1),
        format!("{text}{text}"),
        " ".repeat(MAX_FILE_BYTES) + &text,
    ] {
        assert!(ReceiptFile::read(altered.as_bytes()).is_err());
    }
}

#[test]
fn the_later_check_is_due_or_made() {
    let at = receipt().issued_at;
    for (check, text) in [
        (LaterCheck::Due { at }, r#"{"state":"due","at":"2026-09-21T14:13:20.123456Z"}"#),
        (LaterCheck::Made { at }, r#"{"state":"made","at":"2026-09-21T14:13:20.123456Z"}"#),
    ] {
        assert_eq!(serde_json::to_string(&check).unwrap(), text);
        assert_eq!(serde_json::from_str::<LaterCheck>(text).unwrap(), check);
    }
}

/// Of an organization whose one receipt is [`receipt`].
fn summary() -> DeletionSummary {
    let signed = signer(7).sign_receipt(&receipt()).unwrap();
    let at = receipt().issued_at;
    DeletionSummary {
        form: SUMMARY_FORM,
        organization_id: receipt().organization_id,
        deletion_requested_at: at,
        organization_deleted_at: at,
        receipts: vec![SummarizedReceipt::of(&signed.receipt).unwrap()],
        issued_at: at,
    }
}

#[test]
fn a_summary_verifies_by_its_key_alone_and_not_if_anything_of_it_is_altered() {
    let file = signer(7).sign_summary(&summary()).unwrap();
    let text = serde_json::to_vec(&file).unwrap();
    let (read, signed_by) = (SummaryFile::read(&text).unwrap(), signer(7));
    let keys = trust(7);
    assert_eq!(read.verify(&keys).unwrap(), (summary(), signed_by.verifier()));
    assert!(matches!(read.verify(&trust(8)), Err(ReceiptError::UnknownKey(_))));
    let mut seen = 0;
    for at in 0..text.len() {
        let mut altered = text.clone();
        altered[at] ^= 1;
        if let Ok(file) = SummaryFile::read(&altered) {
            seen += 1;
            assert!(file.verify(&keys).is_err(), "byte {at}");
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn no_signature_of_a_receipt_is_one_of_a_summary_or_the_other_way_round() {
    let receipt = signer(7).sign_receipt(&receipt()).unwrap();
    let summary = signer(7).sign_summary(&summary()).unwrap();
    let as_summary = SummaryFile { summary: receipt.receipt.clone(), signature: receipt.signature.clone() };
    assert!(as_summary.verify(&trust(7)).is_err());
    let mut as_receipt = receipt;
    as_receipt.signature = summary.signature.clone();
    assert!(matches!(as_receipt.signed_by(&trust(7)), Err(ReceiptError::Mismatch)));
    // The same content, signed as the other thing.
    let mut content = summary.summary.clone();
    content.as_object_mut().unwrap().insert("form".to_owned(), FORM.into());
    let as_receipt = SignedReceipt { receipt: content, signature: summary.signature };
    assert!(matches!(as_receipt.signed_by(&trust(7)), Err(ReceiptError::Mismatch)));
}
