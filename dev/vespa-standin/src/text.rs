//! Which characters a string field may hold.

/// Whether Vespa takes the character in a string field or an id: no control characters but tab, newline and carriage
/// return, no noncharacters. (It lets U+FDE0 to U+FDEF, U+FFFE and U+FFFF pass.)
pub fn is_text_character(character: char) -> bool {
    match u32::from(character) {
        code @ 0..0x20 => matches!(code, 0x9 | 0xA | 0xD),
        0xFDD0..=0xFDDF => false,
        code @ 0x1_0000.. => code & 0xFFFF < 0xFFFE,
        _ => true,
    }
}

/// The first character that Vespa would refuse, as its message writes it.
pub fn illegal_code_point(text: &str) -> Option<String> {
    text.chars().find(|c| !is_text_character(*c)).map(|c| format!("0x{:X}", u32::from(c)))
}
