//! A fault in a file that a person wrote: which file, where in it, what is wrong, and the cure.
//!
//! Pipeline files, mappings, statements and DDL all report their faults as these, all of a file at once. Never holds a
//! secret: a fault names the key, not its value.

use crate::base::Error;
use std::fmt;

/// One fault; prints as `file:line:column: message`, the hint on a line of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file as the user knows it, relative to the project's folder.
    pub file: String,
    /// From 1; 0 means the file as a whole.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    pub message: String,
    /// The cure; may be empty.
    pub hint: String,
}

impl Fault {
    /// A fault of the file as a whole.
    pub fn whole(file: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { file: file.into(), line: 0, column: 0, message: message.into(), hint: hint.into() }
    }

    /// A fault at a byte offset of the file's text.
    pub fn at(
        file: impl Into<String>,
        text: &str,
        offset: usize,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let (line, column) = position(text, offset);
        Self { line, column, ..Self::whole(file, message, hint) }
    }

    /// All faults of a file as one error, for callers that only go on or stop. A single one keeps its cure apart.
    pub fn into_error(faults: &[Fault]) -> Error {
        if let [fault] = faults {
            let error = Error::config(Fault { hint: String::new(), ..fault.clone() }.to_string());
            return if fault.hint.is_empty() { error } else { error.hint(&fault.hint) };
        }
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Error::config(format!("{} faults:\n{}", faults.len(), lines.join("\n")))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\n  hint: {}", self.hint)?;
        }
        Ok(())
    }
}

/// Line and column (both from 1, the column in characters) of a byte offset; an offset beyond the end is the end.
pub fn position(text: &str, offset: usize) -> (u64, u64) {
    let end = (0..=offset.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    let before = &text[..end];
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    (before.matches('\n').count() as u64 + 1, before[line_start..].chars().count() as u64 + 1)
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
        let fault = Fault::at("p.toml", text, text.find('b').unwrap_or(0), "no b", "write c");
        assert_eq!(fault.to_string(), "p.toml:2:7: no b\n  hint: write c");
        assert_eq!(Fault::whole("p.toml", "empty", "").to_string(), "p.toml: empty");
    }
}
