//! Splits a query into tokens.

use std::num::IntErrorKind;

use super::YqlError;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name, with the dots in it.
    Word(String),
    Text(String),
    Int(i64),
    /// A number that is not a whole one, or a duration such as `10s`.
    Amount(String),
    /// `@name`
    Parameter(String),
    /// Punctuation, one or two characters.
    Sign(&'static str),
}

pub(super) fn split(query: &str) -> Result<Vec<(usize, Token)>, YqlError> {
    let mut out = Vec::new();
    let mut rest = query.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let mut word = |first: Option<char>, more: fn(char) -> bool| {
            let mut word: String = first.into_iter().collect();
            while let Some((_, c)) = rest.peek().copied().filter(|(_, c)| more(*c)) {
                word.push(c);
                rest.next();
            }
            word
        };
        let token = match c {
            c if c.is_whitespace() => continue,
            'a'..='z' | 'A'..='Z' | '_' => {
                Token::Word(word(Some(c), |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')))
            }
            '0'..='9' | '-' => {
                let number = word(Some(c), |c| c.is_ascii_alphanumeric() || c == '.');
                let digits = number.strip_suffix(['L', 'l']).unwrap_or(&number);
                match digits.parse() {
                    Ok(number) => Token::Int(number),
                    Err(error) if matches!(error.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow) => {
                        return Err(YqlError(format!("For input string: \"{digits}\"")));
                    }
                    Err(_) => Token::Amount(number),
                }
            }
            '@' => Token::Parameter(word(None, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))),
            '"' | '\'' => Token::Text(text(&mut rest, c, at)?),
            '<' | '>' | '!' | '=' => {
                let twice = rest.next_if(|(_, next)| *next == '=').is_some();
                Token::Sign(match (c, twice) {
                    ('<', true) => "<=",
                    ('<', false) => "<",
                    ('>', true) => ">=",
                    ('>', false) => ">",
                    ('!', true) => "!=",
                    ('!', false) => "!",
                    (_, _) => "=",
                })
            }
            _ => {
                match ["(", ")", ",", ";", "{", "}", "[", "]", ":", "|", "*"].iter().find(|sign| sign.starts_with(c)) {
                    Some(sign) => Token::Sign(sign),
                    None => return Err(YqlError(format!("query:L1:{at} token recognition error at: '{c}'"))),
                }
            }
        };
        out.push((at, token));
    }
    Ok(out)
}

type Characters<'a> = std::iter::Peekable<std::str::CharIndices<'a>>;

fn text(rest: &mut Characters<'_>, quote: char, start: usize) -> Result<String, YqlError> {
    let unfinished = || YqlError(format!("query:L1:{start} token recognition error: a string without an end"));
    let mut text = String::new();
    loop {
        let (at, c) = rest.next().ok_or_else(unfinished)?;
        if c == quote {
            return Ok(text);
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        let (_, escaped) = rest.next().ok_or_else(unfinished)?;
        text.push(match escaped {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'f' => '\x0c',
            'b' => '\x08',
            '\\' | '"' | '\'' | '/' => escaped,
            'u' => unicode(rest, at)?,
            other => return Err(YqlError(format!("query:L1:{at} Illegal escape '\\{other}'"))),
        });
    }
}

/// The four hexadecimal digits after `\u`; a character beyond 16 bits comes as two of them.
fn unicode(rest: &mut Characters<'_>, at: usize) -> Result<char, YqlError> {
    let mut units = vec![unit(rest, at)?];
    if matches!(units.as_slice(), [0xD800..0xDC00]) {
        let follows = rest.next_if(|(_, c)| *c == '\\').and_then(|_| rest.next_if(|(_, c)| *c == 'u'));
        if follows.is_some() {
            units.push(unit(rest, at)?);
        }
    }
    match char::decode_utf16(units).next() {
        Some(Ok(character)) => Ok(character),
        _ => Err(YqlError(format!("query:L1:{at} half a character in a unicode escape"))),
    }
}

fn unit(rest: &mut Characters<'_>, at: usize) -> Result<u16, YqlError> {
    let digits: String = rest.by_ref().take(4).map(|(_, c)| c).collect();
    // Without this a sign would pass for a digit.
    let parsed = digits.chars().all(|c| c.is_ascii_hexdigit()).then(|| u16::from_str_radix(&digits, 16).ok());
    parsed.flatten().ok_or_else(|| YqlError(format!("query:L1:{at} Illegal unicode escape '\\u{digits}'")))
}
