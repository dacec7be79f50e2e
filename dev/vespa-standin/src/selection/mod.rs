//! The document selection language, as a content node with indexed types evaluates it: exact types, three-valued.
//!
//! A field of another type, or a field that the type doesn't have, makes a comparison *invalid*; only *true* selects,
//! so a misspelled field selects nothing and says nothing.

mod evaluate;
mod lexer;
mod parser;

use crate::schema::{DocType, Field};

pub use parser::parse;

/// A parsed selection.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// All of them.
    And(Vec<Expr>),
    /// One of them.
    Or(Vec<Expr>),
    /// The opposite.
    Not(Box<Expr>),
    /// `true`, `false`; `None` is invalid.
    Constant(Option<bool>),
    /// The document is of exactly this type.
    Type(DocType),
    /// The field has a value.
    Present(FieldRef),
    /// A comparison.
    Compare(Operand, Operator, Operand),
}

/// `type.field`; the field is `None` if the type has none of that name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FieldRef {
    /// The type that was named.
    pub doc_type: DocType,
    /// The field that was named.
    pub field: Option<&'static Field>,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a point.
    Float(f64),
    /// A text.
    Text(String),
    /// The id or a part of it.
    Id(IdPart),
    /// A field.
    Field(FieldRef),
}

/// `id` and its accessors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdPart {
    /// `id`
    Whole,
    /// `id.scheme`
    Scheme,
    /// `id.namespace`
    Namespace,
    /// `id.type`
    Type,
    /// `id.specific`
    Specific,
    /// `id.user`
    User,
    /// `id.group`
    Group,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `=`
    Glob,
}

/// Why a selection was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// The container doesn't understand it, or this stand-in doesn't speak that part of the language: 400.
    #[error("{0}")]
    Syntax(String),
    /// The container let it pass and the content node refuses it: 500.
    #[error(
        "ILLEGAL_PARAMETERS: ReturnCode(ILLEGAL_PARAMETERS, [from content node 0] \
         Failed to parse document select string '{selection}': {reason})"
    )]
    Refused {
        /// The selection as it was sent.
        selection: String,
        /// What the content node says.
        reason: String,
    },
}

impl Expr {
    /// What is left of the expression for documents of one type: comparisons with other types' fields are invalid.
    pub fn for_type(&self, doc_type: DocType) -> Self {
        match self {
            Self::And(parts) => Self::And(Self::without_repeated_invalid(parts, doc_type)),
            Self::Or(parts) => Self::Or(Self::without_repeated_invalid(parts, doc_type)),
            Self::Not(part) => Self::Not(Box::new(part.for_type(doc_type))),
            Self::Type(named) => Self::Constant(Some(*named == doc_type)),
            Self::Present(field) if !field.exists_in(doc_type) => Self::Constant(None),
            Self::Compare(left, _, right) if !left.exists_in(doc_type) || !right.exists_in(doc_type) => {
                Self::Constant(None)
            }
            Self::Constant(_) | Self::Present(_) | Self::Compare(..) => self.clone(),
        }
    }

    fn without_repeated_invalid(parts: &[Self], doc_type: DocType) -> Vec<Self> {
        let mut kept: Vec<Self> = Vec::with_capacity(parts.len());
        let mut invalid = false;
        for part in parts {
            let part = part.for_type(doc_type);
            if part == Self::Constant(None) {
                invalid = true;
            } else {
                kept.push(part);
            }
        }
        if invalid {
            kept.push(Self::Constant(None));
        }
        kept
    }

    /// The fields that an evaluation may read.
    pub fn fields(&self) -> Vec<&'static Field> {
        let mut found = Vec::new();
        self.collect_fields(&mut found);
        found
    }

    fn collect_fields(&self, found: &mut Vec<&'static Field>) {
        let mut add = |field: &FieldRef| {
            if let Some(field) = field.field
                && !found.iter().any(|known| std::ptr::eq(*known, field))
            {
                found.push(field);
            }
        };
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.collect_fields(found)),
            Self::Not(part) => part.collect_fields(found),
            Self::Constant(_) | Self::Type(_) => {}
            Self::Present(field) => add(field),
            Self::Compare(left, _, right) => {
                for side in [left, right] {
                    if let Operand::Field(field) = side {
                        add(field);
                    }
                }
            }
        }
    }
}

impl FieldRef {
    fn exists_in(&self, doc_type: DocType) -> bool {
        self.doc_type == doc_type && self.field.is_some()
    }
}

impl Operand {
    fn exists_in(&self, doc_type: DocType) -> bool {
        match self {
            Self::Field(field) => field.exists_in(doc_type),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_) | Self::Id(_) => true,
        }
    }
}
