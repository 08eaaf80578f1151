//! What a target and a workspace hold, and whether that is each document exactly once.
//!
//! The same for MariaDB and SQLite: whole tables are read and joined here, so that no statement of ours is trusted.

use super::database::Database;
use dukou::sandbox::Truth;
use rusqlite::{Connection, OpenFlags};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

const DELIVERIES: &str = "SELECT doc_key, LOWER(HEX(digest)), remote FROM dukou_delivery";
const MAINS: &str = "SELECT id, CONCAT_WS('|', COALESCE(dispatch_id, '-'), COALESCE(return_status, '-'), \
    COALESCE(return_reason, '-'), COALESCE(receive_cust_id, '-'), COALESCE(receive_phone, '-'), \
    COALESCE(receive_address, '-'), COALESCE(delivery_date, '-'), COALESCE(`date`, '-')) FROM sale_return";
const DETAILS: &str = "SELECT id, CAST(must_qty AS CHAR), CONCAT_WS('|', COALESCE(goods_id, '-'), COALESCE(real_qty, '-'), \
    COALESCE(unit_id, '-'), COALESCE(stock_id, '-'), COALESCE(stock_status, '-'), COALESCE(create_time, '-')) \
    FROM sale_return_detail ORDER BY detail_id";

/// All rows of a target.
pub struct Target {
    deliveries: Vec<(String, String, String)>,
    mains: Vec<(u64, String)>,
    details: Vec<(u64, String, String)>,
}

/// What stands under each key: its digest and its rows without their ids. Equal for equal deliveries.
pub type Documents = BTreeMap<String, (String, String)>;

impl Target {
    pub async fn of_mysql(database: &Database) -> Self {
        Self {
            deliveries: database.rows(DELIVERIES).await,
            mains: database.rows(MAINS).await,
            details: database.rows(DETAILS).await,
        }
    }

    pub fn of_sqlite(path: &Path) -> Self {
        let file = open(path).expect("a file");
        Self {
            deliveries: all(&file, DELIVERIES, |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))),
            mains: all(&file, MAINS, |r| Ok((r.get(0)?, r.get(1)?))),
            details: all(&file, DETAILS, |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))),
        }
    }

    /// Every document has one delivery row, one main row and its lines; no row belongs to none; sums are the vendor's.
    #[track_caller]
    pub fn check(&self, truth: &Truth) -> Documents {
        let mains: HashMap<u64, &str> = self.mains.iter().map(|(id, text)| (*id, text.as_str())).collect();
        let mut lines: HashMap<u64, String> = HashMap::new();
        let mut sum = 0;
        for (id, quantity, text) in &self.details {
            assert!(mains.contains_key(id), "a line belongs to row {id} of sale_return, which is not there: {text}");
            sum += millionths(quantity);
            lines.entry(*id).or_default().push_str(&format!("\n{} {text}", millionths(quantity)));
        }
        let remotes: BTreeSet<&str> = self.deliveries.iter().map(|(_, _, remote)| remote.as_str()).collect();
        assert_eq!(remotes.len(), self.deliveries.len(), "two deliveries point to one row");
        let documents: Documents = self
            .deliveries
            .iter()
            .map(|(key, digest, remote)| {
                let id: u64 = remote.parse().expect("an id");
                let main = mains.get(&id).unwrap_or_else(|| panic!("{key} points to row {id}, which is not there"));
                let lines = lines.get(&id).unwrap_or_else(|| panic!("{key} (row {id}) has no lines"));
                (key.clone(), (digest.clone(), format!("{main}{lines}")))
            })
            .collect();
        let counts = (self.deliveries.len(), documents.len(), self.mains.len(), self.details.len());
        let accepted = usize::try_from(truth.accepted).expect("a count");
        let expected_lines = usize::try_from(truth.accepted_lines).expect("a count");
        assert_eq!(counts, (accepted, accepted, accepted, expected_lines), "deliveries, keys, rows, lines");
        assert_eq!(sum, i128::from(truth.must_qty) * 10_000, "sum of must_qty in millionths");
        documents
    }

    /// The ledger of the workspace says the same: every delivery with its digest and row, and nothing in doubt.
    #[track_caller]
    pub fn check_ledger(&self, workspace: &Path, truth: &Truth) {
        let state = open(&workspace.join("state.db")).expect("a state store");
        let sql = "SELECT key, lower(hex(digest)), coalesce(remote, ''), state FROM delivery";
        type Row = (String, String, String, u64);
        let rows: Vec<Row> = all(&state, sql, |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)));
        let (there, other): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| matches!(row.3, 7 | 8));
        let ours: BTreeSet<_> = there.into_iter().map(|(key, digest, remote, _)| (key, digest, remote)).collect();
        let theirs: BTreeSet<_> = self.deliveries.iter().cloned().collect();
        let differ: Vec<_> = ours.symmetric_difference(&theirs).take(5).collect();
        assert!(differ.is_empty(), "ledger and target differ, for example: {differ:?}");
        assert!(other.iter().all(|row| row.3 == 10), "neither delivered nor rejected: {:?}", other.first());
        let count = |sql: &str| all(&state, sql, |r| r.get::<_, u64>(0))[0];
        assert_eq!(other.len() as u64, truth.rejected, "rejected");
        assert_eq!(count("SELECT count(*) FROM blocked"), truth.blocked, "blocked");
        assert_eq!(count("SELECT count(*) FROM unmapped"), truth.left_out, "left out");
        assert_eq!(count("SELECT count(*) FROM slice WHERE file IS NULL"), 0, "open slices");
        assert_eq!(
            count("SELECT count(*) FROM slice WHERE id NOT IN (SELECT slice_id FROM slice_done)"),
            0,
            "not done"
        );
        assert_eq!(count("SELECT sum(staged) FROM slice"), truth.trades, "staged rows");
    }
}

/// Documents whose intent stands in a workspace's journal while it is being written; 0 when there is no journal yet.
pub fn intended(workspace: &Path) -> u64 {
    let count = |state: Connection| {
        state.query_row("SELECT count(*) FROM delivery WHERE state = 6", [], |row| row.get(0)).unwrap_or(0)
    };
    open(&workspace.join("state.db")).map_or(0, count)
}

/// Documents in a SQLite target while it is being written.
pub fn delivered(path: &Path) -> u64 {
    let count =
        |file: Connection| file.query_row("SELECT count(*) FROM dukou_delivery", [], |row| row.get(0)).unwrap_or(0);
    open(path).map_or(0, count)
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(connection)
}

fn all<T>(file: &Connection, sql: &str, row: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
    let mut statement = file.prepare(sql).expect(sql);
    statement.query_map([], |r| row(r)).and_then(Iterator::collect).expect(sql)
}

/// Decimal text, exactly.
pub fn millionths(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 6, "{text}");
    format!("{whole}{fraction:0<6}").parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}
