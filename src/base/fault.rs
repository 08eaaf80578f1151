//! A fault in a file that a person wrote: which file, where in it, what is wrong, and the cure.
//!
//! Pipeline files, mappings, statements and DDL all report their faults as these, all of a file at once. Never holds a
//! secret: a fault names the key, not its value.

use crate::base::Error;
use std::fmt;
use std::path::PathBuf;

/// One fault; prints as `file:line:column: message`, the hint on a line of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    pub message: String,
    /// The cure, where one is known.
    pub hint: Option<String>,
}

impl Fault {
    /// A fault at a byte offset of the file's text.
    pub fn at(file: impl Into<PathBuf>, text: &str, offset: usize, message: impl Into<String>) -> Self {
        let (line, column) = position(text, offset);
        Self { file: file.into(), line, column, message: message.into(), hint: None }
    }

    #[must_use]
    pub fn hint(mut self, cure: impl Into<String>) -> Self {
        self.hint = Some(cure.into());
        self
    }

    /// All faults of a file as one error, for callers that only go on or stop.
    pub fn into_error(faults: &[Fault]) -> Error {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Error::config(lines.join("\n"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Line and column (both from 1, the column in characters) of a byte offset; an offset beyond the end is the end.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let end = (0..=offset.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    let before = &text[..end];
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        let text = "a\n销售单 = b\n";
        let at = |needle: &str| position(text, text.find(needle).unwrap_or(usize::MAX));
        assert_eq!(at("a"), (1, 1));
        assert_eq!(at("b"), (2, 7));
        assert_eq!(at("nowhere"), (3, 1));
        let fault = Fault::at("p.toml", text, text.find('b').unwrap_or(0), "no b").hint("write c");
        assert_eq!(fault.to_string(), "p.toml:2:7: no b\n  hint: write c");
    }
}
