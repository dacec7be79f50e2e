//! Splits a selection into tokens.
//!
//! Two parsers stand behind one another in Vespa. What only the second refuses is noted and reported last, because
//! the first one, when it refuses, answers first.

use super::{Operator, SelectionError};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Int(i64),
    Float(f64),
    Compare(Operator),
    Dot,
    Open,
    Close,
    Minus,
    Plus,
    /// Part of the language, not spoken here.
    Other(char),
}

/// A token and the column where it starts, from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub token: Token,
    pub column: usize,
}

#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub tokens: Vec<Placed>,
    /// What the content node would refuse.
    pub refusal: Option<String>,
}

pub(super) fn split(selection: &str) -> Result<Tokens, SelectionError> {
    let mut lexer = Lexer { rest: selection.chars().peekable(), column: 0, out: Tokens::default() };
    while let Some(c) = lexer.rest.peek().copied() {
        lexer.token(c)?;
    }
    Ok(lexer.out)
}

struct Lexer<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    column: usize,
    out: Tokens,
}

impl Lexer<'_> {
    fn next(&mut self) -> Option<char> {
        self.column += 1;
        self.rest.next()
    }

    fn token(&mut self, c: char) -> Result<(), SelectionError> {
        let column = self.column + 1;
        let token = match c {
            ' ' | '\t' | '\r' | '\x0c' => {
                self.next();
                return Ok(());
            }
            '\n' => {
                self.next();
                self.refuse(format!("syntax error, unexpected newline at column {column}"));
                return Ok(());
            }
            '\'' | '"' => self.text(c)?,
            '0'..='9' => self.number(column)?,
            'a'..='z' | 'A'..='Z' | '_' => self.word(),
            '=' | '!' | '<' | '>' => self.comparison(column)?,
            _ => {
                self.next();
                match c {
                    '.' => Token::Dot,
                    '(' => Token::Open,
                    ')' => Token::Close,
                    '-' => Token::Minus,
                    '+' => Token::Plus,
                    '*' | '/' | '%' | '[' | ']' | '{' | '}' | '$' => Token::Other(c),
                    _ => return Err(lexical(column, &format!("\"{c}\" ({})", u32::from(c)))),
                }
            }
        };
        self.out.tokens.push(Placed { token, column });
        Ok(())
    }

    fn refuse(&mut self, reason: String) {
        self.out.refusal.get_or_insert(reason);
    }

    fn word(&mut self) -> Token {
        let mut word = String::new();
        while let Some(c) = self.rest.peek().copied().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
            word.push(c);
            self.next();
        }
        Token::Word(word)
    }

    fn number(&mut self, column: usize) -> Result<Token, SelectionError> {
        let mut digits = String::new();
        while let Some(c) = self.rest.peek().copied().filter(|c| c.is_ascii_alphanumeric() || *c == '.') {
            digits.push(c);
            self.next();
        }
        let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
        let whole = match hex {
            Some(hex) => i64::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        };
        match whole {
            Some(number) => Ok(Token::Int(number)),
            None if digits.contains('.') => {
                digits.parse().map(Token::Float).map_err(|_| lexical(column, &format!("\"{digits}\"")))
            }
            None => Err(lexical(column, &format!("\"{digits}\""))),
        }
    }

    fn comparison(&mut self, column: usize) -> Result<Token, SelectionError> {
        let first = self.next();
        let second = self.rest.peek().copied();
        let (operator, takes_second) = match (first, second) {
            (Some('='), Some('=')) => (Operator::Equal, true),
            (Some('='), Some('~')) => {
                return Err(SelectionError::Syntax(format!(
                    "Encountered \"=~\" at line -1, column {column}: regular expressions are not spoken by this stand-in"
                )));
            }
            (Some('='), _) => (Operator::Glob, false),
            (Some('!'), Some('=')) => (Operator::NotEqual, true),
            (Some('<'), Some('=')) => (Operator::LessOrEqual, true),
            (Some('<'), _) => (Operator::Less, false),
            (Some('>'), Some('=')) => (Operator::GreaterOrEqual, true),
            (Some('>'), _) => (Operator::Greater, false),
            _ => return Err(lexical(column, "\"!\"")),
        };
        if takes_second {
            self.next();
        }
        Ok(Token::Compare(operator))
    }

    fn text(&mut self, quote: char) -> Result<Token, SelectionError> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(lexical(self.column, "<EOF>")),
                Some(c) if c == quote => return Ok(Token::Text(text)),
                Some('\\') => text.push(self.escape()?),
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SelectionError> {
        match self.next() {
            Some('\\') => Ok('\\'),
            Some('"') => Ok('"'),
            Some('t') => Ok('\t'),
            Some('n') => Ok('\n'),
            Some('f') => Ok('\x0c'),
            Some('r') => Ok('\r'),
            Some('x') => {
                let digits: String = [self.next(), self.next()].into_iter().flatten().collect();
                u8::from_str_radix(&digits, 16).map(char::from).map_err(|_| lexical(self.column, "\"\\x\""))
            }
            Some('\'') => {
                self.refuse("Illegal escape sequence \\' found".into());
                Ok('\'')
            }
            Some(c) => {
                self.refuse(format!("Unexpected character: '\\{c}' at column {}", self.column));
                Ok(c)
            }
            None => Err(lexical(self.column, "<EOF>")),
        }
    }
}

fn lexical(column: usize, what: &str) -> SelectionError {
    SelectionError::Syntax(format!(
        "com.yahoo.document.select.parser.ParseException: Lexical error at line -1, column {column}.  \
         Encountered: {what}"
    ))
}
