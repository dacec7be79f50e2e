//! Made-up text and code.

use super::random::Random;

const SUBJECTS: [&str; 12] = [
    "The harbour master",
    "A careful clerk",
    "Our northern office",
    "The night train",
    "Every second ledger",
    "The old lighthouse",
    "A travelling baker",
    "The spring survey",
    "Nobody in the archive",
    "The river committee",
    "An early visitor",
    "The last contract",
];
const VERBS: [&str; 10] =
    ["counts", "repairs", "forgets", "describes", "delivers", "measures", "promises", "questions", "follows", "finds"];
const OBJECTS: [&str; 14] = [
    "seven wooden boats",
    "the missing invoice",
    "a map of the valley",
    "three kinds of tea",
    "the budget for winter",
    "a letter without a stamp",
    "the bridge over the canal",
    "every open question",
    "two copies of the key",
    "the garden plan",
    "a list of suppliers",
    "the weather report",
    "an unsigned agreement",
    "the sound of rain",
];
const ENDINGS: [&str; 8] = [
    "before noon",
    "without a word",
    "once a week",
    "for the third time",
    "in good order",
    "as agreed in May",
    "on paper only",
    "and writes it down",
];
const TOKENS: [&str; 6] =
    ["<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|im_start|>", "<|im_end|>"];

/// Sentences, `low..=high` characters in all; ASCII only.
pub(crate) fn prose(random: &mut Random, low: usize, high: usize) -> String {
    let length = random.between(low, high);
    let mut text = String::with_capacity(length + 128);
    while text.len() < length {
        let subject = random.pick(&SUBJECTS);
        let verb = random.pick(&VERBS);
        let object = random.pick(&OBJECTS);
        let ending = random.pick(&ENDINGS);
        text.push_str(&format!("{subject} {verb} {object} {ending}. "));
    }
    text.truncate(length);
    text
}

/// A title for people.
pub(crate) fn title(random: &mut Random) -> String {
    let subject = random.pick(&SUBJECTS);
    let verb = random.pick(&VERBS);
    let object = random.pick(&OBJECTS);
    format!("{subject} {verb} {object}")
}

/// Some Python functions.
pub(crate) fn python(random: &mut Random) -> String {
    code(random, |step, factor, note| {
        format!(
            "def step_{step}(items):\n    # {note}\n    return [item * {factor} for item in items if item != {step}]\n\n\n"
        )
    })
}

/// Some JavaScript functions.
pub(crate) fn javascript(random: &mut Random) -> String {
    code(random, |step, factor, note| {
        format!(
            "// {note}\nexport function step{step}(items) {{\n  return items.filter((item) => item !== {step})\
             .map((item) => item * {factor});\n}}\n\n"
        )
    })
}

fn code(random: &mut Random, function: fn(usize, u64, &str) -> String) -> String {
    let functions = random.between(3, 8);
    (0..functions)
        .map(|step| {
            let factor = random.below(97);
            let note = title(random);
            function(step, factor, &note)
        })
        .collect()
}

/// Puts one to three special tokens of language models between words of `text`.
pub(crate) fn inject_tokens(text: &str, random: &mut Random) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    for _ in 0..random.between(1, 3) {
        let place = random.between(0, words.len());
        words.insert(place, random.pick(&TOKENS));
    }
    words.join(" ")
}
