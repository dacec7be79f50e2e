//! What is evidence, and each reason why something isn't.

use super::example::{Example, KEPT, RECEIPT_AT, SIZE, id, signer};
use crate::ledger::*;
use crate::receipt::*;
use crate::*;

fn verified(example: &Example, file: &ReceiptFile) -> Result<Verified, Refusal> {
    verify_receipt(file, &example.keys, Expectation::Anything, None)
}

fn refused(example: &Example, change: impl FnOnce(&mut ReceiptFile)) -> Refusal {
    let mut file = example.receipt.clone();
    change(&mut file);
    verified(example, &file).unwrap_err()
}

#[test]
fn a_receipt_in_the_ledger_is_evidence_of_its_deletion() {
    let example = Example::new();
    let cleanup = Expectation::Cleanup(CleanupId(id(5)));
    let known = SupersededReceipts::default();
    let verified = verify_receipt(&example.receipt, &example.keys, cleanup, Some(&known)).unwrap();
    assert_eq!(
        verified.checked,
        [
            Checked::Signature,
            Checked::Deletion,
            Checked::Targets,
            Checked::Reference,
            Checked::Inclusion,
            Checked::NotSuperseded
        ]
    );
    assert_eq!((verified.reference.as_deref(), &verified.signed_by), (Some("GDPR-42"), signer(7).verifier()));
    let in_ledger = verified.in_ledger.unwrap();
    assert_eq!(in_ledger.index, u64::try_from(RECEIPT_AT).unwrap());
    assert_eq!(in_ledger.leaf, leaf_hash(&example.entries[RECEIPT_AT]));
    assert_eq!(in_ledger.checkpoint.checkpoint.size, u64::try_from(SIZE).unwrap());
    assert_eq!(in_ledger.checkpoint.signed_by, *signer(8).verifier());
    let connection = Expectation::Connection(SourceConnectionId(id(3)));
    assert!(verify_receipt(&example.receipt, &example.keys, connection, None).is_ok());
}

#[test]
fn a_signed_receipt_that_isnt_published_yet_is_told_from_one_that_is() {
    let example = Example::new();
    let file = ReceiptFile { ledger: None, reference: None, ..example.receipt.clone() };
    let verified = verified(&example, &file).unwrap();
    assert_eq!((verified.in_ledger, verified.reference), (None, None));
    assert_eq!(verified.checked, [Checked::Signature, Checked::Targets]);
}

#[test]
fn a_receipt_of_an_earlier_form_is_evident_once_it_is_in_the_ledger() {
    let example = Example::new();
    let verified = verified(&example, &example.old).unwrap();
    assert_eq!(verified.checked, [Checked::Signature, Checked::Targets, Checked::Inclusion]);
    assert_eq!(verified.receipt.form, 2);
}

#[test]
fn a_receipt_of_another_deletion_is_refused() {
    let example = Example::new();
    for other in [Expectation::Cleanup(CleanupId(id(3))), Expectation::Connection(SourceConnectionId(id(5)))] {
        let refused = verify_receipt(&example.receipt, &example.keys, other, None).unwrap_err();
        let Refusal::OtherDeletion { connection, cleanup } = refused else { panic!("{refused}") };
        assert_eq!((connection, cleanup), (SourceConnectionId(id(3)), CleanupId(id(5))));
    }
}

#[test]
fn a_receipt_that_the_ledger_supersedes_is_refused() {
    let example = Example::new();
    let mut copy = LogCopy::new([]);
    for entry in &example.entries {
        copy.add_entry(entry).unwrap();
    }
    let refused =
        verify_receipt(&example.superseded, &example.keys, Expectation::Anything, Some(copy.superseded())).unwrap_err();
    assert!(refused.to_string().starts_with("superseded since 2026-"), "{refused}");
    assert!(verified(&example, &example.superseded).is_ok());
    assert!(verify_receipt(&example.receipt, &example.keys, Expectation::Anything, Some(copy.superseded())).is_ok());
}

#[test]
fn a_receipt_by_an_unknown_key_or_an_altered_one_is_refused() {
    let example = Example::new();
    let only_new = signer(8).verifier().clone().into();
    let refusal = verify_receipt(&example.receipt, &only_new, Expectation::Anything, None).unwrap_err();
    assert!(matches!(refusal, Refusal::UnknownKey(_)), "{refusal}");
    let refusal = verify_receipt(&example.receipt, &TrustedKeys::default(), Expectation::Anything, None).unwrap_err();
    assert!(matches!(refusal, Refusal::UnknownKey(_)), "{refusal}");
    let refusal = refused(&example, |file| file.receipt["entity_rows_deleted"] = 4.into());
    assert!(matches!(refusal, Refusal::Altered), "{refusal}");
    let refusal = refused(&example, |file| file.receipt["form"] = 9.into());
    assert!(matches!(refusal, Refusal::UnknownForm(9)), "{refusal}");
    let refusal = refused(&example, |file| file.receipt = 7.into());
    assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
}

#[test]
fn a_receipt_that_lacks_a_target_or_its_verification_is_refused_though_it_is_signed() {
    let example = Example::new();
    let form_1 = ReceiptFile::read(include_bytes!("../../receipt/form_1.json")).unwrap();
    let refusal = verified(&example, &form_1).unwrap_err();
    assert!(matches!(refusal, Refusal::LacksTarget(PurgeTarget::Arf)), "{refusal}");
}

#[test]
fn an_opening_that_doesnt_match_is_refused() {
    let example = Example::new();
    let refusal = refused(&example, |file| file.reference.as_mut().unwrap().reference.push('3'));
    assert!(matches!(refusal, Refusal::Reference), "{refusal}");
    let opening = example.receipt.reference.clone();
    let old = ReceiptFile { reference: opening, ..example.old.clone() };
    assert!(matches!(verified(&example, &old), Err(Refusal::Reference)));
}

#[test]
fn a_proof_that_doesnt_lead_to_a_signed_root_is_refused() {
    let example = Example::new();
    let refusal = refused(&example, |file| file.ledger.as_mut().unwrap().index += 1);
    assert!(matches!(refusal, Refusal::NotInLedger(TreeError::Proof)), "{refusal}");
    let refusal = refused(&example, |file| file.ledger.as_mut().unwrap().index = 1 << 60);
    assert!(matches!(refusal, Refusal::NotInLedger(TreeError::Outside { .. })), "{refusal}");
    // A checkpoint that is right, but of the log before the receipt was in it.
    let refusal = refused(&example, |file| file.ledger.as_mut().unwrap().checkpoint.clone_from(&example.kept));
    assert!(matches!(refusal, Refusal::NotInLedger(_)), "{refusal}");
    // Another receipt's place.
    let refusal = refused(&example, |file| file.ledger.clone_from(&example.superseded.ledger));
    assert!(matches!(refusal, Refusal::NotInLedger(_)), "{refusal}");
}

#[test]
fn a_checkpoint_by_an_unknown_key_is_refused() {
    let example = Example::new();
    let only_old = signer(7).verifier().clone().into();
    let refusal = verify_receipt(&example.receipt, &only_old, Expectation::Anything, None).unwrap_err();
    assert!(matches!(refusal, Refusal::Checkpoint(NoteError::UnknownKey(_))), "{refusal}");
    let refusal = refused(&example, |file| file.ledger.as_mut().unwrap().checkpoint.push('x'));
    assert!(matches!(refusal, Refusal::Checkpoint(NoteError::Malformed(_))), "{refusal}");
}

#[test]
fn a_copy_is_the_log_of_its_checkpoint_and_continues_the_one_that_was_kept() {
    let example = Example::new();
    let kept = read_checkpoint(&example.kept, &example.keys).unwrap().checkpoint;
    let whole = read_checkpoint(&example.checkpoint, &example.keys).unwrap().checkpoint;
    let (old, new) = (u64::try_from(KEPT).unwrap(), u64::try_from(SIZE).unwrap());
    let proof = consistency_proof(old, new, &example.nodes).unwrap();
    check_consistency(&proof, kept.size, kept.root, whole.size, whole.root).unwrap();
}
