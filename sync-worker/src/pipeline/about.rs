//! What is known of an entity, as text that people search by: where it comes from, what it is, when it was made, and
//! those of its fields that somebody may ask for: an author, a status, a language. It begins the entity's text, and so
//! is searched, embedded and shown with it.
//!
//! Fields stand here as a person reads them, a label and a value, not as JSON; those that the text has already are left
//! out, and so are long ones and checksums, which nobody types.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::sources::SourceEntity;

/// How much is told of a name or a place: both and a chunk are no more than an embedder is given.
const MOST_NAME_CHARS: usize = 200;
/// Longer values are content.
const MOST_VALUE_CHARS: usize = 200;
/// How much is told of all fields together: less than a chunk.
const MOST_FIELDS_CHARS: usize = 700;
/// How many fields are looked at.
const MOST_FIELDS: usize = 64;
/// A text of hexadecimal digits that is as long is a checksum.
const CHECKSUM_CHARS: usize = 32;

/// What is known of an entity.
#[derive(Debug)]
pub struct About<'e> {
    entity: &'e SourceEntity,
    source: &'e str,
    kind: String,
}

impl<'e> About<'e> {
    /// What is known of `entity`, which came from the source of this short name.
    #[must_use]
    pub fn of(entity: &'e SourceEntity, source: &'e str) -> Self {
        Self { entity, source, kind: words_of_class(entity.class) }
    }

    /// Everything, a line each, and the label of what follows.
    #[must_use]
    pub fn whole(&self) -> String {
        let Self { entity, source, kind } = self;
        let breadcrumbs = self.breadcrumbs();
        let times = [("created", entity.created_at), ("updated", entity.updated_at)];
        let mut lines = vec![format!("source: {source}"), format!("type: {} ({kind})", entity.class)];
        lines.push(format!("name: {}", shortened(&entity.name, MOST_NAME_CHARS)));
        lines.extend((!breadcrumbs.is_empty()).then(|| format!("in: {breadcrumbs}")));
        lines.extend(times.into_iter().filter_map(|(label, time)| Some(format!("{label}: {}", shown_time(time?)))));
        let mut left = MOST_FIELDS_CHARS;
        for line in entity.fields.iter().take(MOST_FIELDS).filter_map(|(name, value)| self.field(name, value)) {
            let Some(rest) = left.checked_sub(line.chars().count()) else { break };
            left = rest;
            lines.push(line);
        }
        lines.push("content:\n".to_owned());
        lines.join("\n")
    }

    /// In one line, where the entity is and what it is: what its later chunks are about.
    #[must_use]
    pub fn place(&self) -> String {
        let name = shortened(&self.entity.name, MOST_NAME_CHARS);
        let parts = [self.source.to_owned(), self.kind.clone(), self.breadcrumbs(), name];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }

    fn breadcrumbs(&self) -> String {
        let names: Vec<&str> = self.entity.breadcrumbs.iter().map(|crumb| crumb.name.as_str()).collect();
        shortened(&names.join(" / "), MOST_NAME_CHARS)
    }

    fn field(&self, name: &str, value: &Value) -> Option<String> {
        let text = shown(value)?;
        let is_told = text == self.entity.name || self.entity.text.contains(&format!("{name}: {text}"));
        let is_checksum = text.len() >= CHECKSUM_CHARS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (!is_told && !is_checksum).then(|| format!("{}: {text}", label(name)))
    }
}

/// A short value as a person reads it; of a list its items, of an object what it is called.
fn shown(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Value::Array(items) => items.iter().filter_map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            const CALLED: [&str; 6] = ["name", "title", "label", "login", "email", "value"];
            CALLED.iter().find_map(|name| fields.get(*name)).filter(|value| value.is_string()).and_then(shown)?
        }
    };
    (!text.is_empty() && text.chars().count() <= MOST_VALUE_CHARS).then_some(text)
}

/// `path_in_repo` is "path in repo".
fn label(name: &str) -> String {
    name.replace(['_', '-'], " ").trim().to_owned()
}

/// The words of a class: `GitHubCodeFileEntity` is "git hub code file".
fn words_of_class(class: &str) -> String {
    let name = class.strip_suffix("Entity").filter(|name| !name.is_empty()).unwrap_or(class);
    let letters: Vec<char> = name.chars().collect();
    let mut words = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let is_after_small = before.is_some_and(|before| !before.is_uppercase());
        let is_before_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && before.is_some() && (is_after_small || is_before_small) {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn shown_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn shortened(text: &str, most: usize) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared_sources::Breadcrumb;

    use super::super::tests::entity;
    use super::*;

    fn crumb(name: &str) -> Breadcrumb {
        Breadcrumb { entity_id: format!("id of {name}"), name: name.to_owned(), entity_type: "Folder" }
    }

    #[test]
    fn what_people_ask_for_stands_there_as_they_say_it() {
        let mut issue = SourceEntity { class: "GitHubCodeFileEntity", ..entity("a", "It fails.") };
        issue.breadcrumbs = vec![crumb("unweave"), crumb("src")];
        issue.created_at = DateTime::from_timestamp(1_700_000_000, 0);
        let fields = json!({
            "status": "open", "assignee": {"login": "jane", "id": 7}, "labels": ["bug", "urgent"], "line_count": 12,
            "nothing": null, "empty": "", "sha": "0123456789abcdef0123456789abcdef01234567", "other": {"id": 1},
            "name": "Entity a", "body": "x".repeat(MOST_VALUE_CHARS + 1), "place": "a\n b",
        });
        issue.fields = fields.as_object().unwrap().clone();
        let about = About::of(&issue, "github").whole();
        let (head, fields) = about.strip_suffix("content:\n").unwrap().split_once("UTC\n").unwrap();
        assert_eq!(
            head,
            "source: github\ntype: GitHubCodeFileEntity (git hub code file)\nname: Entity a\nin: unweave / src\n\
             created: 2023-11-14 22:13 "
        );
        let mut fields: Vec<&str> = fields.lines().collect();
        fields.sort_unstable();
        assert_eq!(fields, ["assignee: jane", "labels: bug, urgent", "line count: 12", "place: a b", "status: open"]);
    }

    #[test]
    fn a_row_whose_text_has_its_columns_is_not_told_twice() {
        let mut row = SourceEntity { class: "PostgreSQLRowEntity", ..entity("a", "status: open\ncity: Bern\n") };
        row.fields = json!({"status": "open", "city": "Bern"}).as_object().unwrap().clone();
        let about = About::of(&row, "postgresql");
        assert!(!about.whole().contains("Bern"));
        assert_eq!(about.place(), "postgresql, postgre sql row, Entity a");
    }

    #[test]
    fn it_is_shorter_than_a_chunk_whatever_there_is() {
        let mut large = entity("a", "text");
        large.name = "n ".repeat(10_000);
        large.breadcrumbs = (0..32).map(|_| crumb(&"c".repeat(4_000))).collect();
        large.fields = (0..2_000).map(|number| (format!("field_{number}"), json!("v".repeat(150)))).collect();
        let about = About::of(&large, "files").whole();
        assert!(about.chars().count() < super::super::chunk::CHUNK_CHARS, "{}", about.len());
    }
}
