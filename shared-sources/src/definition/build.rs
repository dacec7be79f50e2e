//! Short ways to say what a field is.

use super::{Field, FieldDefault, FieldKind};

pub(crate) const fn field(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    kind: FieldKind,
    default: FieldDefault,
) -> Field {
    Field { name, title, description, kind, default, is_secret: false }
}

pub(crate) const fn integer(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    default: i64,
    min: i64,
    max: i64,
) -> Field {
    field(name, title, description, FieldKind::Integer { min, max }, FieldDefault::Integer(default))
}

pub(crate) const fn free_text(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    default: FieldDefault,
) -> Field {
    field(name, title, description, FieldKind::FreeText { max_chars: 10_000 }, default)
}

/// The same field, never shown again once stored.
pub(crate) const fn secret(field: Field) -> Field {
    Field { is_secret: true, ..field }
}

pub(crate) const TEXT: FieldKind = FieldKind::Text { max_chars: 1024 };
