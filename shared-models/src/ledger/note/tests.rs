//! Checkpoints against the specifications' examples and another implementation of signed notes.

use signed_note::{StandardVerifier, VerifierList};

use super::*;

fn signer(origin: &str, byte: u8) -> LedgerSigner {
    LedgerSigner::new(origin.parse().unwrap(), "2026".to_owned(), &[byte; 32]).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: "unweave.example.org/ledger".parse().unwrap(), size: 20_852_163, root: Hash([9; 32]) }
}

fn trust(signer: &LedgerSigner) -> TrustedKeys {
    signer.verifier().clone().into()
}

#[test]
fn a_checkpoint_is_read_as_it_was_signed() {
    let signer = signer("unweave.example.org/ledger", 7);
    let note = signer.sign_checkpoint(&checkpoint()).unwrap();
    assert!(note.starts_with("unweave.example.org/ledger\n20852163\nCQkJ"));
    let read = read_checkpoint(&note, &trust(&signer)).unwrap();
    assert_eq!((read.checkpoint, &read.signed_by), (checkpoint(), signer.verifier()));
}

/// The example of tlog-checkpoint: the text of Go's checksum database.
#[test]
fn the_text_is_that_of_the_specification() {
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let read = Checkpoint::read(text).unwrap();
    assert_eq!(read.text(), text);
    assert_eq!((read.origin.as_str(), read.size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(Checkpoint::read(&format!("{text}more\n")).unwrap(), read);
}

#[test]
fn a_text_that_is_no_checkpoint_is_refused() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    for text in [
        String::new(),
        "a\n".to_owned(),
        format!("\n1\n{root}\n"),
        format!("a b\n1\n{root}\n"),
        format!("a\n01\n{root}\n"),
        format!("a\n+1\n{root}\n"),
        format!("a\n-1\n{root}\n"),
        format!("a\n9007199254740992\n{root}\n"),
        format!("a\n18446744073709551616\n{root}\n"),
        format!("a\n1\n{root}"),
        format!("a\n1\n{}\n", &root[..43]),
        format!("a\n1\n{root}\n\nmore\n"),
    ] {
        assert!(Checkpoint::read(&text).is_err(), "{text}");
    }
}

/// The example of signed-note, which is no checkpoint: its signature is looked at by the same code.
#[test]
fn the_signed_note_of_the_specification_verifies() {
    let key: VerifierKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
    let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\
                \n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let read = Note::read(note).unwrap();
    let signature = &read.signatures[0];
    assert_eq!(signature.key_name(), key.name());
    assert!(key.verifies(read.text.as_bytes(), &signature.bytes));
}

#[test]
fn another_implementation_reads_and_signs_the_same_notes() {
    let ours = signer("unweave.example.org/ledger", 7);
    let text = ours.sign_checkpoint(&checkpoint()).unwrap();
    let verifiers = || {
        let key = StandardVerifier::new(&ours.verifier().to_string()).unwrap();
        VerifierList::new(vec![Box::new(key)])
    };
    let mut note = signed_note::Note::from_bytes(text.as_bytes()).unwrap();
    assert_eq!(note.verify(&verifiers()).unwrap().0.len(), 1);
    assert_eq!(note.to_bytes(), text.as_bytes());
    // A witness signs, too: we read what is ours.
    let witness = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    note.add_sigs(&[&signed_note::StandardSigner::new(witness).unwrap()]).unwrap();
    let witnessed = String::from_utf8(note.to_bytes()).unwrap();
    assert_eq!(read_checkpoint(&witnessed, &trust(&ours)).unwrap().checkpoint, checkpoint());
}

#[test]
fn an_old_key_verifies_what_it_signed_for_whoever_has_it() {
    let (old, new) = (signer("unweave.example.org/ledger", 7), signer("unweave.example.org/ledger", 8));
    let both = TrustedKeys::new([new.verifier().clone(), old.verifier().clone()]);
    let before = old.sign_checkpoint(&checkpoint()).unwrap();
    let meanwhile = checkpoint().sign([&new, &old]).unwrap();
    assert_eq!(read_checkpoint(&before, &both).unwrap().signed_by, *old.verifier());
    assert_eq!(read_checkpoint(&meanwhile, &both).unwrap().signed_by, *new.verifier());
    assert_eq!(read_checkpoint(&meanwhile, &trust(&old)).unwrap().signed_by, *old.verifier());
    let refused = read_checkpoint(&before, &trust(&new)).unwrap_err();
    assert_eq!(refused, NoteError::UnknownKey("unweave.example.org/ledger".to_owned()));
}

#[test]
fn a_key_of_another_log_doesnt_sign_for_this_one() {
    let other = signer("other.example.org", 7);
    assert!(matches!(other.sign_checkpoint(&checkpoint()), Err(NoteError::OtherLog { .. })));
    let text = checkpoint().text();
    let signature = [&other.verifier().id()[..], &other.sign(text.as_bytes())].concat();
    let note = format!("{text}\n{DASH}other.example.org {}\n", STANDARD.encode(signature));
    assert!(matches!(read_checkpoint(&note, &trust(&other)), Err(NoteError::UnknownKey(_))));
}

#[test]
fn a_known_key_whose_signature_doesnt_match_refuses_the_note() {
    let (one, two) = (signer("unweave.example.org/ledger", 7), signer("unweave.example.org/ledger", 8));
    let both = TrustedKeys::new([one.verifier().clone(), two.verifier().clone()]);
    let note = checkpoint().sign([&one, &two]).unwrap();
    let (head, last) = note.trim_end().rsplit_once(' ').unwrap();
    let mut bytes = STANDARD.decode(last).unwrap();
    bytes[10] ^= 1;
    let altered = format!("{head} {}\n", STANDARD.encode(bytes));
    assert_eq!(read_checkpoint(&altered, &both), Err(NoteError::Mismatch(two.verifier().name())));
    assert!(read_checkpoint(&altered, &trust(&one)).is_ok());
}

#[test]
fn what_is_no_signed_note_is_refused() {
    let ours = signer("unweave.example.org/ledger", 7);
    let note = ours.sign_checkpoint(&checkpoint()).unwrap();
    let signature = note.rsplit_once('\u{2014}').unwrap().1.trim();
    for (text, why) in [
        (String::new(), "no signatures"),
        (checkpoint().text(), "no signatures"),
        (note.trim_end().to_owned(), "end"),
        (note.replace('\n', "\r\n"), "control"),
        (note.replace('\u{2014}', "-"), "a signature"),
        (format!("{note}\n"), "end"),
        (format!("{note}x\n"), "a signature"),
        (format!("{}\n{DASH} {signature}\n", checkpoint().text()), "a signature"),
        (format!("{}\n{DASH}a+b AAAAAAA=\n", checkpoint().text()), "a signature"),
        (format!("{}\n{DASH}a AAAAAA==\n", checkpoint().text()), "a signature"),
        (format!("{}\n{}", checkpoint().text(), format!("{DASH}{signature}\n").repeat(101)), "too many"),
        (format!("{}{note}", "x".repeat(MAX_NOTE_BYTES)), "too long"),
    ] {
        let error = read_checkpoint(&text, &trust(&ours)).unwrap_err();
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
}
