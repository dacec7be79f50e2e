//! Text of the server in errors and logs: on one line, bounded, without the token, which a server may echo.

/// At most `max_chars` of `text` as it may be shown; an ellipsis tells that there is more,
/// or that the token stood there.
pub(super) fn shown(text: &str, token: &str, max_chars: usize) -> String {
    // What is invisible goes first: it may stand in the middle of the token.
    let visible: String = text.chars().filter(|one| one.is_whitespace() || !is_invisible(*one)).collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = if token.is_empty() { line } else { line.replace(token, "…") };
    match line.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Whether a character shows nothing itself and may change how the text around it is shown: control characters and
/// those of Unicode's format category.
fn is_invisible(one: char) -> bool {
    one.is_control()
        || matches!(
            one,
            '\u{ad}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'..='\u{891}'
                | '\u{8e2}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_bounded_and_without_the_token() {
        assert_eq!(shown("a/b c", "secret", 5), "a/b c");
        assert_eq!(shown("ä/b c", "secret", 4), "ä/b …");
        assert_eq!(shown("a/sec\u{200b}ret/\nb", "secret", 99), "a/…/ b");
        assert_eq!(shown("a", "", 9), "a");
    }
}
