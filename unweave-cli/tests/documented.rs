//! What docs/ledger.md lets people do by hand works, with none of our code.

use std::process::{Command, Stdio};

use crate::support::{pinned, repository, text, unweave};

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

/// Lines of a text that call the command, as their words.
fn calls(docs: &str) -> Vec<Vec<String>> {
    let code = docs.split('`').skip(1).step_by(2).map(str::to_owned);
    let blocks = docs.split("```sh\n").skip(1).map(|part| part.split("```").next().unwrap_or_default());
    let lines = blocks.flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>());
    let all = lines.chain(code).map(|line| line.replace('\n', " "));
    let called = all.filter_map(|line| line.trim().strip_prefix("unweave ").map(str::to_owned));
    called.map(|call| call.split_whitespace().map(str::to_owned).collect()).collect()
}

#[test]
fn every_command_and_option_that_the_docs_name_is_there() {
    let mut named = 0;
    for file in ["README.md", "docs/operations.md", "docs/compliance.md", "docs/ledger.md"] {
        let docs = std::fs::read_to_string(repository().join(file)).unwrap();
        for call in calls(&docs) {
            let is_word = |word: &&String| word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
            let words: Vec<&str> = call.iter().take_while(is_word).map(String::as_str).take(2).collect();
            let words: Vec<&str> = words.into_iter().filter(|word| !word.starts_with('-')).collect();
            let help = [&words[..], &["--help"]].concat();
            let ended = unweave(&help);
            assert_eq!(ended.code, Some(0), "{file}: unweave {}: {}", call.join(" "), ended.err);
            for option in call.iter().filter(|word| word.starts_with("--")) {
                let option = option.trim_end_matches([',', ';', '`', ')', ']']);
                assert!(ended.out.contains(option), "{file}: unweave {}: {option}", call.join(" "));
            }
            named += 1;
        }
    }
    assert!(named > 40, "{named}");
}
