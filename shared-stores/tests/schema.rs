//! The application package in deploy/vespa and what the client writes and asks go together.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use shared_models::{DocumentType, SyncId};

use crate::support::document;

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/vespa")
}

/// A schema's parent, its document fields by name with their types, and whether each is a fast-search attribute.
struct Schema {
    text: String,
    parent: Option<String>,
    fields: BTreeMap<String, (String, bool)>,
}

fn schema(kind: DocumentType) -> Schema {
    let text = fs::read_to_string(package().join(format!("schemas/{kind}.sd"))).unwrap();
    let header = |keyword: &str| {
        let start = format!("{keyword} {kind}");
        let line = text.lines().map(str::trim).find(|line| line.starts_with(&start)).unwrap();
        line.trim_end_matches('{').trim().split_once(" inherits ").map(|(_, parent)| parent.to_owned())
    };
    let parent = header("schema");
    assert_eq!(header("document"), parent, "{kind}: schema and document inherit from the same");
    let mut fields = BTreeMap::new();
    let mut in_struct = false;
    let mut current = None;
    for line in text.lines().map(str::trim) {
        in_struct = (in_struct || line.starts_with("struct ")) && line != "}";
        if let Some(declared) = line.strip_prefix("field ").filter(|_| !in_struct) {
            let (name, rest) = declared.split_once(" type ").unwrap();
            fields.insert(name.to_owned(), (rest.trim_end_matches('{').trim().to_owned(), false));
            current = Some(name.to_owned());
        }
        if line == "attribute: fast-search" {
            fields.get_mut(current.as_ref().unwrap()).unwrap().1 = true;
        }
    }
    Schema { text, parent, fields }
}

#[test]
fn every_field_that_is_written_is_declared_with_its_type() {
    let base = schema(DocumentType::Base);
    let mut fields = document(SyncId::random(), "a", "text");
    fields.dense_embedding = Some(vec![0.5]);
    fields.cjk_bigrams = "比特".to_owned();
    (fields.large_payload, fields.large_payload_bytes) = (Some("{}".to_owned()), Some(2));
    let written = serde_json::to_value(fields).unwrap();
    for (name, value) in written.as_object().unwrap() {
        let (declared, _) = base.fields.get(name).unwrap_or_else(|| panic!("{name} is not in base_entity.sd"));
        let fits = match declared.as_str() {
            "string" => value.is_string(),
            "int" | "long" => value.is_i64() || value.is_u64(),
            "bool" => value.is_boolean(),
            "array<string>" => value.as_array().unwrap().iter().all(serde_json::Value::is_string),
            "tensor<float>(x[1536])" => value.as_array().unwrap().iter().all(serde_json::Value::is_number),
            "array<breadcrumb>" => value.as_array().unwrap().iter().all(serde_json::Value::is_object),
            other => panic!("{name} has the unexpected type {other}"),
        };
        assert!(fits, "{name}: {value} is no {declared}");
        assert!(!base.text.contains("struct breadcrumb") || declared != "breadcrumb");
    }
    for name in written["breadcrumbs"][0].as_object().unwrap().keys() {
        assert!(base.text.contains(&format!("field {name} type string {{}}")), "breadcrumb.{name}");
    }
}

/// Where the two sides are stemmed in languages that are guessed apart, the same words may not find each other.
#[test]
fn no_field_that_is_searched_by_word_is_stemmed() {
    let base = schema(DocumentType::Base).text;
    let indexed = base.matches("indexing: index").count();
    assert_eq!(indexed, 3);
    assert_eq!(base.matches("stemming: none").count(), indexed);
    for kind in &DocumentType::ALL[1..] {
        assert!(!schema(*kind).text.contains("index:"), "{kind} has an index of its own");
    }
    let set = base.lines().find_map(|line| line.trim().strip_prefix("fields: ")).unwrap();
    for field in set.split(", ") {
        assert!(base.contains(&format!("bm25({field})")), "{field} is searched and not ranked");
    }
}

/// A `bool` attribute is false where nothing is known.
#[test]
fn what_may_be_unknown_is_no_bool_attribute() {
    for kind in DocumentType::ALL {
        let text = schema(*kind).text;
        let bools = text.split("field ").filter(|field| field.contains("type bool"));
        assert!(bools.into_iter().all(|field| !field.contains("indexing: attribute")), "{kind}");
    }
}

#[test]
fn the_types_inherit_as_the_deletion_assumes() {
    let parents: Vec<_> = DocumentType::ALL.iter().map(|kind| schema(*kind).parent).collect();
    let expected = [None, Some("base_entity"), Some("file_entity"), Some("file_entity"), Some("base_entity")];
    assert_eq!(parents, expected.map(|parent| parent.map(str::to_owned)));
    let base = schema(DocumentType::Base);
    for kind in &DocumentType::ALL[1..] {
        for field in schema(*kind).fields.keys() {
            assert!(!base.fields.contains_key(field), "{kind} declares {field} again");
        }
    }
}

#[test]
fn documents_of_a_sync_and_of_its_slices_are_found_through_a_posting_list() {
    let base = schema(DocumentType::Base);
    assert!(base.fields["airweave_system_metadata_sync_id"].1);
    assert_eq!(base.fields["airweave_system_metadata_purge_key"], ("long".to_owned(), true));
}

/// Each listed id would cost a read from disk that no counter shows.
#[test]
fn ids_are_in_memory() {
    for kind in DocumentType::ALL {
        let text = schema(*kind).text;
        let of_schema = text.lines().filter(|line| *line == "    documentid: attribute").count();
        assert_eq!(of_schema, 1, "{kind}");
    }
}

#[test]
fn the_cluster_holds_exactly_the_five_types() {
    let services = fs::read_to_string(package().join("services.xml")).unwrap();
    for kind in DocumentType::ALL {
        assert!(services.contains(&format!(r#"<document type="{kind}" mode="index"/>"#)), "{kind}");
    }
    assert_eq!(services.matches("<document type=").count(), DocumentType::ALL.len());
}

#[test]
fn pages_profile_and_fieldset_that_the_client_asks_for_exist() {
    let profile = fs::read_to_string(package().join("search/query-profiles/default.xml")).unwrap();
    let max = shared_stores::vespa::MAX_PAGE;
    assert!(profile.contains(&format!(r#"<field name="maxHits">{max}</field>"#)));
    let base = schema(DocumentType::Base).text;
    assert!(base.contains("rank-profile keyword {") && base.contains("fieldset default {"));
    assert!(base.contains("rank-profile semantic {") && base.contains("query(q_embedding) tensor<float>(x[1536])"));
    assert!(base.contains("field name_exact type string {"));
    let max = shared_stores::vespa::MAX_OFFSET;
    assert!(profile.contains(&format!(r#"<field name="maxOffset">{max}</field>"#)));
}
