//! Whatever is sent, the parsers answer and don't panic; and they agree with themselves.

use std::collections::HashMap;

use proptest::prelude::*;
use vespa_standin::document::Fields;
use vespa_standin::document_id::DocumentId;
use vespa_standin::record::Whole;
use vespa_standin::schema::DocType;
use vespa_standin::yql::{Comparison, Filter, Nearest};
use vespa_standin::{selection, visit_token, yql};

const PIECES: [&str; 34] = [
    "and",
    "or",
    "not",
    "(",
    ")",
    "base_entity",
    "file_entity",
    ".",
    "name",
    "==",
    "!=",
    "<",
    ">=",
    "=",
    "'a'",
    "\"b\"",
    "12",
    "-",
    "3.5",
    "null",
    "true",
    "false",
    "id",
    "id.user",
    "$x",
    "{",
    "[",
    "nosuch",
    "'",
    "\\",
    "\n",
    "é",
    "0x1f",
    "base_entity.created_at",
];

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24).prop_map(|pieces| pieces.join(" "))
}

const YQL: [&str; 37] = [
    "select",
    "*",
    "from",
    "sources",
    "where",
    "base_entity",
    "contains",
    "\"x\"",
    "in",
    "(",
    ")",
    "!",
    "and",
    "or",
    "true",
    "userInput",
    "@q",
    "{",
    "}",
    "grammar:",
    "\"tokenize\"",
    "limit",
    "5",
    "|",
    "all(",
    "group(name)",
    "each(",
    "=",
    ",",
    "range",
    "matches",
    "sameElement(",
    "phrase(",
    "nearestNeighbor(",
    "targetHits:",
    "\"\\u12\"",
    "!(",
];

proptest! {
    #[test]
    fn a_selection_of_any_text_never_panics(text in ".{0,200}") {
        let _ = selection::parse(&text);
    }

    #[test]
    fn a_selection_of_likely_pieces_never_panics_and_can_be_evaluated(text in pieces()) {
        if let Ok(expr) = selection::parse(&text) {
            let fields = Fields::new();
            for doc_type in DocType::ALL {
                let record = Whole { id: "id:airweave:base_entity::x", doc_type, fields: &fields };
                let whole = expr.evaluate(&record);
                prop_assert_eq!(expr.for_type(doc_type).evaluate(&record), whole);
                // What is true of an expression in brackets is true of it without.
                let doubled = selection::parse(&format!("not (not ({text}))")).map(|expr| expr.evaluate(&record));
                prop_assert_eq!(doubled, Ok(whole));
            }
        }
    }

    #[test]
    fn a_query_never_panics(text in prop_oneof![".{0,200}", prop::collection::vec(prop::sample::select(&YQL[..]), 0..24)
        .prop_map(|pieces| format!("select * from sources * where {}", pieces.join(" ")))]) {
        let _ = yql::parse(&text, &HashMap::from([("q".to_owned(), "x".to_owned())]));
    }

    #[test]
    fn an_id_reads_back_as_it_was_written(namespace in "[a-z]{1,8}", doc_type in "[a-z_]{1,8}", specific in ".{0,40}") {
        let text = format!("id:{namespace}:{doc_type}::{specific}");
        prop_assert_eq!(DocumentId::parse(&text).unwrap().to_string(), text);
    }

    #[test]
    fn a_token_reads_back_as_it_was_written(cursor in 0_u16..=256) {
        prop_assert_eq!(visit_token::decode(&visit_token::encode(cursor)), Ok(cursor));
    }

    #[test]
    fn any_token_is_read_or_refused(token in ".{0,80}") {
        let _ = visit_token::decode(&token);
    }
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    let deep = "(".repeat(500_000);
    assert!(selection::parse(&deep).is_err());
    assert!(selection::parse(&format!("{}true", "not ".repeat(200_000))).is_err());
    assert!(yql::parse(&format!("select * from sources * where {deep}"), &HashMap::new()).is_err());
}

fn filter(text: &str) -> Result<Filter, String> {
    let parameters = HashMap::from([("p".to_owned(), "given".to_owned()), ("list".to_owned(), "a, 'b'".to_owned())]);
    let query = yql::parse(&format!("select * from sources * where {text}"), &parameters);
    query.map(|query| query.filter).map_err(|error| error.to_string())
}

fn is(field: &str, text: &str) -> Filter {
    Filter::Contains(field.to_owned(), text.to_owned())
}

#[test]
fn conditions_are_read_as_they_are_meant() {
    let number = |field: &str, number| Filter::Number(field.to_owned(), Comparison::Equal, number);
    let nearest = |target_hits| Filter::Nearest(Nearest { field: "v".into(), input: "q".into(), target_hits });
    for (text, expected) in [
        ("a contains @p", is("a", "given")),
        ("a in (@list)", Filter::In("a".into(), vec!["a".into(), "b".into()])),
        ("a in (1, 2)", Filter::Or(vec![number("a", 1), number("a", 2)])),
        ("a matches '^x\\\\.'", Filter::Matches("a".into(), "^x\\.".into())),
        ("a contains \"\\u00e9\\uD83D\\ude00\\n\\\"\"", is("a", "\u{e9}\u{1f600}\n\"")),
        ("a = -3 and b = 5000000000L", Filter::And(vec![number("a", -3), number("b", 5_000_000_000)])),
        (
            "a = 1 or b = 2 and !(c = 3)",
            Filter::Or(vec![number("a", 1), Filter::And(vec![number("b", 2), Filter::Not(Box::new(number("c", 3)))])]),
        ),
        (
            "s contains sameElement(a contains 'x', (b contains 'y' or c matches 'z')) and a contains 'w'",
            Filter::And(vec![
                Filter::SameElement(
                    "s".into(),
                    vec![is("s.a", "x"), Filter::Or(vec![is("s.b", "y"), Filter::Matches("s.c".into(), "z".into())])],
                ),
                is("a", "w"),
            ]),
        ),
        ("({targetHits:7, approximate:false, label:\"l\"}nearestNeighbor(v, q))", nearest(Some(7))),
        ("[{\"totalTargetHits\":7}]nearestNeighbor(v, q)", nearest(Some(7))),
        ("nearestNeighbor(v, q)", nearest(None)),
    ] {
        assert_eq!(filter(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_condition_is_refused() {
    for text in [
        "a contains",
        "a matches b",
        "a in ()",
        "a in (1, 'x')",
        "!a contains 'x'",
        "a contains sameElement()",
        "a contains sameElement(b contains sameElement(c contains 'x'))",
        "a contains sameElement(nearestNeighbor(v, q))",
        "({targetHits:'7'}nearestNeighbor(v, q))",
        "({distanceThreshold:0.5}nearestNeighbor(v, q))",
        "nearestNeighbor(v)",
        "userInput('?')",
        "nonEmpty(({grammar:'tokenize'}userInput('?')))",
        "nonEmpty()",
        "a contains 'it's'",
        "a contains \"\\u+123\"",
        "a contains \"\\q\"",
        "a contains @absent",
    ] {
        assert!(filter(text).is_err(), "{text}: {:?}", filter(text));
    }
}
