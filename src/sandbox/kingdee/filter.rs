//! Filters of queries: an SQL-like text, or an array of rows.
//!
//! Takes the filter, gives an expression over named fields; takes the values of a row, says whether it passes. Never knows
//! which fields exist. Understood: `= <> != < > <= >=`, `like`, `in`, `not`, `is null`, `and`, `or`, parentheses, texts in
//! single quotes (doubled inside), numbers, `{ts'2024-01-01 00:00:00'}`, `1=1`.

use std::cmp::Ordering;

use super::check::moment;
use super::value::{Json, decimal};

/// Deeper nesting of parentheses is refused.
const MAX_DEPTH: usize = 64;

/// A filter that cannot be read; the ERP says no more about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadFilter;

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Test { left: Term, op: Op, right: Vec<Term> },
}

/// A field or a constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    Field(String),
    Text(String),
    Number(String),
}

impl Term {
    fn as_text(&self) -> Option<&str> {
        if let Term::Text(text) = self { Some(text) } else { None }
    }
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Equal,
    Less,
    Greater,
    Like,
    In,
    Null,
}

impl Expr {
    /// The condition that every row passes.
    pub fn all() -> Expr {
        Expr::And(Vec::new())
    }

    /// Reads a `FilterString`: a text, an array of rows, or nothing.
    pub fn read(filter: Option<&Json>) -> Result<Expr, BadFilter> {
        let tokens = match filter {
            None | Some(Json::Null) => return Ok(Expr::all()),
            Some(Json::List(rows)) => rows_as_tokens(rows)?,
            Some(Json::Text(text)) if text.trim_start().starts_with('[') => {
                let Ok(Json::List(rows)) = Json::parse(text) else { return Err(BadFilter) };
                rows_as_tokens(&rows)?
            }
            Some(text) => tokens(text.plain())?,
        };
        if tokens.is_empty() {
            return Ok(Expr::all());
        }
        let mut parser = Parser { tokens, at: 0 };
        let expr = parser.any_of(0)?;
        if parser.at == parser.tokens.len() { Ok(expr) } else { Err(BadFilter) }
    }

    /// The names of all fields in it.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Expr::And(all) | Expr::Or(all) => all.iter().flat_map(Expr::fields).collect(),
            Expr::Not(inner) => inner.fields(),
            Expr::Test { left, right, .. } => std::iter::once(left)
                .chain(right)
                .filter_map(|term| if let Term::Field(name) = term { Some(name.as_str()) } else { None })
                .collect(),
        }
    }

    /// The values that this field must have one of, if the condition says so at its top: then nothing else need be
    /// looked at.
    pub fn restricts(&self, field: &str) -> Option<Vec<&str>> {
        match self {
            Expr::And(all) => all.iter().find_map(|part| part.restricts(field)),
            Expr::Test { left: Term::Field(name), op: Op::Equal | Op::In, right }
                if name.eq_ignore_ascii_case(field) =>
            {
                right.iter().map(Term::as_text).collect()
            }
            _ => None,
        }
    }

    /// Whether a row passes; `cell` gives the value of a field in it.
    pub fn passes(&self, cell: &dyn Fn(&str) -> Json) -> bool {
        match self {
            Expr::And(all) => all.iter().all(|part| part.passes(cell)),
            Expr::Or(any) => any.iter().any(|part| part.passes(cell)),
            Expr::Not(inner) => !inner.passes(cell),
            Expr::Test { left, op, right } => {
                let value = |term: &Term| match term {
                    Term::Field(name) => cell(name),
                    Term::Text(text) => Json::text(text),
                    Term::Number(text) => Json::Number(text.clone()),
                };
                let left = value(left);
                let mut any = right.iter().map(value);
                match op {
                    Op::Equal | Op::In => any.any(|right| compare(&left, &right) == Some(Ordering::Equal)),
                    Op::Less => any.any(|right| compare(&left, &right) == Some(Ordering::Less)),
                    Op::Greater => any.any(|right| compare(&left, &right) == Some(Ordering::Greater)),
                    Op::Like => any.any(|right| left != Json::Null && like(left.plain(), right.plain())),
                    Op::Null => left == Json::Null,
                }
            }
        }
    }
}

/// Compares as numbers where both are numbers and one was written as such, as moments where both are, else as texts.
/// Null compares with nothing.
pub fn compare(left: &Json, right: &Json) -> Option<Ordering> {
    if *left == Json::Null || *right == Json::Null {
        return None;
    }
    let (a, b) = (left.plain(), right.plain());
    if (matches!(left, Json::Number(_)) || matches!(right, Json::Number(_)))
        && let (Some(a), Some(b)) = (decimal(a), decimal(b))
    {
        return Some(a.cmp(&b));
    }
    if let (Json::Bool(flag), Some(other)) = (left, right.flag()) {
        return Some(flag.cmp(&other));
    }
    if let (Some(a), Some(b)) = (moment(a), moment(b)) {
        return Some(a.cmp(&b));
    }
    Some(a.cmp(b))
}

/// SQL's LIKE: `%` any characters, `_` one.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut t, mut p, mut back) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('%') => {
                back = Some((t, p));
                p += 1;
            }
            Some(c) if *c == '_' || *c == text[t] => (t, p) = (t + 1, p + 1),
            _ => match &mut back {
                Some((from, star)) => {
                    *from += 1;
                    (t, p) = (*from, *star + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

const SIGNS: [&str; 10] = ["<>", "!=", "<=", ">=", "=", "<", ">", "(", ")", ","];

fn tokens(text: &str) -> Result<Vec<Token>, BadFilter> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let moment = rest.strip_prefix("{ts").map(str::trim_start).filter(|rest| rest.starts_with('\''));
        let unicode = rest.strip_prefix(['N', 'n']).filter(|rest| rest.starts_with('\''));
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if let Some(quoted) = moment {
            let (text, after) = quoted_text(quoted)?;
            found.push(Token::Text(text));
            rest = after.trim_start().strip_prefix('}').ok_or(BadFilter)?;
        } else if rest.starts_with('\'') || unicode.is_some() {
            let (text, after) = quoted_text(unicode.unwrap_or(rest))?;
            found.push(Token::Text(text));
            rest = after;
        } else {
            let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+');
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if word.is_empty() {
                return Err(BadFilter);
            }
            let is_number = decimal(word).is_some();
            found.push(if is_number { Token::Number(word.to_owned()) } else { Token::Word(word.to_owned()) });
            rest = after;
        }
        rest = rest.trim_start();
    }
    Ok(found)
}

/// The text in quotes that `rest` begins with, and what follows it.
fn quoted_text(rest: &str) -> Result<(String, &str), BadFilter> {
    let (mut text, mut rest) = (String::new(), &rest[1..]);
    loop {
        let (part, after) = rest.split_once('\'').ok_or(BadFilter)?;
        text.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                text.push('\'');
                rest = more;
            }
            None => return Ok((text, after)),
        }
    }
}

/// Rows of {Left, FieldName, Compare, Value, Right, Logic} as the tokens of the same filter in text.
fn rows_as_tokens(rows: &[Json]) -> Result<Vec<Token>, BadFilter> {
    let mut found = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let part = |name: &str| row.get(name).map_or("", Json::plain).trim();
        found.extend(tokens(part("Left"))?);
        let (field, value) = (part("FieldName"), part("Value"));
        if field.is_empty() {
            return Err(BadFilter);
        }
        found.push(Token::Word(field.to_owned()));
        match part("Compare").to_ascii_lowercase().as_str() {
            "67" | "105" | "=" | "==" => found.extend([Token::Sign("="), Token::Text(value.to_owned())]),
            "338" | "in" => {
                found.extend([Token::Word("in".to_owned()), Token::Sign("(")]);
                for (at, item) in value.split(',').enumerate() {
                    found.extend((at > 0).then_some(Token::Sign(",")));
                    found.push(Token::Text(item.trim().trim_matches('\'').to_owned()));
                }
                found.push(Token::Sign(")"));
            }
            "like" => found.extend([Token::Word("like".to_owned()), Token::Text(value.to_owned())]),
            sign => {
                let sign = SIGNS[..7].iter().find(|known| **known == sign).ok_or(BadFilter)?;
                found.extend([Token::Sign(sign), Token::Text(value.to_owned())]);
            }
        }
        found.extend(tokens(part("Right"))?);
        if at + 1 < rows.len() {
            let or = matches!(part("Logic").to_ascii_uppercase().as_str(), "1" | "OR");
            found.push(Token::Word(if or { "or" } else { "and" }.to_owned()));
        }
    }
    Ok(found)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn take_word(&mut self, word: &str) -> bool {
        let is_it = matches!(self.tokens.get(self.at), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(is_it);
        is_it
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let is_it = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(is_it);
        is_it
    }

    fn any_of(&mut self, depth: usize) -> Result<Expr, BadFilter> {
        let mut parts = vec![self.all_of(depth)?];
        while self.take_word("or") {
            parts.push(self.all_of(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Or(parts) })
    }

    fn all_of(&mut self, depth: usize) -> Result<Expr, BadFilter> {
        let mut parts = vec![self.single(depth)?];
        while self.take_word("and") {
            parts.push(self.single(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::And(parts) })
    }

    fn single(&mut self, depth: usize) -> Result<Expr, BadFilter> {
        if depth > MAX_DEPTH {
            return Err(BadFilter);
        }
        if self.take_word("not") {
            return Ok(Expr::Not(Box::new(self.single(depth + 1)?)));
        }
        if self.take_sign("(") {
            let inner = self.any_of(depth + 1)?;
            return if self.take_sign(")") { Ok(inner) } else { Err(BadFilter) };
        }
        self.test()
    }

    fn term(&mut self) -> Result<Term, BadFilter> {
        let term = match self.tokens.get(self.at).ok_or(BadFilter)? {
            Token::Word(name) => Term::Field(name.clone()),
            Token::Text(text) => Term::Text(text.clone()),
            Token::Number(text) => Term::Number(text.clone()),
            Token::Sign(_) => return Err(BadFilter),
        };
        self.at += 1;
        Ok(term)
    }

    fn test(&mut self) -> Result<Expr, BadFilter> {
        let left = self.term()?;
        if self.take_word("is") {
            let negative = self.take_word("not");
            let test = Expr::Test { left, op: Op::Null, right: Vec::new() };
            return if self.take_word("null") { Ok(negated(test, negative)) } else { Err(BadFilter) };
        }
        let negative = self.take_word("not");
        let (op, negative) = if self.take_word("like") {
            (Op::Like, negative)
        } else if self.take_word("in") {
            return Ok(negated(Expr::Test { left, op: Op::In, right: self.list()? }, negative));
        } else if negative {
            return Err(BadFilter);
        } else {
            self.sign()?
        };
        let right = vec![self.term()?];
        Ok(negated(Expr::Test { left, op, right }, negative))
    }

    /// A comparison, and whether it is turned round.
    fn sign(&mut self) -> Result<(Op, bool), BadFilter> {
        let Some(Token::Sign(sign)) = self.tokens.get(self.at) else { return Err(BadFilter) };
        self.at += 1;
        Ok(match *sign {
            "=" => (Op::Equal, false),
            "<>" | "!=" => (Op::Equal, true),
            "<" => (Op::Less, false),
            ">=" => (Op::Less, true),
            ">" => (Op::Greater, false),
            "<=" => (Op::Greater, true),
            _ => return Err(BadFilter),
        })
    }

    fn list(&mut self) -> Result<Vec<Term>, BadFilter> {
        if !self.take_sign("(") {
            return Err(BadFilter);
        }
        let mut items = vec![self.term()?];
        while self.take_sign(",") {
            items.push(self.term()?);
        }
        if self.take_sign(")") { Ok(items) } else { Err(BadFilter) }
    }
}

fn negated(test: Expr, negative: bool) -> Expr {
    if negative { Expr::Not(Box::new(test)) } else { test }
}
