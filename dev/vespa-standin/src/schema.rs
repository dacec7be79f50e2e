//! The document types and their fields: one table, so that it can be held against the `.sd` files of the real thing.
//!
//! Inheritance gives a type the fields of its parents, and nothing else: neither a selection nor a query that names a
//! parent reaches the documents of its children.

use crate::tensor::Dimensions;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `string`
    Text,
    /// `int`, 32 bits
    Int,
    /// `long`, 64 bits
    Long,
    /// `bool`
    Bool,
    /// `array<string>`
    TextArray,
    /// `array<struct>`, all members strings: searched by member, only there or not there to a selection.
    Structs(&'static Struct),
    /// `tensor<float>(x[…])`: found by nearness, only there or not there to a selection.
    Tensor,
}

/// A struct of strings.
#[derive(Debug, PartialEq, Eq)]
pub struct Struct {
    /// Its name.
    pub name: &'static str,
    /// The names of its fields.
    pub members: &'static [&'static str],
}

impl Kind {
    /// The type's name as Vespa writes it in its messages.
    pub fn name(self, dimensions: Dimensions) -> String {
        match self {
            Self::Text => "string".into(),
            Self::Int => "int".into(),
            Self::Long => "long".into(),
            Self::Bool => "bool".into(),
            Self::TextArray => "Array<string>".into(),
            Self::Structs(of) => format!("Array<{}>", of.name),
            Self::Tensor => dimensions.tensor_type(),
        }
    }
}

/// How a query finds a field, and whether a selection reads it from memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// `attribute`: kept apart from the body, whole-value match in queries.
    Attribute,
    /// `attribute` in no summary.
    AttributeOnly,
    /// `index | attribute` with BM25: kept apart from the body, matched by word.
    IndexedAttribute,
    /// `index` with BM25: matched by word, read from the body.
    Indexed,
    /// `summary`, with `struct-field … { indexing: attribute }`: kept apart from the body, searched by member.
    StructAttribute,
    /// `index` with BM25: matched by word, in no summary.
    IndexedOnly,
    /// `summary`: shown, never searched.
    Summary,
    /// None: only those who ask for the document see it.
    Stored,
    /// `attribute | index` of a tensor: kept apart, in no summary.
    TensorAttribute,
    /// `input … | attribute`, outside the document: the value of another field, matched as a whole; can't be written.
    Derived,
}

impl Access {
    /// Whether the document's field has a column of its own beside the body.
    pub fn has_column(self) -> bool {
        matches!(self, Self::Attribute | Self::AttributeOnly | Self::IndexedAttribute | Self::StructAttribute)
    }

    /// Whether the value can be ordered and grouped by.
    pub fn is_attribute(self) -> bool {
        matches!(self, Self::Attribute | Self::AttributeOnly | Self::IndexedAttribute | Self::Derived)
    }

    /// Whether the field is in the full-text index.
    pub fn is_indexed(self) -> bool {
        matches!(self, Self::IndexedAttribute | Self::Indexed | Self::IndexedOnly)
    }
}

impl Access {
    /// Whether a query can ask for the field at all.
    pub fn is_searchable(self) -> bool {
        !matches!(self, Self::Summary | Self::Stored)
    }

    /// Whether a hit shows the field.
    pub fn is_shown(self) -> bool {
        !matches!(self, Self::AttributeOnly | Self::IndexedOnly | Self::Stored | Self::TensorAttribute | Self::Derived)
    }
}

/// A declared field.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// The column that holds its value, if one does.
    pub column: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// How it is found.
    pub access: Access,
}

const fn field(name: &'static str, kind: Kind, access: Access) -> Field {
    Field { name, column: name, kind, access }
}

/// A document type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DocType {
    /// `base_entity`
    Base,
    /// `file_entity`
    File,
    /// `code_file_entity`
    CodeFile,
    /// `email_entity`
    Email,
    /// `web_entity`
    Web,
}

/// The content cluster, its one namespace by convention.
pub const CLUSTER: &str = "airweave";

/// The field by which a connection's documents are known; a query looks it up through an index.
pub const SYNC_ID: &str = "airweave_system_metadata_sync_id";

/// The field whose ranges are slices of a connection's documents; a query looks them up through an index.
pub const PURGE_KEY: &str = "airweave_system_metadata_purge_key";

/// The fieldset `default`, which `userInput` searches.
pub const DEFAULT_FIELDSET: [&str; 3] = ["name", "textual_representation", "cjk_bigrams"];

/// The fields whose BM25 the profile `keyword` adds up.
pub const RANKED: [&str; 3] = DEFAULT_FIELDSET;

/// The tensor field.
pub const EMBEDDING: &str = "dense_embedding";

use Access::{
    Attribute, AttributeOnly, Derived, Indexed, IndexedAttribute, IndexedOnly, Stored, StructAttribute, Summary,
    TensorAttribute,
};
use Kind::{Bool, Int, Long, Structs, Tensor, Text, TextArray};

static BREADCRUMB: Struct = Struct { name: "breadcrumb", members: &["entity_id", "name", "entity_type"] };

const BASE: &[Field] = &[
    field("entity_id", Text, Attribute),
    field("name", Text, IndexedAttribute),
    field("textual_representation", Text, Indexed),
    field("cjk_bigrams", Text, IndexedOnly),
    field("payload", Text, Summary),
    field("large_payload", Text, Stored),
    field("large_payload_bytes", Int, Summary),
    field("created_at", Long, Attribute),
    field("updated_at", Long, Attribute),
    field("breadcrumbs", Structs(&BREADCRUMB), StructAttribute),
    field("web_url", Text, Attribute),
    field("url", Text, Attribute),
    field("access_is_public", Bool, Summary),
    field("access_viewers", TextArray, Attribute),
    field(SYNC_ID, Text, Attribute),
    field(PURGE_KEY, Long, AttributeOnly),
    field("airweave_system_metadata_sync_job_id", Text, Attribute),
    field("airweave_system_metadata_collection_id", Text, Attribute),
    field("airweave_system_metadata_original_entity_id", Text, Attribute),
    field("airweave_system_metadata_entity_type", Text, Attribute),
    field("airweave_system_metadata_source_name", Text, Attribute),
    field("airweave_system_metadata_content_hash", Text, Attribute),
    field("airweave_system_metadata_chunk_index", Int, Attribute),
    field(EMBEDDING, Tensor, TensorAttribute),
];
/// Outside the document: of every type, as all inherit from the schema that declares it.
static DERIVED: [Field; 1] = [Field { name: "name_exact", column: "name", kind: Text, access: Derived }];
const FILE: &[Field] = &[
    field("file_type", Text, Attribute),
    field("mime_type", Text, Attribute),
    field("local_path", Text, Attribute),
    field("size", Long, Attribute),
];
const CODE_FILE: &[Field] = &[
    field("language", Text, Attribute),
    field("line_count", Int, Attribute),
    field("path_in_repo", Text, Attribute),
    field("repo_name", Text, Attribute),
    field("repo_owner", Text, Attribute),
];
const EMAIL: &[Field] =
    &[field("subject", Text, Attribute), field("sender", Text, Attribute), field("recipients", TextArray, Attribute)];
const WEB: &[Field] = &[field("crawl_url", Text, Attribute)];

impl DocType {
    /// All types, in the order in which Vespa's messages name them here.
    pub const ALL: [Self; 5] = [Self::Base, Self::File, Self::CodeFile, Self::Email, Self::Web];

    /// The schema's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base_entity",
            Self::File => "file_entity",
            Self::CodeFile => "code_file_entity",
            Self::Email => "email_entity",
            Self::Web => "web_entity",
        }
    }

    /// The type called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|doc_type| doc_type.name() == name)
    }

    /// The number under which the type is stored.
    pub fn code(self) -> u8 {
        match self {
            Self::Base => 0,
            Self::File => 1,
            Self::CodeFile => 2,
            Self::Email => 3,
            Self::Web => 4,
        }
    }

    /// The type stored under `code`.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|doc_type| doc_type.code() == code)
    }

    /// The type it inherits from.
    pub fn parent(self) -> Option<Self> {
        match self {
            Self::Base => None,
            Self::File | Self::Web => Some(Self::Base),
            Self::CodeFile | Self::Email => Some(Self::File),
        }
    }

    /// The fields that the type itself declares.
    pub fn own_fields(self) -> &'static [Field] {
        match self {
            Self::Base => BASE,
            Self::File => FILE,
            Self::CodeFile => CODE_FILE,
            Self::Email => EMAIL,
            Self::Web => WEB,
        }
    }

    /// Its own fields and the inherited ones.
    pub fn fields(self) -> impl Iterator<Item = &'static Field> {
        std::iter::successors(Some(self), |doc_type| doc_type.parent()).flat_map(|doc_type| doc_type.own_fields())
    }

    /// The field called `name`, if documents of the type have it.
    pub fn field(self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }

    /// What a query over the type may call `name`: a field, or `field.member`.
    pub fn searchable(self, name: &str) -> Option<Searchable> {
        if let Some((field, member)) = name.split_once('.') {
            let field = self.field(field)?;
            let Kind::Structs(of) = field.kind else { return None };
            return of.members.iter().find(|known| **known == member).map(|member| Searchable::Member(field, member));
        }
        let field = self.field(name).or_else(|| DERIVED.iter().find(|field| field.name == name));
        field.filter(|field| field.access.is_searchable()).map(Searchable::Field)
    }
}

/// What a name in a query stands for.
#[derive(Debug, Clone, Copy)]
pub enum Searchable {
    /// A field.
    Field(&'static Field),
    /// A member of the structs in a field.
    Member(&'static Field, &'static str),
}

/// Every column beside the body, of whatever type.
pub fn columns() -> impl Iterator<Item = &'static Field> {
    DocType::ALL.into_iter().flat_map(DocType::own_fields).filter(|field| field.access.has_column())
}

/// Every field with a full-text index.
pub fn indexed() -> impl Iterator<Item = &'static Field> {
    DocType::ALL.into_iter().flat_map(DocType::own_fields).filter(|field| field.access.is_indexed())
}
