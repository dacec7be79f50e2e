//! Ids of documents as Vespa holds them, whoever wrote them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use shared_models::{DocumentId, DocumentType, SyncId};

use super::VespaError;

/// Everything but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The id of a document in Vespa, of any form: `id:{namespace}:{type}:[n={number}|g={group}]:{specific}`.
///
/// Our own ids have neither number nor group; another system's may, and must be purged all the same.
///
/// Another system's ids may also be shared by several syncs, so that a document can pass to a live sync between being
/// listed and being removed. Such an id, when listed for a purge, carries the sync that the document must still have
/// (DEL-4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoredId {
    namespace: String,
    document_type: DocumentType,
    location: Location,
    specific: String,
    only_of: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Location {
    None,
    Number(String),
    Group(String),
}

impl StoredId {
    /// Reads a full id as Vespa returns it.
    ///
    /// # Errors
    /// `Malformed` if it isn't a document id, or not of one of the five types.
    pub fn parse(full: &str) -> Result<Self, VespaError> {
        Self::read(full).ok_or_else(|| VespaError::Malformed("unreadable document id".to_owned()))
    }

    fn read(full: &str) -> Option<Self> {
        let mut parts = full.splitn(5, ':');
        let (scheme, namespace, kind) = (parts.next()?, parts.next()?, parts.next()?);
        let (location, specific) = (parts.next()?, parts.next()?);
        if scheme != "id" || namespace.is_empty() || specific.is_empty() {
            return None;
        }
        let location = match location.split_once('=') {
            None if location.is_empty() => Location::None,
            Some(("n", number)) if !number.is_empty() => Location::Number(number.to_owned()),
            Some(("g", group)) if !group.is_empty() => Location::Group(group.to_owned()),
            None | Some(_) => return None,
        };
        let document_type = kind.parse().ok()?;
        let (namespace, specific) = (namespace.to_owned(), specific.to_owned());
        Some(Self { namespace, document_type, location, specific, only_of: None })
    }

    /// Its type.
    #[must_use]
    pub const fn document_type(&self) -> DocumentType {
        self.document_type
    }

    /// The id of the entity's first chunk, if this is an id of ours: its last part is the chunk's number.
    pub(super) fn first_chunk(&self) -> Option<Self> {
        let (entity, number) = self.specific.rsplit_once('.')?;
        number.parse::<u32>().ok().filter(|_| self.location == Location::None)?;
        Some(Self { specific: format!("{entity}.0"), ..self.clone() })
    }

    /// The same id, listed for a purge of `sync`.
    pub(super) fn listed_for(mut self, sync: SyncId) -> Self {
        let sync = sync.to_string();
        let is_scoped = self.specific.strip_prefix(&sync).is_some_and(|rest| rest.starts_with('.'));
        self.only_of = (!is_scoped).then_some(sync);
        self
    }

    /// The same id, if its document must have a sync that `spelled` is another spelling of.
    pub(super) fn respelled(&self, spelled: &str) -> Option<Self> {
        let sync = self.only_of.as_deref()?;
        let is_other = sync != spelled && sync.eq_ignore_ascii_case(spelled);
        is_other.then(|| Self { only_of: Some(spelled.to_owned()), ..self.clone() })
    }

    /// The selection that the document must match to be removed, if its id doesn't say whose it is. On one line and
    /// without blanks, which a query string may spell in two ways.
    pub(super) fn condition(&self) -> Option<String> {
        let sync = self.only_of.as_deref()?;
        Some(format!("{}.airweave_system_metadata_sync_id=='{sync}'", self.document_type))
    }

    /// The path of the document in `/document/v1`, percent-encoded, without a leading slash.
    pub(super) fn path(&self) -> String {
        let (namespace, kind, specific) = (encode(&self.namespace), self.document_type, encode(&self.specific));
        match &self.location {
            Location::None => format!("document/v1/{namespace}/{kind}/docid/{specific}"),
            Location::Number(number) => format!("document/v1/{namespace}/{kind}/number/{}/{specific}", encode(number)),
            Location::Group(group) => format!("document/v1/{namespace}/{kind}/group/{}/{specific}", encode(group)),
        }
    }
}

impl From<&DocumentId> for StoredId {
    fn from(id: &DocumentId) -> Self {
        Self {
            namespace: shared_models::document::NAMESPACE.to_owned(),
            document_type: id.document_type,
            location: Location::None,
            specific: id.specific.clone(),
            only_of: None,
        }
    }
}

impl std::fmt::Display for StoredId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { namespace, document_type, location, specific, only_of: _ } = self;
        match location {
            Location::None => write!(f, "id:{namespace}:{document_type}::{specific}"),
            Location::Number(number) => write!(f, "id:{namespace}:{document_type}:n={number}:{specific}"),
            Location::Group(group) => write!(f, "id:{namespace}:{document_type}:g={group}:{specific}"),
        }
    }
}

fn encode(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, ENCODED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_every_form_are_read_and_addressed_whole() {
        for (full, path) in [
            (
                "id:airweave:web_entity::http://x:80/a b",
                "document/v1/airweave/web_entity/docid/http%3A%2F%2Fx%3A80%2Fa%20b",
            ),
            ("id:other:base_entity:n=7:x", "document/v1/other/base_entity/number/7/x"),
            ("id:airweave:file_entity:g=it's:ä", "document/v1/airweave/file_entity/group/it%27s/%C3%A4"),
        ] {
            let id = StoredId::parse(full).unwrap();
            assert_eq!(id.to_string(), full);
            assert_eq!(id.path(), path);
        }
    }

    #[test]
    fn the_first_chunk_of_an_entity_is_known_from_any() {
        let of = |full: &str| StoredId::parse(full).unwrap().first_chunk().map(|id| id.to_string());
        let first = "id:airweave:file_entity::11111111-1111-4111-8111-111111111111.ab.0";
        assert_eq!(of(&first.replace(".0", ".12")).as_deref(), Some(first));
        assert_eq!(of("id:airweave:file_entity::file_entity_x__chunk_3"), None);
        assert_eq!(of("id:airweave:file_entity:n=1:a.b.3"), None);
    }

    #[test]
    fn only_ids_that_do_not_name_their_sync_are_removed_on_a_condition() {
        let sync = SyncId::random();
        let own = DocumentId::chunk(DocumentType::Web, sync, shared_models::EntityKey::unkeyed("A", "a"), 0);
        assert_eq!(StoredId::from(&own).listed_for(sync).condition(), None);
        let foreign = StoredId::parse("id:airweave:web_entity::web_entity_a__chunk_0").unwrap();
        let expected = format!("web_entity.airweave_system_metadata_sync_id=='{sync}'");
        assert_eq!(foreign.listed_for(sync).condition(), Some(expected.clone()));
        assert!(StoredId::from(&own).listed_for(SyncId::random()).condition().is_some());
    }

    #[test]
    fn an_id_is_respelled_for_its_own_sync_alone() {
        let sync: SyncId = "abcdef12-1111-4111-8111-111111111111".parse().unwrap();
        let listed = StoredId::parse("id:airweave:web_entity::web_entity_a__chunk_0").unwrap().listed_for(sync);
        let spelled = "ABCDEF12-1111-4111-8111-111111111111";
        let expected = format!("web_entity.airweave_system_metadata_sync_id=='{spelled}'");
        assert_eq!(listed.respelled(spelled).unwrap().condition(), Some(expected));
        for other in [sync.to_string(), SyncId::random().to_string(), "x' or true".to_owned(), String::new()] {
            assert_eq!(listed.respelled(&other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_id_of_ours_is_an_error() {
        for text in [
            "",
            "index:airweave/0/abc",
            "id:airweave:music::x",
            "id:airweave:web_entity:q=1:x",
            "id:airweave:web_entity::",
        ] {
            assert!(StoredId::parse(text).is_err(), "{text}");
        }
    }
}
