//! Rows of one statement on their way to the server: collected, cut into statements of few sizes, executed.
//!
//! Takes cells, gives the ids of inserted rows. A warning counts as a refusal: the server changed a value to make it fit.

use super::fault::{self, Fault};
use super::ids::Ids;
use super::session::{Facts, Session};
use crate::base::Error;
use crate::base::record::Reason;
use crate::sink::split::About;
use crate::sink::statement::{Cell, Template};
use mysql_async::prelude::Queryable;
use mysql_async::{Params, Row, Statement, Value};

/// Rows per statement: few sizes, so that prepared statements are used again and again.
const SIZES: [usize; 6] = [1024, 256, 64, 16, 4, 1];
/// The protocol's limit.
const MAX_PLACEHOLDERS: usize = 65_535;
/// A statement with more bytes of values gains nothing.
const MAX_STATEMENT_BYTES: usize = 4 << 20;
/// What the protocol adds to the values of a statement, at most, beside a few bytes per value.
const PACKET_OVERHEAD: usize = 4096;

/// A statement in every size it can have.
#[derive(Debug)]
pub(super) struct MultiRow {
    /// Placeholders per row.
    width: usize,
    /// (Rows, text), largest first; the last has one row.
    texts: Vec<(usize, String)>,
}

impl MultiRow {
    /// Several rows per statement if it is a plain insert, else one.
    pub fn of(template: &Template) -> Self {
        Self::build(template, usize::MAX, "")
    }

    /// The main statement, such that ids come the way `ids` says.
    pub fn main(template: &Template, ids: &Ids) -> Self {
        match ids {
            Ids::None | Ids::Consecutive => Self::of(template),
            Ids::OneByOne => Self::build(template, 1, ""),
            Ids::Returning(column) => {
                Self::build(template, usize::MAX, &format!(" RETURNING `{}`", column.replace('`', "``")))
            }
        }
    }

    fn build(template: &Template, most: usize, suffix: &str) -> Self {
        let width = template.placeholders().len();
        let most = most.min(MAX_PLACEHOLDERS / width.max(1));
        let mut texts: Vec<(usize, String)> = SIZES
            .into_iter()
            .filter(|&rows| rows > 1 && rows <= most)
            .filter_map(|rows| Some((rows, template.rows_text(rows)? + suffix)))
            .collect();
        texts.push((1, template.text().to_string() + suffix));
        Self { width, texts }
    }
}

/// The rows of one statement for a group of documents.
#[derive(Debug)]
pub(super) struct Rows {
    values: Vec<Value>,
    /// Bytes of each row's values.
    sizes: Vec<usize>,
    /// Number in the group of the document each row belongs to.
    documents: Vec<usize>,
}

impl Rows {
    pub fn with_capacity(rows: usize, statement: &MultiRow) -> Self {
        Self {
            values: Vec::with_capacity(rows * statement.width),
            sizes: Vec::with_capacity(rows),
            documents: Vec::with_capacity(rows),
        }
    }

    /// Begins a row; its cells follow.
    pub fn begin(&mut self, document: usize) {
        self.documents.push(document);
        self.sizes.push(0);
    }

    /// `main_id` is what [`Cell::MainId`] stands for.
    pub fn cell(&mut self, cell: Cell<'_>, main_id: u64) {
        self.value(match cell {
            Cell::Null => Value::NULL,
            Cell::Bool(b) => Value::Int(i64::from(b)),
            Cell::Int(i) => Value::Int(i),
            Cell::Decimal(d) => Value::Bytes(d.to_text().into_bytes()),
            Cell::Text(t) => Value::Bytes(t.as_bytes().to_vec()),
            Cell::MainId => Value::UInt(main_id),
        });
    }

    pub fn value(&mut self, value: Value) {
        let bytes = match &value {
            Value::Bytes(bytes) => bytes.len() + 12,
            _ => 12,
        };
        if let Some(size) = self.sizes.last_mut() {
            *size += bytes;
        }
        self.values.push(value);
    }
}

/// Executes the rows; gives their ids if `ids` is a way to them, else nothing. `which` numbers the statement within the
/// session's prepared ones; `delivery` says that its unique key is the delivery table's.
pub(super) async fn execute(
    session: &mut Session,
    which: usize,
    statement: &MultiRow,
    rows: Rows,
    ids: &Ids,
    delivery: bool,
) -> Result<Vec<u64>, Fault> {
    let mut given = Vec::new();
    let mut values = rows.values.into_iter();
    let mut at = 0;
    while at < rows.documents.len() {
        let documents = &rows.documents[at..];
        let (count, text) = cut(statement, &rows.sizes[at..], session.facts)
            .map_err(|text| fault::refused(1153, &text, &documents[..1], About::Values))?;
        let documents = &documents[..count];
        let failed = |e| fault::storing(e, documents, delivery);
        let prepared = session.prepare(which, count, text).await.map_err(failed)?;
        let params = Params::Positional(values.by_ref().take(count * statement.width).collect());
        let got = insert(session, prepared, params, count, ids).await.map_err(failed)?;
        warnings(session, documents).await?;
        if !matches!(ids, Ids::None) && got.len() != count {
            return Err(no_ids(count, got.len(), documents, ids));
        }
        given.extend(got);
        at += count;
    }
    Ok(given)
}

/// The largest statement for the rows that are left; the error is about a row that no statement can take.
fn cut<'a>(statement: &'a MultiRow, sizes: &[usize], facts: Facts) -> Result<(usize, &'a str), String> {
    let packet = facts.max_packet.saturating_sub(PACKET_OVERHEAD);
    let fits =
        |rows: usize| rows <= sizes.len() && sizes[..rows].iter().sum::<usize>() <= packet.min(MAX_STATEMENT_BYTES);
    let single = statement.texts.len() - 1;
    let chosen = statement.texts.iter().position(|(rows, _)| fits(*rows)).unwrap_or(single);
    // A single row may be larger than a statement should be, but not larger than the server takes.
    if chosen == single && sizes.first().is_some_and(|&size| size > packet) {
        return Err(format!("the row is larger than the server's max_allowed_packet of {} bytes", facts.max_packet));
    }
    let (rows, text) = &statement.texts[chosen];
    Ok((*rows, text))
}

/// Executes one statement of `count` rows.
async fn insert(
    session: &mut Session,
    statement: Statement,
    params: Params,
    count: usize,
    ids: &Ids,
) -> mysql_async::Result<Vec<u64>> {
    let returned: Vec<Row> = session.conn.exec(statement, params).await?;
    Ok(match ids {
        Ids::None => Vec::new(),
        Ids::Returning(_) => returned.into_iter().filter_map(|row| row.get_opt::<u64, _>(0)?.ok()).collect(),
        Ids::Consecutive | Ids::OneByOne => {
            let first = session.conn.last_insert_id().filter(|&id| id > 0);
            let step = session.facts.id_step;
            first.map_or_else(Vec::new, |first| (0..count as u64).map(|n| first + n * step).collect())
        }
    })
}

/// A main statement that gave no id (`INSERT IGNORE`, an UPDATE that met no row) cannot have extensions.
fn no_ids(count: usize, got: usize, documents: &[usize], ids: &Ids) -> Fault {
    match (documents, ids) {
        (&[document], Ids::OneByOne) => Fault::Document {
            reason: Reason::new("lastInsertId", "the main statement inserted no row with an id"),
            suspect: Some(document),
            about: About::Values,
        },
        _ => Fault::Stop(
            Error::protocol(format!("the server gave {got} ids for {count} rows"))
                .hint("set insert_ids = \"one_by_one\" in the pipeline's sink"),
        ),
    }
}

async fn warnings(session: &mut Session, documents: &[usize]) -> Result<(), Fault> {
    if session.conn.get_warnings() == 0 {
        return Ok(());
    }
    let warnings: Vec<(String, u16, String)> =
        session.conn.query("SHOW WARNINGS").await.map_err(|e| fault::storing(e, documents, false))?;
    match warnings.into_iter().find(|(_, code, _)| fault::is_about_values(*code)) {
        Some((_, code, message)) => Err(fault::refused(code, &message, documents, About::Values)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_by_count_placeholders_and_bytes() {
        let template = Template::parse("INSERT INTO t (a, b) VALUES (<{a: }>, 1)").expect("the statement");
        let statement = MultiRow::of(&template);
        let facts = Facts { max_packet: 1 << 20, id_step: 1 };
        let rows = |sizes: &[usize]| cut(&statement, sizes, facts).map(|(rows, _)| rows);
        assert_eq!(rows(&[10; 5000]), Ok(1024));
        assert_eq!(rows(&[10; 500]), Ok(256));
        assert_eq!(rows(&[10; 3]), Ok(1));
        assert_eq!(rows(&[200_000; 16]), Ok(4));
        assert_eq!(rows(&[1_000_000, 1]), Ok(1));
        assert!(rows(&[2_000_000]).is_err_and(|text| text.contains("max_allowed_packet")));
        let wide = format!("INSERT INTO t ({}) VALUES ({})", ["c"; 100].join(","), ["<{c: }>"; 100].join(","));
        let wide = MultiRow::of(&Template::parse(&wide).expect("the statement"));
        assert_eq!(cut(&wide, &[10; 5000], facts).map(|(rows, _)| rows), Ok(256));
        let single = MultiRow::main(&template, &Ids::OneByOne);
        assert_eq!(cut(&single, &[10; 5000], facts).map(|(rows, _)| rows), Ok(1));
        let returning = MultiRow::main(&template, &Ids::Returning("i`d".into()));
        assert!(returning.texts.iter().all(|(_, text)| text.ends_with(" RETURNING `i``d`")));
    }
}
