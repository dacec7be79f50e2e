//! Text in chunks that a search can show and an embedder take.

use text_splitter::TextSplitter;

/// Longest chunk, in characters.
pub const CHUNK_CHARS: usize = 1_500;

/// Longest piece that is handed to the splitter at once, in bytes.
const WINDOW_BYTES: usize = 8 * 1024;

/// Chunks of `text`, the first of them after `head`. At least one chunk, even of nothing: an entity without text is
/// found by what is known of it.
pub fn split(head: &str, text: &str) -> Vec<String> {
    let left = CHUNK_CHARS.saturating_sub(head.chars().count()).max(1);
    let first_window = windows(text).next().unwrap_or_default();
    let first = TextSplitter::new(left).chunk_indices(first_window).next();
    let (first, rest) = match first {
        Some((at, first)) => (first, text.get(at + first.len()..).unwrap_or_default()),
        None => ("", ""),
    };
    let splitter = TextSplitter::new(CHUNK_CHARS);
    let later = windows(rest).flat_map(|window| splitter.chunks(window).map(str::to_owned).collect::<Vec<_>>());
    std::iter::once(format!("{head}{first}")).chain(later).collect()
}

/// The text in pieces of at most [`WINDOW_BYTES`], cut after a line, else after a blank, else anywhere: the splitter's
/// time grows with the square of a line's length.
fn windows(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = window_end(rest);
        let (window, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        rest = after;
        Some(window)
    })
}

fn window_end(text: &str) -> usize {
    if text.len() <= WINDOW_BYTES {
        return text.len();
    }
    let longest = text.floor_char_boundary(WINDOW_BYTES);
    let window = text.get(..longest).unwrap_or(text);
    let after = |found: Option<(usize, &str)>| found.map(|(at, blank)| at + blank.len());
    after(window.rmatch_indices('\n').next())
        .or_else(|| after(window.rmatch_indices(char::is_whitespace).next()))
        .unwrap_or(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_the_text_cut_where_it_hurts_least() {
        let words = "zebra ".repeat(5_000);
        let lines = format!("{}\n", "x".repeat(700)).repeat(40);
        for text in ["", "short", &words, &lines, &"ü".repeat(20_000)] {
            let pieces: Vec<&str> = windows(text).collect();
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= WINDOW_BYTES));
        }
        assert!(windows(&words).all(|piece| piece.ends_with(' ')));
        assert!(windows(&lines).all(|piece| piece.ends_with('\n')));
    }

    #[test]
    fn one_long_line_is_split_into_chunks_of_words() {
        let chunks = split("", &"zebra ".repeat(40_000));
        assert!(chunks.len() > 100);
        assert!(chunks.iter().all(|chunk| chunk.chars().count() <= CHUNK_CHARS && chunk.starts_with("zebra")));
    }

    #[test]
    fn the_head_stands_before_the_first_chunk_and_takes_room_in_it() {
        let words: Vec<String> = (0..3_000).map(|word| format!("word{word}")).collect();
        let chunks = split("head\n", &words.join(" "));
        assert!(chunks[0].starts_with("head\nword0 word1 ") && chunks[0].chars().count() > CHUNK_CHARS / 2);
        assert!(chunks.iter().all(|chunk| chunk.chars().count() <= CHUNK_CHARS));
        assert_eq!(chunks.join(" "), format!("head\n{}", words.join(" ")));
        assert_eq!(split("head\n", " \n "), ["head\n"]);
    }
}
