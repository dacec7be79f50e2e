//! The content hash of an entity: SHA-256 over everything that is shown of it, whatever order its fields come in.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use shared_stores::embedder::EmbedderIdentity;

use crate::sources::{RawFile, SourceEntity};

/// Changes with how entities are written: the next sync then writes them all again, and no cursor outlives it.
const FORM: &str = "unweave entity 3";
/// Tells the hash of a version from that of a content.
const VERSIONED_FORM: &str = "version 1";
/// Changes with what is embedded of an entity, and how.
const EMBEDDED_FORM: &str = "embedded 2";

/// In which form entities are written, with vectors of `embedder` if there is one. Part of every hash.
#[must_use]
pub fn form(embedder: Option<&EmbedderIdentity>) -> String {
    match embedder {
        None => FORM.to_owned(),
        Some(EmbedderIdentity { model, dimensions }) => format!("{FORM}, {EMBEDDED_FORM}, {dimensions} {model}"),
    }
}

/// The hash of `entity`, whose documents carry vectors of `embedder` if there is one: another embedder, or none any
/// more, makes every entity a changed one.
#[must_use]
pub fn content_hash(entity: &SourceEntity, embedder: Option<&EmbedderIdentity>) -> [u8; 32] {
    if let Some(version) = &entity.version {
        return version_hash(entity.class, &entity.id, version, embedder);
    }
    // Taken apart, so that a new field can't be forgotten.
    let SourceEntity {
        class,
        id,
        name,
        document_type,
        text,
        fields,
        breadcrumbs,
        created_at,
        updated_at,
        web_url,
        file,
        version: _,
    } = entity;
    let mut hasher = Canonical::default();
    hasher.text(&form(embedder));
    for part in [*class, id, name, document_type.as_str(), text, web_url] {
        hasher.text(part);
    }
    hasher.length(fields.len());
    for (key, value) in sorted(fields) {
        hasher.text(key);
        hasher.value(value);
    }
    hasher.length(breadcrumbs.len());
    for crumb in breadcrumbs {
        for part in [crumb.entity_id.as_str(), crumb.name.as_str(), crumb.entity_type] {
            hasher.text(part);
        }
    }
    for time in [created_at, updated_at] {
        hasher.text(&time.map(|time| time.to_rfc3339()).unwrap_or_default());
    }
    if let Some(RawFile { name, bytes }) = file {
        hasher.text(name);
        hasher.bytes(bytes);
    }
    hasher.0.finalize().into()
}

/// The hash of an entity of which its source says the version, whatever else is in it.
#[must_use]
pub fn version_hash(class: &str, id: &str, version: &str, embedder: Option<&EmbedderIdentity>) -> [u8; 32] {
    let mut hasher = Canonical::default();
    for part in [VERSIONED_FORM, &form(embedder), class, id, version] {
        hasher.text(part);
    }
    hasher.0.finalize().into()
}

/// Feeds values so that no two different ones give the same bytes.
#[derive(Default)]
struct Canonical(Sha256);

impl Canonical {
    fn length(&mut self, length: usize) {
        self.0.update(u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.0.update(b"n"),
            Value::Bool(true) => self.0.update(b"t"),
            Value::Bool(false) => self.0.update(b"f"),
            Value::Number(number) => {
                self.0.update(b"#");
                self.text(&number.to_string());
            }
            Value::String(text) => {
                self.0.update(b"s");
                self.text(text);
            }
            Value::Array(items) => {
                self.0.update(b"[");
                self.length(items.len());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Object(fields) => {
                self.0.update(b"{");
                self.length(fields.len());
                for (key, value) in sorted(fields) {
                    self.text(key);
                    self.value(value);
                }
            }
        }
    }
}

fn sorted(fields: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(key, _)| *key);
    fields
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;
    use shared_models::DocumentType;
    use shared_sources::Breadcrumb;

    use super::super::tests::entity;
    use super::*;

    #[test]
    fn the_order_of_fields_changes_nothing() {
        let (mut one, mut two) = (entity("a", "text"), entity("a", "text"));
        one.fields = json!({"x": 1, "y": {"b": 1, "a": 2}}).as_object().unwrap().clone();
        two.fields = serde_json::from_str(r#"{"y": {"a": 2, "b": 1}, "x": 1}"#).unwrap();
        assert_eq!(content_hash(&one, None), content_hash(&two, None));
    }

    /// Hashes are in the rows of every installation: of one form they must stay as they are.
    #[test]
    fn the_hash_is_that_of_its_form() {
        let hash = hex::encode(content_hash(&entity("a", "text"), None));
        assert_eq!(hash, "130e8212388fda74166dd2cd8914390b27ceb4028daea67bfed5db41109a40f5");
    }

    #[test]
    fn another_embedder_changes_the_hash() {
        let identity = |model: &str, dimensions| EmbedderIdentity { model: model.into(), dimensions };
        let embedders = [None, Some(identity("m", 2)), Some(identity("m", 3)), Some(identity("n", 2))];
        let mut hashes = embedders.map(|embedder| content_hash(&entity("a", "text"), embedder.as_ref())).to_vec();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 4);
    }

    #[test]
    fn of_an_entity_with_a_version_the_version_alone_counts() {
        let versioned = |text: &str, version: &str| {
            content_hash(&SourceEntity { version: Some(version.to_owned()), ..entity("a", text) }, None)
        };
        assert_eq!(versioned("one", "1"), versioned("two", "1"));
        assert_eq!(versioned("one", "1"), version_hash("TestEntity", "a", "1", None));
        let identity = EmbedderIdentity { model: "m".into(), dimensions: 2 };
        let others = [
            versioned("one", "2"),
            content_hash(&entity("a", "one"), None),
            version_hash("TestEntity", "b", "1", None),
            version_hash("TestEntity", "a", "1", Some(&identity)),
        ];
        assert!(others.iter().all(|other| *other != versioned("one", "1")));
    }

    #[test]
    fn everything_that_is_shown_changes_the_hash() {
        let base = entity("a", "text");
        let time = Some(chrono::DateTime::UNIX_EPOCH);
        let crumb = Breadcrumb { entity_id: "c".to_owned(), name: "C".to_owned(), entity_type: "Folder" };
        let file = RawFile { name: "f".to_owned(), bytes: Bytes::from_static(b"1") };
        let changed = [
            SourceEntity { name: "other".to_owned(), ..base.clone() },
            SourceEntity { document_type: DocumentType::Web, ..base.clone() },
            SourceEntity { text: "text2".to_owned(), ..base.clone() },
            SourceEntity {
                fields: json!({"n": 9_007_199_254_740_993_u64}).as_object().unwrap().clone(),
                ..base.clone()
            },
            SourceEntity {
                fields: json!({"n": 9_007_199_254_740_992_u64}).as_object().unwrap().clone(),
                ..base.clone()
            },
            SourceEntity { fields: json!({"n": "1"}).as_object().unwrap().clone(), ..base.clone() },
            SourceEntity { breadcrumbs: vec![crumb], ..base.clone() },
            SourceEntity { created_at: time, ..base.clone() },
            SourceEntity { updated_at: time, ..base.clone() },
            SourceEntity { web_url: "http://x".to_owned(), ..base.clone() },
            SourceEntity { file: Some(file.clone()), ..base.clone() },
            SourceEntity { file: Some(RawFile { bytes: Bytes::from_static(b"2"), ..file }), ..base.clone() },
        ];
        let mut hashes: Vec<_> = changed.iter().map(|entity| content_hash(entity, None)).collect();
        hashes.push(content_hash(&base, None));
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), changed.len() + 1);
    }
}
