//! Filters as YQL; that no text leaves its string.

use proptest::prelude::*;

use super::*;

fn name(test: TextTest) -> Filter {
    Filter::Text(TextField::Name, test)
}

fn is(text: &str) -> TextTest {
    TextTest::Is(text.to_owned())
}

fn contains(text: &str) -> TextTest {
    TextTest::Contains(text.to_owned())
}

fn number(from: Option<i64>, to: Option<i64>) -> String {
    Filter::Number(NumberField::CreatedAt, Bounds { from, to }).to_yql()
}

#[test]
fn conditions_become_yql() {
    let sync = Filter::OneOf(TextField::SyncId, vec!["a".to_owned(), String::new(), "b".to_owned()]);
    let filter =
        Filter::Any(vec![Filter::All(vec![name(is("x")), Filter::Not(Box::new(sync))]), name(contains("a.b"))]);
    assert_eq!(
        filter.to_yql(),
        "((name_exact contains \"x\" and !(airweave_system_metadata_sync_id in (\"a\", \"b\"))) or \
         name_exact matches \"a\\\\.b\")"
    );
    let crumb = vec![(BreadcrumbField::Name, contains("x")), (BreadcrumbField::EntityId, is("1"))];
    assert_eq!(
        Filter::Breadcrumb(crumb).to_yql(),
        "breadcrumbs contains sameElement(name matches \"x\", entity_id contains \"1\")"
    );
}

#[test]
fn no_more_brackets_stand_in_each_other_than_there_are_turns_between_and_or_and_not() {
    let one = || name(is("x"));
    let not = |filter| Filter::Not(Box::new(filter));
    assert_eq!(not(one()).to_yql(), "(true and !(name_exact contains \"x\"))");
    assert_eq!(not(one()).to_conjunction(), " and !(name_exact contains \"x\")", "the list of syncs is positive");
    assert_eq!(not(not(one())).to_yql(), one().to_yql());
    let both = Filter::All(vec![not(one()), Filter::All(vec![not(Filter::Any(vec![one(), one()])), one()])]);
    let x = "name_exact contains \"x\"";
    assert_eq!(both.to_yql(), format!("(!({x}) and !({x} or {x}) and {x})"));
    assert_eq!(both.to_conjunction(), format!(" and !({x}) and !({x} or {x}) and {x}"));
    assert_eq!(Filter::Any(vec![not(one()), one()]).to_yql(), format!("((true and !({x})) or {x})"));
    let deepest =
        (0..8).fold(one(), |inner, _| Filter::All(vec![one(), Filter::Any(vec![one(), not(inner)]), not(one())]));
    assert_eq!(depth(&deepest.to_yql()), 24 + 1);
}

/// How many brackets stand in each other; the texts have none.
fn depth(yql: &str) -> usize {
    let depths = yql.chars().scan(0_usize, |depth, c| {
        match c {
            '(' => *depth += 1,
            ')' => *depth -= 1,
            _ => {}
        }
        Some(*depth)
    });
    depths.max().unwrap()
}

#[test]
fn a_bound_that_no_int_holds_is_none() {
    let chunk = |from, to| Filter::Number(NumberField::ChunkIndex, Bounds { from, to }).to_yql();
    let field = "airweave_system_metadata_chunk_index";
    assert_eq!(chunk(Some(3), Some(3_000_000_000)), format!("{field} >= 3L"));
    assert_eq!(chunk(Some(3_000_000_000), None), "false");
    assert_eq!(chunk(Some(3_000_000_000), Some(3_000_000_000)), "false");
    assert_eq!(chunk(None, Some(i64::MAX)), format!("{field} >= 0L"));
}

#[test]
fn bounds_never_reach_the_number_that_stands_for_none() {
    assert_eq!(number(Some(5), None), "created_at >= 5L");
    assert_eq!(number(None, Some(-5)), "range(created_at, -62135596800L, -5L)");
    assert_eq!(number(Some(5), Some(7)), "range(created_at, 5L, 7L)");
    assert_eq!(number(Some(5), Some(5)), "created_at = 5L");
    assert_eq!(number(Some(7), Some(5)), "false");
    assert_eq!(number(Some(i64::MIN), None), "created_at >= -62135596800L");
    assert_eq!(number(None, Some(i64::MIN)), "false");
}

#[test]
fn what_is_empty_says_what_it_means() {
    assert_eq!(Filter::All(vec![]).to_yql(), "true");
    assert_eq!(Filter::Any(vec![]).to_yql(), "false");
    assert_eq!(Filter::OneOf(TextField::Name, vec![]).to_yql(), "false");
    assert_eq!(name(is("\u{0}")).to_yql(), "false");
    assert_eq!(name(contains("")).to_yql(), "true");
    let crumb =
        |test| Filter::Breadcrumb(vec![(BreadcrumbField::Name, test), (BreadcrumbField::EntityId, contains(""))]);
    assert_eq!(crumb(is("")).to_yql(), "false");
    assert_eq!(crumb(contains("")).to_yql(), "true");
}

/// The text outside of strings, and the strings, as a lexer sees them that knows nothing but backslashes.
fn split_strings(yql: &str) -> (String, Vec<String>) {
    let (mut outside, mut strings, mut inside) = (String::new(), Vec::new(), None::<String>);
    let mut chars = yql.chars();
    while let Some(c) = chars.next() {
        match (&mut inside, c) {
            (None, '"') => inside = Some(String::new()),
            (None, c) => outside.push(c),
            (Some(text), '"') => {
                strings.push(std::mem::take(text));
                inside = None;
            }
            (Some(text), '\\') => text.push(match chars.next().unwrap() {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => char::from_u32(u32::from_str_radix(&chars.by_ref().take(4).collect::<String>(), 16).unwrap())
                    .unwrap(),
                c @ ('"' | '\\') => c,
                other => panic!("\\{other} is no escape of YQL"),
            }),
            (Some(text), c) => text.push(c),
        }
    }
    assert_eq!(inside, None, "a string without an end: {yql}");
    (outside, strings)
}

/// Anything, and often what could do harm.
fn texts() -> impl Strategy<Value = String> {
    let harmful =
        prop::sample::select(vec!["\"", "\\", "\\\"", "\") or true or (x contains \"", "\u{2028}", "\n", "'", "@q"]);
    prop::collection::vec(prop_oneof![any::<String>(), harmful.prop_map(str::to_owned)], 1..5)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_text_leaves_its_string(text in texts()) {
        let clean = clean_text(&text).into_owned();
        prop_assume!(!clean.is_empty());
        for filter in [
            name(is(&text)),
            Filter::OneOf(TextField::SyncJobId, vec![text.clone()]),
            Filter::Breadcrumb(vec![(BreadcrumbField::Name, is(&text))]),
        ] {
            let (outside, strings) = split_strings(&filter.to_yql());
            let plain = match &filter {
                Filter::OneOf(..) => "airweave_system_metadata_sync_job_id in ()",
                Filter::Breadcrumb(_) => "breadcrumbs contains sameElement(name contains )",
                _ => "name_exact contains ",
            };
            prop_assert_eq!(outside, plain);
            prop_assert_eq!(strings, vec![clean.clone()]);
        }
        let (outside, strings) = split_strings(&name(contains(&text)).to_yql());
        prop_assert_eq!(outside, "name_exact matches ");
        let expression = regex::Regex::new(&format!("^{}$", strings[0])).unwrap();
        prop_assert!(expression.is_match(&clean));
    }
}
