//! Inputs in batches that every server takes.

/// Inputs in one request: text-embeddings-inference takes no more than 32 unless told otherwise.
const MAX_INPUTS: usize = 32;
/// Characters in one request, so that it stays far below every limit on tokens.
const MAX_REQUEST_CHARS: usize = 64_000;
/// Characters of one input; what is longer is cut. Chunks are shorter, a question may not be.
pub const MAX_INPUT_CHARS: usize = 2_000;

/// The text without blanks around it, cut to what one input may hold.
pub(super) fn cut(text: &str) -> &str {
    let text = text.trim();
    let end = text.char_indices().nth(MAX_INPUT_CHARS).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

/// The inputs in batches of bounded number and size.
pub(super) fn batches<'a, 't>(inputs: &'a [(usize, &'t str)]) -> impl Iterator<Item = &'a [(usize, &'t str)]> {
    let mut rest = inputs;
    std::iter::from_fn(move || {
        let mut chars = 0_usize;
        let fits = rest.iter().take(MAX_INPUTS).take_while(|(_, text)| {
            chars += text.chars().count();
            chars <= MAX_REQUEST_CHARS
        });
        // One input always fits: it is cut to far less.
        let (batch, after) = rest.split_at_checked(fits.count())?;
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_in_number_and_size_and_lose_nothing() {
        let (short, long) = ("word", "ü".repeat(MAX_INPUT_CHARS));
        let inputs: Vec<(usize, &str)> =
            (0..100).map(|place| (place, if place < 50 { short } else { long.as_str() })).collect();
        let batches: Vec<_> = batches(&inputs).collect();
        assert!(batches.iter().all(|batch| batch.len() <= MAX_INPUTS && !batch.is_empty()));
        let chars = |batch: &&[(usize, &str)]| batch.iter().map(|(_, text)| text.chars().count()).sum::<usize>();
        assert!(batches.iter().all(|batch| chars(batch) <= MAX_REQUEST_CHARS));
        assert_eq!(batches.concat(), inputs);
    }

    #[test]
    fn an_input_is_cut_between_characters() {
        assert_eq!(cut(" \n a b \t"), "a b");
        assert_eq!(cut(&"ü".repeat(MAX_INPUT_CHARS + 1)).chars().count(), MAX_INPUT_CHARS);
    }
}
