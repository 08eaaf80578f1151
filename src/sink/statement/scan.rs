//! Reads the text of one statement: quotes, comments, placeholders.
//!
//! Takes SQL as the user wrote it, gives the same text with `?` for every placeholder and without comments, and tokens of
//! that text. Knows nothing of what a statement means. A placeholder where a server would not see it is refused here.

use super::{LAST_INSERT_ID, Placeholder};
use crate::base::Fault;
use crate::base::fault::position;
use std::ops::Range;

/// A statement without comments, with `?` for each placeholder in order.
pub(super) struct Scanned {
    pub text: String,
    pub placeholders: Vec<Placeholder>,
}

/// See [`Scanned`]. A fault has line and column in the statement, and no file: the caller knows where the statement stands.
pub(super) fn scan(sql: &str) -> Result<Scanned, Fault> {
    let mut scanner = Scanner { sql, at: 0, text: String::with_capacity(sql.len()), placeholders: Vec::new() };
    while let Some(c) = scanner.rest().chars().next() {
        scanner.step(c)?;
    }
    let text = scanner.text.trim().to_string();
    if text.is_empty() {
        return Err(Fault::whole("", "the statement is empty", "write INSERT INTO … VALUES (<{name: }>, …)"));
    }
    Ok(Scanned { text, placeholders: scanner.placeholders })
}

struct Scanner<'a> {
    sql: &'a str,
    at: usize,
    text: String,
    placeholders: Vec<Placeholder>,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.sql[self.at..]
    }

    fn step(&mut self, c: char) -> Result<(), Fault> {
        let rest = self.rest();
        if rest.starts_with("<{") {
            return self.placeholder();
        }
        if rest.starts_with("/*") {
            return self.block_comment();
        }
        if c == '#' || (rest.starts_with("--") && rest[2..].chars().next().is_none_or(char::is_whitespace)) {
            return self.skip(rest.find('\n').unwrap_or(rest.len()), "a comment");
        }
        match c {
            '\'' | '"' | '`' => self.quoted(c),
            ';' => self.end(),
            ':' => self.colon(),
            '?' => Err(self.fault(self.at, "a bare ? is not a placeholder", "write <{name: }>")),
            _ => {
                self.text.push(c);
                self.at += c.len_utf8();
                Ok(())
            }
        }
    }

    /// `<{name: default}>`
    fn placeholder(&mut self) -> Result<(), Fault> {
        let inner = &self.rest()[2..];
        let Some(end) = inner.find("}>") else {
            return Err(self.fault(self.at, "<{ without closing }>", "write <{name: }>"));
        };
        let (name, default) = inner[..end].split_once(':').unwrap_or((&inner[..end], ""));
        let name = name.trim();
        if name.is_empty() || name.contains(['<', '{', '\n', '\'', '"']) {
            return Err(self.fault(self.at, "a placeholder without a name", "write <{name: }>"));
        }
        let default = Some(default.trim()).filter(|d| !d.is_empty()).map(str::to_string);
        self.push_placeholder(name, default);
        self.at += 2 + end + 2;
        Ok(())
    }

    /// `:lastInsertId`; any other `:name` would be taken for a parameter by the driver.
    fn colon(&mut self) -> Result<(), Fault> {
        let after = &self.rest()[1..];
        let length = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
        match &after[..length] {
            "" => self.text.push(':'),
            LAST_INSERT_ID => self.push_placeholder(LAST_INSERT_ID, None),
            other => {
                let hint = format!("only :{LAST_INSERT_ID} is; write <{{{other}: }}> for a column of the mapping");
                return Err(self.fault(self.at, &format!(":{other} is not known here"), &hint));
            }
        }
        self.at += 1 + length;
        Ok(())
    }

    fn push_placeholder(&mut self, name: &str, default: Option<String>) {
        let (line, column) = position(self.sql, self.at);
        self.placeholders.push(Placeholder { name: name.to_string(), default, line, column });
        self.text.push('?');
    }

    fn quoted(&mut self, quote: char) -> Result<(), Fault> {
        let rest = self.rest();
        let Some(length) = quoted_length(rest, quote) else {
            return Err(self.fault(self.at, &format!("{quote} without closing {quote}"), ""));
        };
        self.refuse_inside(length, "quotes")?;
        self.text.push_str(&rest[..length]);
        self.at += length;
        Ok(())
    }

    fn block_comment(&mut self) -> Result<(), Fault> {
        let rest = self.rest();
        if rest.starts_with("/*!") || rest.starts_with("/*+") || rest.starts_with("/*M!") {
            return Err(self.fault(self.at, "a comment that the server executes", "write the statement without it"));
        }
        match rest.find("*/") {
            Some(end) => self.skip(end + 2, "a comment"),
            None => Err(self.fault(self.at, "/* without closing */", "")),
        }
    }

    /// Leaves a comment out; a blank keeps the words around it apart.
    fn skip(&mut self, length: usize, what: &str) -> Result<(), Fault> {
        self.refuse_inside(length, what)?;
        self.text.push(' ');
        self.at += length;
        Ok(())
    }

    fn refuse_inside(&self, length: usize, what: &str) -> Result<(), Fault> {
        let inside = &self.rest()[..length];
        match inside.find("<{").or_else(|| inside.find(":lastInsertId")) {
            None => Ok(()),
            Some(at) => Err(self.fault(
                self.at + at,
                &format!("a placeholder inside {what}"),
                "a placeholder stands for a whole value: write it without quotes, outside comments",
            )),
        }
    }

    /// A semicolon ends the statement; only blanks and comments may follow.
    fn end(&mut self) -> Result<(), Fault> {
        let semicolon = self.at;
        self.at += 1;
        let length = self.text.len();
        while let Some(c) = self.rest().chars().next() {
            self.step(c)?;
            if !self.text[length..].trim().is_empty() {
                let hint = "write one statement each: main_sql, extend_sql_1, extend_sql_2 …";
                return Err(self.fault(semicolon, "several statements in one", hint));
            }
        }
        Ok(())
    }

    fn fault(&self, at: usize, what: &str, hint: &str) -> Fault {
        Fault::at("", self.sql, at, what, hint)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// An unquoted word or a number.
    Word,
    /// In backticks or double quotes.
    Quoted,
    /// In single quotes.
    Text,
    Mark,
    Other,
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub span: Range<usize>,
}

/// Tokens of a text made by [`scan`]: no comments, quotes balanced.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '@');
        let (kind, length) = match c {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '?' => (TokenKind::Mark, 1),
            '\'' => (TokenKind::Text, quoted_length(rest, c).unwrap_or(rest.len())),
            '`' | '"' => (TokenKind::Quoted, quoted_length(rest, c).unwrap_or(rest.len())),
            c if c.is_ascii_digit() => {
                (TokenKind::Word, rest.find(|c: char| !word(c) && c != '.').unwrap_or(rest.len()))
            }
            c if word(c) => (TokenKind::Word, rest.find(|c: char| !word(c)).unwrap_or(rest.len())),
            c => (TokenKind::Other, c.len_utf8()),
        };
        tokens.push(Token { kind, span: at..at + length });
        at += length;
    }
    tokens
}

/// Length of the quoted run at the start of `rest`, with both quotes; `None` if it does not end.
fn quoted_length(rest: &str, quote: char) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((i, c)) = chars.next() {
        if c == '\\' && quote != '`' {
            chars.next();
        } else if c == quote && chars.next_if(|&(_, next)| next == quote).is_none() {
            return Some(i + 1);
        }
    }
    None
}
