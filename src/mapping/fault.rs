//! A fault in a mapping: what, where in the file, and the cure.
//!
//! Takes positions of the SQL parser, gives text a person can act on. It never decides what is a fault: `check.rs` does.

use datafusion::common::Span;
use datafusion::sql::sqlparser::tokenizer;
use std::fmt;

/// Line and column in the mapping file, both from 1; 0 means the file as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    pub line: u64,
    pub column: u64,
}

impl Place {
    pub const WHOLE: Place = Place { line: 0, column: 0 };

    /// Where a parser's span begins; an empty span is the whole file.
    pub fn of(span: tokenizer::Span) -> Place {
        Place { line: span.start.line, column: span.start.column }
    }

    pub fn of_plan(span: Option<Span>) -> Place {
        span.map_or(Place::WHOLE, |s| Place { line: s.start.line, column: s.start.column })
    }

    pub fn is_whole(self) -> bool {
        self.line == 0
    }

    /// This place, or the other one where this is only "somewhere in the file".
    #[must_use]
    pub fn or(self, other: Place) -> Place {
        if self.is_whole() { other } else { self }
    }
}

/// One thing that is wrong with a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The mapping file as the user knows it.
    pub file: String,
    pub line: u64,
    pub column: u64,
    pub message: String,
    /// How to cure it; may be empty.
    pub hint: String,
}

impl Fault {
    pub fn place(&self) -> Place {
        Place { line: self.line, column: self.column }
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
            write!(f, " ({})", self.hint)?;
        }
        Ok(())
    }
}

/// Gathers the faults of one file; the same fault at the same place counts once.
#[derive(Debug)]
pub struct Faults {
    file: String,
    found: Vec<Fault>,
}

impl Faults {
    pub fn of_file(file: &str) -> Self {
        Self { file: file.to_owned(), found: Vec::new() }
    }

    pub fn add(&mut self, at: Place, message: impl Into<String>, hint: impl Into<String>) {
        let fault = Fault {
            file: self.file.clone(),
            line: at.line,
            column: at.column,
            message: message.into(),
            hint: hint.into(),
        };
        if !self.found.contains(&fault) {
            self.found.push(fault);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// In the order of the file; what concerns the whole file comes last.
    pub fn sorted(mut self) -> Vec<Fault> {
        self.found.sort_by_key(|f| (f.line == 0, f.line, f.column));
        self.found
    }
}
