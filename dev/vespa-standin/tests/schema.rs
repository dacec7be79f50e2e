//! The table of fields is that of the application package in deploy/vespa.

use std::path::Path;

use vespa_standin::schema::{Access, DocType, Field, Kind};

/// The fields of the document in a `.sd` file: name, type, and what is said of how it is indexed.
fn declared(doc_type: DocType) -> Vec<(String, String, String)> {
    let file = format!("../../deploy/vespa/schemas/{}.sd", doc_type.name());
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let document = text.split("\n    document ").nth(1).unwrap().split("\n    }\n").next().unwrap();
    let mut fields: Vec<(String, String, String)> = Vec::new();
    for line in document.lines() {
        if let Some((name, kind)) = line.strip_prefix("        field ").and_then(|rest| rest.split_once(" type ")) {
            fields.push((name.to_owned(), kind.trim_end_matches([' ', '{']).to_owned(), String::new()));
        } else if let Some(indexing) = line.strip_prefix("            indexing: ") {
            fields.last_mut().unwrap().2 = indexing.to_owned();
        }
    }
    fields.sort();
    fields
}

fn known(field: &Field) -> (String, String, String) {
    let kind = match field.kind {
        Kind::Text => "string",
        Kind::Int => "int",
        Kind::Long => "long",
        Kind::Bool => "bool",
        Kind::TextArray => "array<string>",
        Kind::Structs(_) => "array<breadcrumb>",
        Kind::Tensor => "tensor<float>(x[1536])",
    };
    let indexing = match field.access {
        Access::Attribute => "attribute | summary",
        Access::AttributeOnly => "attribute",
        Access::IndexedAttribute => "index | attribute | summary",
        Access::Indexed => "index | summary",
        Access::IndexedOnly => "index",
        Access::StructAttribute | Access::Summary => "summary",
        Access::Stored => "",
        Access::TensorAttribute => "attribute | index",
        Access::Derived => panic!("{} is no field of a document", field.name),
    };
    (field.name.to_owned(), kind.to_owned(), indexing.to_owned())
}

#[test]
fn the_fields_are_those_of_the_application_package() {
    for doc_type in DocType::ALL {
        let mut fields: Vec<_> = doc_type.own_fields().iter().map(known).collect();
        fields.sort();
        assert_eq!(fields, declared(doc_type), "{}", doc_type.name());
    }
}
