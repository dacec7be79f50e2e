//! Keys, and what the command says of itself.

use crate::support::{unweave, unweave_with};

#[test]
fn a_new_key_is_one_that_the_services_read() {
    let said = unweave(&["ledger", "new-key", "2026-b", "--ledger-origin", "example.org/ledger"]).well();
    let lines: Vec<_> = said.lines().filter(|line| !line.starts_with('#')).collect();
    let [secret, verifier] = lines[..] else { panic!("{said}") };
    assert!(secret.starts_with("2026-b:") && verifier.starts_with("example.org/ledger+"), "{said}");
    let old = "2025:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    let keys = format!("{secret},{old}");
    let settings = [("LEDGER_KEYS", keys.as_str()), ("LEDGER_ORIGIN", "example.org/ledger")];
    let published = unweave_with(&settings, &["ledger", "keys"]).well();
    // The public key of the secret of sevens.
    let old = "+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
    let lines: Vec<_> = published.lines().collect();
    assert_eq!(lines[..3], ["# 2026-b", verifier, "# 2025"]);
    assert!(lines[3].starts_with("example.org/ledger+") && lines[3].ends_with(old), "{published}");
    assert!(!published.contains(secret));
    // Nobody gets the same twice.
    assert_ne!(unweave(&["ledger", "new-key", "2026-b", "--ledger-origin", "example.org/ledger"]).well(), said);
}

#[test]
fn settings_that_cant_be_are_told_without_the_secret() {
    let secret = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw";
    let keys = format!("2025:{secret}");
    let settings = [("LEDGER_KEYS", keys.as_str()), ("LEDGER_ORIGIN", "example.org/ledger")];
    let said = unweave_with(&settings, &["ledger", "keys"]).failed(2);
    assert!(!said.contains(secret), "{said}");
    unweave(&["ledger", "keys"]).failed(2);
    unweave(&["ledger", "new-key", "a b", "--ledger-origin", "example.org/ledger"]).failed(2);
    unweave(&["ledger", "new-key", "a", "--ledger-origin", "a b"]).failed(2);
}

#[test]
fn each_command_has_examples_and_fits_a_terminal() {
    for command in [
        &["receipt", "verify"][..],
        &["ledger", "verify"],
        &["ledger", "status"],
        &["ledger", "export"],
        &["ledger", "keys"],
        &["ledger", "new-key"],
    ] {
        let said = unweave(&[command, &["--help"]].concat()).well();
        assert!(said.contains("Example") && said.contains(&format!("unweave {}", command.join(" "))), "{said}");
        let longest = said.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(100), "{said}");
    }
    let said = unweave(&["--help"]).well();
    assert!(said.contains("Exit codes"), "{said}");
    assert!(unweave(&["--version"]).well().starts_with("unweave "));
    unweave(&[]).failed(2);
    unweave(&["ledger", "verfy"]).failed(2);
}
