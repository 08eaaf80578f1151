//! Where a text that a pipeline file holds stands in that file: for faults found long after the file was read.
//!
//! Takes the file and a fault within one of its texts (a statement of `[sink]`), gives the fault's place in the file. A file
//! that cannot be read or does not hold the text any more gives a fault of the file as a whole.

use crate::base::Fault;
use crate::config::model::Pipeline;
use toml::de::{DeTable, DeValue};

/// The text of a pipeline file, read again.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// As messages call it.
    file: String,
    text: String,
}

impl Written {
    pub fn of(pipeline: &Pipeline) -> Self {
        let file = pipeline.path.strip_prefix(&pipeline.root).unwrap_or(&pipeline.path).display().to_string();
        // Its only use is a place in a message; that the file is readable was seen when it was loaded.
        Self { file, text: std::fs::read_to_string(&pipeline.path).unwrap_or_default() }
    }

    /// Carries a fault of the text `value` (line and column within it, 0 for the whole) under `section.key` to the file.
    pub fn carry(&self, section: &str, key: &str, value: &str, fault: Fault) -> Fault {
        let start = self.start(section, key, value);
        let Fault { line, column, message, hint, .. } = fault;
        match start {
            None => Fault::whole(&self.file, message, hint),
            // Written with escapes or continued lines: only the beginning is certain.
            Some((at, false)) => Fault::at(&self.file, &self.text, at, message, hint),
            Some((at, true)) => Fault::at(&self.file, &self.text, at + offset(value, line, column), message, hint),
        }
    }

    /// Byte offset of the value's first letter, and whether it stands there letter by letter.
    fn start(&self, section: &str, key: &str, value: &str) -> Option<(usize, bool)> {
        let (tree, _) = DeTable::parse_recoverable(&self.text);
        let table = tree.get_ref().iter().find(|(k, _)| k.get_ref() == section)?.1;
        let DeValue::Table(table) = table.get_ref() else { return None };
        let (_, found) = table.iter().find(|(k, _)| k.get_ref() == key)?;
        let span = found.span();
        let written = self.text.get(span.clone())?;
        Some(written.find(value).map_or((span.start, false), |at| (span.start + at, true)))
    }
}

/// Byte offset of a line and column (from 1, in characters) of a text.
fn offset(text: &str, line: u64, column: u64) -> usize {
    let mut lines = text.split_inclusive('\n');
    let before: usize = (1..line).filter_map(|_| lines.next()).map(str::len).sum();
    let within = (1..column).zip(lines.next().unwrap_or_default().chars()).map(|(_, c)| c.len_utf8()).sum::<usize>();
    before + within
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_statement_becomes_a_place_in_the_file() {
        let text = "# 订单\n[sink]\nmain_sql = '''\nINSERT 货\n  INTO t'''\nother = \"a\\tb\"\n";
        let written = Written { file: "p.toml".into(), text: text.into() };
        let place = |key: &str, value: &str, line, column| {
            let fault = Fault { line, column, ..Fault::whole("", "x", "") };
            written.carry("sink", key, value, fault).to_string()
        };
        assert_eq!(place("main_sql", "INSERT 货\n  INTO t", 1, 8), "p.toml:4:8: x");
        assert_eq!(place("main_sql", "INSERT 货\n  INTO t", 2, 3), "p.toml:5:3: x");
        assert_eq!(place("main_sql", "INSERT 货\n  INTO t", 0, 0), "p.toml:4:1: x");
        assert_eq!(place("other", "a\tb", 1, 3), "p.toml:6:9: x");
        assert_eq!(place("gone", "a", 1, 1), "p.toml: x");
    }
}
