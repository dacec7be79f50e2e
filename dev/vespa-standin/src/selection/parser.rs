//! Parses a selection, without recursion: whatever is sent, the stack stays flat.

use super::lexer::{Placed, Token, split};
use super::{Expr, FieldRef, IdPart, Operand, Operator, SelectionError};
use crate::schema::DocType;

/// Content nodes refuse anything longer.
const MAX_BYTES: usize = 1_048_576;
/// … or nested deeper. A chain of `or` nests to the left, one level per term.
const MAX_DEPTH: usize = 1024;

/// Parses a selection as the container and then the content node would.
pub fn parse(selection: &str) -> Result<Expr, SelectionError> {
    let split = split(selection)?;
    let mut parser = Parser { tokens: split.tokens, at: 0, refusal: split.refusal, nodes: vec![], pending: vec![] };
    let expr = parser.run()?;
    let refusal = if selection.len() > MAX_BYTES {
        Some(format!("expression is too large to be parsed (max {MAX_BYTES} bytes, got {})", selection.len()))
    } else {
        parser.refusal
    };
    match refusal {
        Some(reason) => Err(SelectionError::Refused { selection: selection.to_owned(), reason }),
        None => Ok(expr),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Open,
    Or,
    And,
    Not,
}

struct Node {
    expr: Expr,
    depth: usize,
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    refusal: Option<String>,
    nodes: Vec<Node>,
    pending: Vec<Pending>,
}

impl Parser {
    fn run(&mut self) -> Result<Expr, SelectionError> {
        loop {
            self.until_leaf()?;
            let leaf = self.leaf()?;
            self.nodes.push(Node { expr: leaf, depth: 1 });
            self.close_brackets()?;
            if self.peek().is_none() {
                break;
            }
            match self.keyword() {
                Some("and") => self.binary(Pending::And),
                Some("or") => self.binary(Pending::Or),
                _ => return Err(self.unexpected(&["\"and\"", "\"or\"", "<EOF>"])),
            }
            self.at += 1;
        }
        while let Some(top) = self.pending.last().copied() {
            if top == Pending::Open {
                return Err(self.unexpected(&["\")\""]));
            }
            self.reduce();
        }
        match self.nodes.pop() {
            Some(node) if node.depth > MAX_DEPTH => {
                self.refuse(format!("expression is too deeply nested (max {MAX_DEPTH} levels)"));
                // Nobody walks it any more but to drop it, and `bounded` has kept it flat enough for that.
                Ok(Expr::Constant(None))
            }
            Some(node) => Ok(node.expr),
            None => Err(self.unexpected(&["an expression"])),
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    fn keyword(&self) -> Option<&'static str> {
        match self.peek() {
            Some(Token::Word(word)) => {
                ["and", "or", "not"].into_iter().find(|keyword| word.eq_ignore_ascii_case(keyword))
            }
            _ => None,
        }
    }

    /// Takes `not` and opening brackets.
    fn until_leaf(&mut self) -> Result<(), SelectionError> {
        loop {
            if self.keyword() == Some("not") {
                self.pending.push(Pending::Not);
            } else if self.peek() == Some(&Token::Open) {
                self.pending.push(Pending::Open);
            } else {
                return Ok(());
            }
            self.at += 1;
            if self.pending.len() > MAX_BYTES {
                return Err(self.unexpected(&["fewer brackets"]));
            }
        }
    }

    fn close_brackets(&mut self) -> Result<(), SelectionError> {
        self.reduce_while(|top| top == Pending::Not);
        while self.peek() == Some(&Token::Close) {
            self.reduce_while(|top| top != Pending::Open);
            if self.pending.pop().is_none() {
                return Err(self.unexpected(&["<EOF>"]));
            }
            self.at += 1;
            self.reduce_while(|top| top == Pending::Not);
        }
        Ok(())
    }

    fn binary(&mut self, operator: Pending) {
        self.reduce_while(|top| match operator {
            Pending::And => matches!(top, Pending::And | Pending::Not),
            Pending::Or | Pending::Open | Pending::Not => top != Pending::Open,
        });
        self.pending.push(operator);
    }

    fn reduce_while(&mut self, reducible: impl Fn(Pending) -> bool) {
        while self.pending.last().is_some_and(|top| reducible(*top)) {
            self.reduce();
        }
    }

    fn reduce(&mut self) {
        let Some(operator) = self.pending.pop() else { return };
        let Some(right) = self.nodes.pop() else { return };
        let node = match operator {
            Pending::Open => right,
            Pending::Not => {
                let depth = right.depth + 1;
                Node { expr: bounded(right, |expr| Expr::Not(Box::new(expr))), depth }
            }
            Pending::And | Pending::Or => {
                let Some(left) = self.nodes.pop() else { return };
                let depth = left.depth.max(right.depth) + 1;
                let (left, right) = (bounded(left, |expr| expr), bounded(right, |expr| expr));
                let expr = match (operator, left) {
                    (Pending::And, Expr::And(mut parts)) => {
                        parts.push(right);
                        Expr::And(parts)
                    }
                    (Pending::Or, Expr::Or(mut parts)) => {
                        parts.push(right);
                        Expr::Or(parts)
                    }
                    (Pending::And, left) => Expr::And(vec![left, right]),
                    (_, left) => Expr::Or(vec![left, right]),
                };
                Node { expr, depth }
            }
        };
        self.nodes.push(node);
    }

    fn leaf(&mut self) -> Result<Expr, SelectionError> {
        let start = self.at;
        let left = self.operand()?;
        let Some(Token::Compare(operator)) = self.peek().cloned() else {
            return match left {
                Side::Operand(Operand::Bool(value)) => Ok(Expr::Constant(Some(value))),
                Side::Operand(Operand::Field(field)) => Ok(Expr::Present(field)),
                Side::Type(doc_type) => Ok(doc_type.map_or(Expr::Constant(None), Expr::Type)),
                Side::Operand(_) => {
                    if self.peek().is_none() {
                        self.at = self.at.max(start);
                    }
                    Err(self.unexpected(&["\"==\"", "\"!=\"", "\"<\"", "\">\"", "\"=\""]))
                }
            };
        };
        let column = self.column();
        self.at += 1;
        let right = self.operand()?;
        match (left, right) {
            (Side::Operand(left), Side::Operand(right)) => Ok(Expr::Compare(left, operator, right)),
            _ => {
                let sign = sign(operator);
                self.refuse(format!(
                    "syntax error, unexpected {sign}, expecting end of input at column {column} when parsing selection"
                ));
                Ok(Expr::Constant(None))
            }
        }
    }

    fn operand(&mut self) -> Result<Side, SelectionError> {
        let sign = match self.peek() {
            Some(Token::Minus) => -1,
            Some(Token::Plus) => 1,
            _ => 0,
        };
        if sign != 0 {
            self.at += 1;
        }
        let operand = match self.peek().cloned() {
            Some(Token::Int(number)) => Operand::Int(if sign < 0 { number.wrapping_neg() } else { number }),
            Some(Token::Float(number)) => Operand::Float(if sign < 0 { -number } else { number }),
            Some(Token::Text(text)) if sign == 0 => Operand::Text(text),
            Some(Token::Word(word)) if sign == 0 && self.keyword().is_none() => return self.named(&word),
            _ => return Err(self.unexpected(&["<STRING>", "<IDENTIFIER>", "<INTEGER>", "\"(\"", "\"not\""])),
        };
        self.at += 1;
        Ok(Side::Operand(operand))
    }

    /// `null`, `true`, `false`, `id…`, a type or a field of one.
    fn named(&mut self, word: &str) -> Result<Side, SelectionError> {
        let column = self.column();
        self.at += 1;
        let constant = match word.to_ascii_lowercase().as_str() {
            "null" => Some(Operand::Null),
            "true" => Some(Operand::Bool(true)),
            "false" => Some(Operand::Bool(false)),
            "id" => Some(Operand::Id(self.id_part()?)),
            _ => None,
        };
        if let Some(operand) = constant {
            return Ok(Side::Operand(operand));
        }
        let doc_type = DocType::parse(word);
        if self.peek() == Some(&Token::Open) {
            return Err(self.not_spoken("functions"));
        }
        if doc_type.is_none() {
            // An unqualified field looks like a type until the operator comes; both are the content node's refusal.
            self.refuse(format!("Document type '{word}' not found at column {column} when parsing selection"));
        }
        if self.peek() != Some(&Token::Dot) {
            return Ok(Side::Type(doc_type));
        }
        self.at += 1;
        let Some(Token::Word(name)) = self.peek().cloned() else { return Err(self.unexpected(&["<IDENTIFIER>"])) };
        self.at += 1;
        if matches!(self.peek(), Some(Token::Dot | Token::Open | Token::Other('[' | '{'))) {
            return Err(self.not_spoken("field paths and functions"));
        }
        Ok(match doc_type {
            Some(doc_type) => Side::Operand(Operand::Field(FieldRef { doc_type, field: doc_type.field(&name) })),
            // Already refused; any operand will do.
            None => Side::Operand(Operand::Bool(false)),
        })
    }

    fn id_part(&mut self) -> Result<IdPart, SelectionError> {
        if self.peek() != Some(&Token::Dot) {
            return Ok(IdPart::Whole);
        }
        self.at += 1;
        let part = match self.peek() {
            Some(Token::Word(part)) => part.to_ascii_lowercase(),
            _ => String::new(),
        };
        let part = match part.as_str() {
            "scheme" => IdPart::Scheme,
            "namespace" => IdPart::Namespace,
            "type" => IdPart::Type,
            "specific" => IdPart::Specific,
            "user" => IdPart::User,
            "group" => IdPart::Group,
            _ => return Err(self.unexpected(&["\"user\"", "\"group\"", "\"namespace\"", "\"specific\"", "\"type\""])),
        };
        self.at += 1;
        Ok(part)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(0, |placed| placed.column)
    }

    fn refuse(&mut self, reason: String) {
        self.refusal.get_or_insert(reason);
    }

    fn not_spoken(&self, what: &str) -> SelectionError {
        SelectionError::Syntax(format!("{what} at column {} are not spoken by this stand-in", self.column()))
    }

    fn unexpected(&self, expected: &[&str]) -> SelectionError {
        let found = match self.peek() {
            None => "<EOF>".to_owned(),
            Some(Token::Word(word)) => format!(" <IDENTIFIER> \"{word} \""),
            Some(Token::Text(text)) => format!(" <STRING> \"'{text}' \""),
            Some(Token::Int(number)) => format!(" <INTEGER> \"{number} \""),
            Some(Token::Float(number)) => format!(" <FLOAT> \"{number} \""),
            Some(Token::Compare(operator)) => format!(" \"{} \"", sign(*operator)),
            Some(Token::Dot) => " \". \"".to_owned(),
            Some(Token::Open) => " \"( \"".to_owned(),
            Some(Token::Close) => " \") \"".to_owned(),
            Some(Token::Minus) => " \"- \"".to_owned(),
            Some(Token::Plus) => " \"+ \"".to_owned(),
            Some(Token::Other(c)) => format!(" \"{c} \""),
        };
        SelectionError::Syntax(format!(
            "Encountered \"{found}\" at line -1, column {}.\nWas expecting one of:\n    {} ...",
            self.column(),
            expected.join(" ...\n    ")
        ))
    }
}

/// Keeps a tree from growing deeper than anybody could walk: what is too deep is refused anyway.
fn bounded(node: Node, wrap: impl FnOnce(Expr) -> Expr) -> Expr {
    if node.depth > MAX_DEPTH { Expr::Constant(None) } else { wrap(node.expr) }
}

enum Side {
    Operand(Operand),
    /// A bare word: a type, or nothing known.
    Type(Option<DocType>),
}

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => "==",
        Operator::NotEqual => "!=",
        Operator::Less => "<",
        Operator::LessOrEqual => "<=",
        Operator::Greater => ">",
        Operator::GreaterOrEqual => ">=",
        Operator::Glob => "=",
    }
}
