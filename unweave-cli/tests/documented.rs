//! What docs/ledger.md lets people do by hand works, with none of our code.

use std::process::{Command, Stdio};

use crate::support::{pinned, repository, text};

#[test]
fn what_the_docs_check_by_hand_holds() {
    let docs = std::fs::read_to_string(repository().join("docs/ledger.md")).unwrap();
    let parts = docs.split("```sh by-hand\n").skip(1);
    let script: String = parts.map(|part| part.split("```").next().unwrap()).collect();
    let temporary = tempfile::tempdir().unwrap();
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &script]).current_dir(pinned("")).env("TMPDIR", text(temporary.path()));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let failed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}{failed}");
    let leaf = "isOF1L3fvZpCmuAPnSR2lf/I5PqZozZoAVHxft8Y8f8=";
    let root = "XYats9718R76QKZD40ec9MBb4dytOHPUDsDimJU9L+o=";
    let reference = "9b80aa5892751ce49b4ada1a005ff6d16de2c3643091c2d95a1763518512025c";
    let signed = "Signature Verified Successfully";
    let expected = [leaf, leaf, root, root, "77f1cf53", signed, signed, reference, reference];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{failed}");
}
