//! XML as S3 speaks it. Whatever isn't a whole document is none: half an answer would look like an empty list (DEL-7).

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// No answer of S3 nests deeper than a few.
const DEEPEST: usize = 16;

/// An element, whatever its namespace.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    /// All text directly in it.
    pub(super) text: String,
    pub(super) children: Vec<Self>,
}

impl Element {
    /// All children of this name.
    pub(super) fn all(&self, name: &'static str) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the one child of this name; none if it isn't there or is empty.
    ///
    /// # Errors
    /// [`Unreadable`] if there are several, or if it is more than text.
    pub(super) fn text_of(&self, name: &'static str) -> Result<Option<&str>, Unreadable> {
        let mut all = self.all(name);
        match (all.next(), all.next()) {
            (None, _) => Ok(None),
            (Some(only), None) if only.children.is_empty() => {
                Ok(Some(only.text.as_str()).filter(|text| !text.is_empty()))
            }
            (Some(_), _) => Err(Unreadable),
        }
    }
}

/// It isn't what it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// The root of a document, which is all of it.
///
/// # Errors
/// [`Unreadable`] if it is no document, if something comes after its root, or if it declares a type, as pages for
/// people do.
pub(super) fn read(document: &[u8]) -> Result<Element, Unreadable> {
    let text = std::str::from_utf8(document).map_err(|_| Unreadable)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    // What is open, from the root on.
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        match reader.read_event().map_err(|_| Unreadable)? {
            Event::Start(start) if root.is_none() && open.len() < DEEPEST => open.push(named(&start)?),
            Event::Empty(start) if root.is_none() => close(named(&start)?, &mut open, &mut root),
            Event::End(_) => {
                let ended = open.pop().ok_or(Unreadable)?;
                close(ended, &mut open, &mut root);
            }
            Event::Text(text) => add(&text.decode().map_err(|_| Unreadable)?, &mut open)?,
            Event::CData(text) => add(&text.decode().map_err(|_| Unreadable)?, &mut open)?,
            Event::GeneralRef(reference) => add(&meant(&reference)?, &mut open)?,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof if open.is_empty() => return root.ok_or(Unreadable),
            Event::Start(_) | Event::Empty(_) | Event::DocType(_) | Event::Eof => return Err(Unreadable),
        }
    }
}

fn named(start: &BytesStart<'_>) -> Result<Element, Unreadable> {
    let name = std::str::from_utf8(start.local_name().into_inner()).map_err(|_| Unreadable)?.to_owned();
    Ok(Element { name, ..Element::default() })
}

fn close(ended: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(ended),
        None => *root = Some(ended),
    }
}

fn add(text: &str, open: &mut [Element]) -> Result<(), Unreadable> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(Unreadable),
    }
    Ok(())
}

/// What `&amp;`, `&#13;` and their like stand for.
fn meant(reference: &BytesRef<'_>) -> Result<String, Unreadable> {
    if let Some(letter) = reference.resolve_char_ref().map_err(|_| Unreadable)? {
        return Ok(letter.to_string());
    }
    let name = reference.decode().map_err(|_| Unreadable)?;
    resolve_predefined_entity(&name).map(str::to_owned).ok_or(Unreadable)
}

/// Whether XML 1.0 carries this text so that every reader finds it unchanged: no control characters, which it can't
/// even escape, and no space around it, which many take off.
pub(super) fn carries(text: &str) -> bool {
    let is_carried = |letter| match letter {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        letter => letter >= ' ',
    };
    !text.is_empty() && text.trim() == text && text.chars().all(is_carried)
}

/// The text as it stands between two tags. Ends of lines are escaped: readers make others of them.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' => escaped.push_str("&#9;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_whatever_its_namespaces() {
        let text = "\u{feff}<?xml version=\"1.0\"?>\n<!-- c --><s:A xmlns:s=\"x\"><s:B>a &amp;&#13;<![CDATA[<b>]]></s:B><C/></s:A>\n";
        let read = read(text.as_bytes()).unwrap();
        assert_eq!((read.name.as_str(), read.children.len()), ("A", 2));
        assert_eq!(read.text_of("B").unwrap(), Some("a &\r<b>"));
        assert_eq!((read.text_of("C").unwrap(), read.text_of("D").unwrap()), (None, None));
    }

    #[test]
    fn what_isnt_one_whole_document_is_none() {
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        for text in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>more",
            "<a/>&amp;",
            "more<a/>",
            "<a>&unknown;</a>",
            "<a>&#xFFFFFFFF;</a>",
            "<!DOCTYPE html><html></html>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
            deep.as_str(),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap_err(), Unreadable, "{text}");
        }
        assert!(read(b"<a>\xff</a>").is_err());
        let twice = read(b"<a><b>1</b><b>2</b><c><d/></c></a>").unwrap();
        assert_eq!((twice.text_of("b"), twice.text_of("c")), (Err(Unreadable), Err(Unreadable)));
    }

    #[test]
    fn what_is_told_is_read_as_it_was() {
        let keys = ["a", "a&b<c>\"'", "a\r\n\tb", "ü\u{85}\u{2028}/../ //"];
        for key in keys {
            assert!(carries(key), "{key:?}");
            let told = format!("<Key>{}</Key>", escaped(key));
            assert_eq!(read(told.as_bytes()).unwrap().text, key);
        }
        for key in ["", " a", "a\n", "\u{1}", "a\u{0}b", "a\u{fffe}"] {
            assert!(!carries(key), "{key:?}");
        }
    }
}
