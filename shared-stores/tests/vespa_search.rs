//! Searches by meaning and filters, against the stand-in.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use shared_models::{DocumentType, SyncId};
use shared_stores::vespa::{
    Bounds, Breadcrumb, BreadcrumbField, Document, Filter, NumberField, Ranking, SearchRequest, StoredId, TextField,
    TextTest, bigrams,
};
use shared_stores::{VespaClient, VespaError};

use crate::standin::Standin;
use crate::support::{TIMEOUT, document, id};

struct Stage {
    standin: Standin,
    sync: SyncId,
}

impl Stage {
    async fn new() -> Self {
        Self { standin: Standin::with_dimensions(2).await, sync: SyncId::random() }
    }

    /// Writes a document of the stage's sync, changed by `change`.
    async fn put(&self, entity: &str, change: impl FnOnce(&mut Document)) {
        self.put_for(self.sync, entity, change).await;
    }

    async fn put_for(&self, sync: SyncId, entity: &str, change: impl FnOnce(&mut Document)) {
        let mut fields = document(sync, entity, "a word");
        fields.dense_embedding = Some(vec![1.0, 0.0]);
        change(&mut fields);
        self.standin.client.put(&id(DocumentType::File, sync, entity), &fields, TIMEOUT).await.unwrap();
    }

    fn request(&self, ranking: Ranking, filter: Option<Filter>) -> SearchRequest {
        SearchRequest { ranking, sync_ids: vec![self.sync], filter, limit: 100, offset: 0, most_bytes: 1 << 24 }
    }

    /// What a keyword search finds.
    async fn find(&self, question: &str) -> BTreeSet<String> {
        self.search(Ranking::Keywords(question.to_owned()), None).await.unwrap().into_iter().collect()
    }

    async fn search(&self, ranking: Ranking, filter: Option<Filter>) -> Result<Vec<String>, VespaError> {
        let found = self.standin.client.search(&self.request(ranking, filter), TIMEOUT).await?;
        assert!(found.hits.iter().all(|hit| hit.document.sync_id == self.sync), "no filter adds a sync");
        Ok(found.hits.into_iter().map(|hit| hit.document.original_entity_id).collect())
    }

    /// What fits the filter, by either ranking.
    async fn fitting(&self, filter: Filter) -> BTreeSet<String> {
        let keywords = self.search(Ranking::Keywords("word".to_owned()), Some(filter.clone())).await;
        let meaning = self.search(Ranking::Meaning(vec![1.0, 0.0]), Some(filter.clone())).await;
        let (keywords, meaning) = (keywords.unwrap(), meaning.unwrap());
        let set: BTreeSet<String> = keywords.into_iter().collect();
        assert_eq!(set, meaning.into_iter().collect(), "{filter:?}");
        set
    }
}

fn set(entities: &[&str]) -> BTreeSet<String> {
    entities.iter().map(|entity| (*entity).to_owned()).collect()
}

fn text(field: TextField, test: TextTest) -> Filter {
    Filter::Text(field, test)
}

fn is(text: &str) -> TextTest {
    TextTest::Is(text.to_owned())
}

fn contains(text: &str) -> TextTest {
    TextTest::Contains(text.to_owned())
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

#[tokio::test]
async fn the_nearest_come_first_and_only_those_of_the_named_syncs() {
    let stage = Stage::new().await;
    for (entity, vector) in [("far", [-1.0, 0.1]), ("near", [1.0, 0.1]), ("middle", [1.0, 1.0])] {
        stage.put(entity, |document| document.dense_embedding = Some(vector.to_vec())).await;
    }
    stage.put("without", |document| document.dense_embedding = None).await;
    stage.put_for(SyncId::random(), "elsewhere", |_| {}).await;
    let ranking = || Ranking::Meaning(vec![2.0, 0.0]);
    assert_eq!(stage.search(ranking(), None).await.unwrap(), ["near", "middle", "far"]);
    let not_near = not(Filter::OneOf(TextField::OriginalEntityId, vec!["near".to_owned()]));
    assert_eq!(stage.search(ranking(), Some(not_near)).await.unwrap(), ["middle", "far"]);

    let request = SearchRequest { limit: 1, offset: 1, ..stage.request(ranking(), None) };
    let found = stage.standin.client.search(&request, TIMEOUT).await.unwrap();
    let [hit] = &found.hits[..] else { panic!("{found:?}") };
    assert_eq!((hit.document.original_entity_id.as_str(), &hit.document.dense_embedding), ("middle", &None));
    assert!(hit.relevance > 0.0 && hit.relevance < 1.0);
}

#[tokio::test]
async fn a_vector_of_another_size_is_refused_on_both_ways() {
    let stage = Stage::new().await;
    let refused = stage.search(Ranking::Meaning(vec![1.0; 3]), None).await;
    assert!(matches!(refused, Err(VespaError::Rejected { .. })), "{refused:?}");
    // Vespa takes one that is too short; a client that knows the size doesn't send it.
    assert!(stage.search(Ranking::Meaning(vec![1.0]), None).await.is_ok());
    let knowing = VespaClient::builder(&stage.standin.url).dimensions(2).build().unwrap();
    for (vector, is_sent) in [(vec![1.0], false), (vec![1.0; 3], false), (vec![1.0; 2], true)] {
        let answered = knowing.search(&stage.request(Ranking::Meaning(vector), None), TIMEOUT).await;
        match answered {
            Ok(_) => assert!(is_sent),
            Err(error) => assert!(!is_sent && matches!(error, VespaError::Setup(_)), "{error}"),
        }
    }
    let mut fields = document(stage.sync, "a", "x");
    fields.dense_embedding = Some(vec![1.0; 3]);
    let refused = stage.standin.client.put(&id(DocumentType::File, stage.sync, "a"), &fields, TIMEOUT).await;
    assert!(matches!(refused, Err(VespaError::Rejected { status: 400, .. })), "{refused:?}");
}

/// Vespa reads questions in a language of its own unless it is told to take their words.
#[tokio::test]
async fn a_question_means_its_words_whatever_signs_stand_between_them() {
    let stage = Stage::new().await;
    for (entity, text) in [("fox", "the quick fox"), ("dog", "a lazy dog"), ("page", "see http://x.example/y 12.5 %")] {
        stage.put(entity, |document| document.textual_representation = text.to_owned()).await;
    }
    for (question, expected) in [
        ("-fox", &["fox"][..]),
        ("fox -dog", &["fox", "dog"]),
        ("payload:fox", &["fox"]),
        ("access_viewers:fox", &["fox"]),
        ("fox*", &["fox"]),
        ("fox_dog", &["fox", "dog"]),
        ("\"lazy fox\"", &["fox", "dog"]),
        ("http://x.example", &["page"]),
        ("12.5", &["page"]),
        ("(fox) AND NOT (dog)", &["fox", "dog"]),
        ("½", &[]),
        ("①²", &[]),
        ("!?", &[]),
        ("\u{0}", &[]),
    ] {
        assert_eq!(stage.find(question).await, set(expected), "{question}");
    }
}

#[tokio::test]
async fn words_inside_a_text_without_blanks_are_found() {
    let stage = Stage::new().await;
    for (entity, text) in [
        ("zh", "重构比特币是一本好书，亚马逊有售"),
        ("ja", "これは日本語のメモです"),
        ("th", "ฉันกินข้าวแล้ว"),
        ("ko", "비트코인을샀다"),
        ("en", "Mastering Bitcoin is a good book"),
    ] {
        let change = |document: &mut Document| {
            document.textual_representation = text.to_owned();
            document.cjk_bigrams = bigrams(text);
        };
        stage.put(entity, change).await;
    }
    for (question, expected) in [
        ("比特币", &["zh"][..]),
        ("好书 亚马逊", &["zh"]),
        ("书", &["zh"]),
        ("日本語", &["ja"]),
        ("ﾒﾓ", &["ja"]),
        ("ข้าว", &["th"]),
        ("비트코인", &["ko"]),
        ("bitcoin", &["en"]),
        ("比特币 bitcoin", &["zh", "en"]),
        ("股票", &[]),
    ] {
        assert_eq!(stage.find(question).await, set(expected), "{question}");
    }
}

#[tokio::test]
async fn large_fields_are_in_no_hit_and_come_with_any_chunk_s_id() {
    let stage = Stage::new().await;
    let json = format!("{{\"field\":\"{}\"}}", "x".repeat(100_000));
    let change = |document: &mut Document| {
        (document.payload, document.large_payload) = (String::new(), Some(json.clone()));
        document.large_payload_bytes = i32::try_from(json.len()).ok();
    };
    stage.put("a", change).await;
    let request = SearchRequest { most_bytes: 20_000, ..stage.request(Ranking::Keywords("word".to_owned()), None) };
    let found = stage.standin.client.search(&request, TIMEOUT).await.unwrap().hits;
    let [hit] = &found[..] else { panic!("{found:?}") };
    assert_eq!((hit.document.large_payload.as_deref(), hit.document.payload.as_str()), (None, ""));
    assert_eq!(hit.document.large_payload_bytes, i32::try_from(json.len()).ok());
    let third = StoredId::parse(&hit.id.to_string().replace(".0", ".3")).unwrap();
    for id in [&hit.id, &third] {
        assert_eq!(
            stage.standin.client.large_payload(id, stage.sync, json.len(), TIMEOUT).await.unwrap().as_ref(),
            Some(&json)
        );
        let of_another = stage.standin.client.large_payload(id, SyncId::random(), json.len(), TIMEOUT).await.unwrap();
        assert_eq!(of_another, None, "another sync's fields are nobody's business");
    }
    let gone = StoredId::parse(&hit.id.to_string().replace(&stage.sync.to_string(), "x")).unwrap();
    assert_eq!(stage.standin.client.large_payload(&gone, stage.sync, json.len(), TIMEOUT).await.unwrap(), None);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_let_go_of() {
    let stage = Stage::new().await;
    stage.put("a", |document| document.textual_representation = "word ".repeat(1_000)).await;
    let request = SearchRequest { most_bytes: 4_000, ..stage.request(Ranking::Keywords("word".to_owned()), None) };
    let refused = stage.standin.client.search(&request, TIMEOUT).await;
    assert!(matches!(refused, Err(VespaError::TooLarge(4_000))), "{refused:?}");
}

#[tokio::test]
async fn what_is_not_known_to_be_public_is_neither_public_nor_not() {
    let stage = Stage::new().await;
    for (entity, is_public) in [("unknown", None), ("yes", Some(true)), ("no", Some(false))] {
        stage.put(entity, |document| document.access_is_public = is_public).await;
    }
    let request = stage.request(Ranking::Keywords("word".to_owned()), None);
    for hit in stage.standin.client.search(&request, TIMEOUT).await.unwrap().hits {
        let expected = match hit.document.original_entity_id.as_str() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        };
        assert_eq!(hit.document.access_is_public, expected);
    }
}

#[tokio::test]
async fn every_text_can_be_filtered_by_whatever_its_case() {
    let stage = Stage::new().await;
    stage.put("a", |document| document.name = "Quarterly Report".to_owned()).await;
    stage.put("b", |document| document.name = "report (draft).md".to_owned()).await;
    stage.put("c", |document| document.entity_type = "OtherEntity".to_owned()).await;
    let fits = async |filter| stage.fitting(filter).await;
    assert_eq!(fits(text(TextField::Name, is("quarterly REPORT"))).await, set(&["a"]));
    assert_eq!(fits(text(TextField::Name, is("report"))).await, set(&[]), "whole, not a word of it");
    assert_eq!(fits(text(TextField::Name, contains("Report"))).await, set(&["a", "b"]));
    assert_eq!(fits(text(TextField::Name, contains("(draft)."))).await, set(&["b"]));
    assert_eq!(fits(text(TextField::Name, contains("t.*d"))).await, set(&[]), "no pattern");
    assert_eq!(fits(text(TextField::Name, contains(""))).await, set(&["a", "b", "c"]));
    assert_eq!(fits(text(TextField::EntityType, is("StubEntity"))).await, set(&["a", "b"]));
    assert_eq!(fits(Filter::OneOf(TextField::OriginalEntityId, vec!["a".into(), "c".into()])).await, set(&["a", "c"]));
    assert_eq!(fits(text(TextField::EntityId, contains("a__"))).await, set(&["a"]));
    assert_eq!(fits(text(TextField::SourceName, is("stub"))).await, set(&["a", "b", "c"]));
    assert_eq!(fits(text(TextField::SyncId, is(&stage.sync.to_string()))).await, set(&["a", "b", "c"]));
    let other = Filter::Any(vec![text(TextField::SyncId, is(&SyncId::random().to_string())), Filter::All(vec![])]);
    assert_eq!(fits(other).await, set(&["a", "b", "c"]));
}

#[tokio::test]
async fn conditions_are_joined_and_turned_round() {
    let stage = Stage::new().await;
    for entity in ["a", "b", "c"] {
        stage.put(entity, |document| document.name = entity.to_owned()).await;
    }
    let named = |name: &str| text(TextField::Name, is(name));
    let fits = async |filter| stage.fitting(filter).await;
    assert_eq!(fits(Filter::Any(vec![named("a"), named("b")])).await, set(&["a", "b"]));
    assert_eq!(fits(Filter::All(vec![named("a"), named("b")])).await, set(&[]));
    assert_eq!(fits(not(named("a"))).await, set(&["b", "c"]));
    assert_eq!(fits(Filter::Any(vec![not(named("a")), not(named("b"))])).await, set(&["a", "b", "c"]));
    assert_eq!(fits(not(Filter::Any(vec![named("a"), not(named("b"))]))).await, set(&["b"]));
    assert_eq!(fits(Filter::Any(vec![])).await, set(&[]));
    assert_eq!(fits(not(Filter::Any(vec![]))).await, set(&["a", "b", "c"]));
    assert_eq!(fits(not(Filter::OneOf(TextField::Name, vec![]))).await, set(&["a", "b", "c"]));
    assert_eq!(fits(Filter::All(vec![not(named("a")), not(named("b"))])).await, set(&["c"]));
}

#[tokio::test]
async fn what_has_no_time_fits_no_bounds() {
    let stage = Stage::new().await;
    for (entity, time) in [("none", None), ("old", Some(-100)), ("epoch", Some(0)), ("late", Some(4_000_000_000))] {
        stage.put(entity, |document| document.created_at = time).await;
    }
    stage.put("late", |document| (document.created_at, document.chunk_index) = (Some(4_000_000_000), 7)).await;
    let fits = async |from, to| stage.fitting(Filter::Number(NumberField::CreatedAt, Bounds { from, to })).await;
    assert_eq!(fits(None, Some(0)).await, set(&["old", "epoch"]));
    assert_eq!(fits(None, Some(-1)).await, set(&["old"]));
    assert_eq!(fits(Some(0), None).await, set(&["epoch", "late"]));
    assert_eq!(fits(Some(4_000_000_000), Some(4_000_000_000)).await, set(&["late"]));
    assert_eq!(fits(None, None).await, set(&["old", "epoch", "late"]));
    let none = not(Filter::Number(NumberField::CreatedAt, Bounds { from: None, to: None }));
    assert_eq!(stage.fitting(none).await, set(&["none"]));
    let chunk = Filter::Number(NumberField::ChunkIndex, Bounds { from: None, to: Some(6) });
    assert_eq!(stage.fitting(chunk).await, set(&["none", "old", "epoch"]));
}

#[tokio::test]
async fn breadcrumbs_are_looked_at_one_by_one() {
    let stage = Stage::new().await;
    let crumb = |entity_id: &str, name: &str| Breadcrumb {
        entity_id: entity_id.to_owned(),
        name: name.to_owned(),
        entity_type: "Folder".to_owned(),
    };
    stage.put("a", |document| document.breadcrumbs = vec![crumb("1", "Engineering"), crumb("2", "Docs")]).await;
    stage.put("b", |document| document.breadcrumbs = vec![crumb("1", "Docs")]).await;
    stage.put("c", |document| document.breadcrumbs = vec![]).await;
    let with = |tests: &[(BreadcrumbField, TextTest)]| Filter::Breadcrumb(tests.to_vec());
    let (one, docs) = ((BreadcrumbField::EntityId, is("1")), (BreadcrumbField::Name, is("docs")));
    assert_eq!(stage.fitting(with(std::slice::from_ref(&one))).await, set(&["a", "b"]));
    assert_eq!(stage.fitting(with(&[one, docs.clone()])).await, set(&["b"]));
    assert_eq!(stage.fitting(with(&[(BreadcrumbField::Name, contains("gine"))])).await, set(&["a"]));
    assert_eq!(stage.fitting(not(with(&[docs]))).await, set(&["c"]));
    assert_eq!(stage.fitting(with(&[(BreadcrumbField::EntityType, is("folder"))])).await, set(&["a", "b"]));
}

/// Whatever a name is, a filter by it finds that document and no other, and never another sync's.
#[tokio::test]
async fn no_value_breaks_out_of_its_string() {
    let stage = Stage::new().await;
    let harmful = [
        "\"",
        "\\",
        "\\\"",
        "\" or true or name contains \"",
        "'",
        "@q",
        "a\nb",
        "\u{2028}",
        "(.*)",
        "[a-z]+$",
        "ﬀ İ ẞ",
    ];
    let mut runner = TestRunner::deterministic();
    let any = prop::collection::vec(any::<char>(), 1..20).prop_map(|chars| chars.into_iter().collect::<String>());
    let random = (0..40).map(|_| any.new_tree(&mut runner).unwrap().current());
    let names: BTreeSet<String> = harmful.into_iter().map(str::to_owned).chain(random).collect();
    for (entity, name) in names.iter().enumerate() {
        stage.put(&entity.to_string(), |document| document.name = name.clone()).await;
        stage.put_for(SyncId::random(), &entity.to_string(), |document| document.name = name.clone()).await;
    }
    for (entity, name) in names.iter().enumerate() {
        let clean = shared_stores::vespa::clean_text(name).into_owned();
        if clean.is_empty() {
            continue;
        }
        let entity = entity.to_string();
        let is_same = |other: &str| other.to_lowercase() == clean.to_lowercase();
        let twins = names.iter().filter(|other| is_same(&shared_stores::vespa::clean_text(other))).count();
        let fitting = stage.fitting(text(TextField::Name, is(name))).await;
        assert!(fitting.contains(&entity) && fitting.len() == twins, "{name:?}: {fitting:?}");
        assert!(stage.fitting(text(TextField::Name, contains(name))).await.contains(&entity), "{name:?}");
        let many = Filter::OneOf(TextField::Name, vec![name.clone(), "no such name".to_owned()]);
        assert_eq!(stage.fitting(many).await, fitting, "{name:?}");
    }
}
