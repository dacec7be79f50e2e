//! Finds misspelt settings: a setting that is silently ignored is worse than one that is refused.

/// Longest edit distance (insert, delete, replace, swap neighbours) that counts as a misspelling.
const DISTANCE: usize = 2;
/// Names shorter than this resemble too much.
const SHORTEST: usize = 6;

/// Variables of the system, of tools and of service managers that resemble a setting, or may come to.
const FOREIGN: &[&str] = &[
    "API_URL",
    "APP_URL",
    "HOME",
    "HOSTNAME",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LANG",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LOGNAME",
    "LS_COLORS",
    "OLDPWD",
    "PATH",
    "PWD",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "SHELL",
    "SHLVL",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SYSTEMD_EXEC_PID",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
];

/// How closely the environment is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scrutiny {
    /// What differs by an edit or two.
    Start,
    /// Also what contains a setting's name.
    CheckConfig,
}

/// The first misspelt variable of `environment` as one line.
pub(super) fn find<'a>(
    environment: impl Iterator<Item = &'a str>,
    known: &[&str],
    scrutiny: Scrutiny,
) -> Option<String> {
    let mut names: Vec<&str> = environment.filter(|name| !known.contains(name) && !FOREIGN.contains(name)).collect();
    names.sort_unstable();
    names.into_iter().find_map(|name| {
        let meant = meant(name, known, scrutiny)?;
        Some(format!("unknown setting {name}: did you mean {meant}?"))
    })
}

fn meant<'k>(name: &str, known: &[&'k str], scrutiny: Scrutiny) -> Option<&'k str> {
    let long = known.iter().copied().filter(|known| known.len() >= SHORTEST);
    let upper = name.to_ascii_uppercase();
    let nearest =
        long.clone().map(|known| (distance(&upper, known), known)).filter(|(distance, _)| *distance <= DISTANCE).min();
    match (nearest, scrutiny) {
        (Some((_, known)), _) => Some(known),
        (None, Scrutiny::Start) => None,
        (None, Scrutiny::CheckConfig) => long.filter(|known| upper.contains(known)).max_by_key(|known| known.len()),
    }
}

/// Edits between two names; that their words are parted otherwise is none.
fn distance(name: &str, known: &str) -> usize {
    if name.replace('_', "") == known.replace('_', "") { 0 } else { strsim::damerau_levenshtein(name, known) }
}

#[cfg(test)]
mod tests {
    use super::super::names::EVERY_SERVICE;
    use super::*;

    fn found(name: &str, scrutiny: Scrutiny) -> Option<String> {
        find(std::iter::once(name), EVERY_SERVICE, scrutiny)
    }

    /// Removing, doubling or swapping any character, or appending a letter.
    fn misspellings(name: &str) -> Vec<String> {
        let chars: Vec<char> = name.chars().collect();
        let mut all = vec![format!("{name}X"), format!("{name}S"), name.to_ascii_lowercase(), name.replace('_', "")];
        for at in 0..chars.len() {
            let mut removed = chars.clone();
            removed.remove(at);
            let mut doubled = chars.clone();
            doubled.insert(at, chars[at]);
            let mut swapped = chars.clone();
            if at + 1 < chars.len() {
                swapped.swap(at, at + 1);
            }
            all.extend([removed, doubled, swapped].map(String::from_iter));
        }
        all.retain(|misspelt| misspelt != name);
        all
    }

    #[test]
    fn every_misspelling_of_every_setting_is_found() {
        for name in EVERY_SERVICE {
            for misspelt in misspellings(name) {
                if !EVERY_SERVICE.contains(&misspelt.as_str()) {
                    assert!(found(&misspelt, Scrutiny::Start).is_some(), "{misspelt} for {name}");
                }
            }
        }
    }

    #[test]
    fn the_line_names_both() {
        assert_eq!(
            found("LEASE_TLL", Scrutiny::Start).as_deref(),
            Some("unknown setting LEASE_TLL: did you mean LEASE_TTL?")
        );
    }

    #[test]
    fn what_is_no_setting_is_left_alone() {
        for name in
            FOREIGN.iter().chain(EVERY_SERVICE).chain(&["KUBERNETES_PORT", "POSTGRES_PASSWORD", "VESPA_PORT_8080_TCP"])
        {
            assert_eq!(found(name, Scrutiny::CheckConfig), None, "{name}");
        }
    }

    #[test]
    fn check_config_also_finds_what_contains_a_name() {
        assert_eq!(found("MY_DATABASE_URL", Scrutiny::Start), None);
        assert_eq!(
            found("UNWEAVE_ADMIN_LISTEN", Scrutiny::CheckConfig).as_deref(),
            Some("unknown setting UNWEAVE_ADMIN_LISTEN: did you mean ADMIN_LISTEN?")
        );
    }
}
