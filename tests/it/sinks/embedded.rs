//! The sinks that need no server: SQLite and the file of JSON lines.

use super::conformance::{Target, every_sink};
use super::{document, send, statements, states};
use dukou::base::Kind;
use dukou::config::model::Statements;
use dukou::sink::Sink;
use dukou::sink::file::FileSink;
use dukou::sink::sqlite::{SqliteSink, execute_ddl};
use std::path::{Path, PathBuf};

struct Sqlite(PathBuf);

fn rows<T: rusqlite::types::FromSql>(path: &Path, sql: &str, param: &str) -> Vec<T> {
    let connection = rusqlite::Connection::open(path).expect("the file");
    let mut statement = connection.prepare(sql).expect(sql);
    let rows = statement.query_map([param], |row| row.get(0)).expect(sql);
    rows.collect::<Result<_, _>>().expect(sql)
}

#[async_trait::async_trait]
impl Target for Sqlite {
    fn sink(&self) -> Box<dyn Sink> {
        Box::new(SqliteSink::open(&self.0, &statements(), None).expect("a sink"))
    }

    async fn stored(&self, prefix: &str) -> (usize, usize) {
        let mains = "SELECT count(*) FROM sale_return WHERE dispatch_id LIKE ?1 || '%'";
        let lines = "SELECT count(*) FROM sale_return m JOIN sale_return_detail d ON d.id = m.id AND d.goods_id = m.dispatch_id
                     JOIN dukou_delivery k ON k.doc_key = m.dispatch_id AND k.remote = m.id WHERE m.dispatch_id LIKE ?1 || '%'";
        let count = |sql| rows::<u32>(&self.0, sql, prefix)[0] as usize;
        (count(mains), count(lines))
    }

    async fn reason(&self, key: &str) -> Option<String> {
        rows(&self.0, "SELECT return_reason FROM sale_return WHERE dispatch_id = ?1", key).pop()
    }

    fn has_limits(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn sqlite_keeps_the_promises() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("target.db");
    execute_ddl(&path, "lehua", include_str!("../../../sql/target/lehua_sqlite.sql")).expect("the DDL");
    every_sink(&Sqlite(path.clone())).await;
    let kinds: Vec<String> =
        rows(&path, "SELECT DISTINCT typeof(must_qty) || must_qty FROM sale_return_detail WHERE ?1", "1");
    assert_eq!(kinds, ["text1.500000"], "a quantity is never a float");
}

#[tokio::test]
async fn sqlite_names_what_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("target.db");
    execute_ddl(&path, "lehua", "CREATE TABLE lehua.sale_returns (id INTEGER PRIMARY KEY); CREATE TABLE lehua.sale_return_detail (id, goodsid);")
        .expect("the DDL");
    let error =
        SqliteSink::open(&path, &statements(), None).expect("a sink").check().await.expect_err("faults").to_string();
    assert!(error.contains("no table lehua.sale_return ") && error.contains("did you mean sale_returns?"), "{error}");
    assert!(error.contains("no column goods_id; did you mean goodsid?"), "{error}");

    std::fs::write(&path, "this is no database, but it is long enough to look like a file of one").expect("a file");
    let error = SqliteSink::open(&path, &statements(), None).expect("a sink").check().await.expect_err("no database");
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    let two = Statements { main_sql: "INSERT INTO a.t (x) VALUES (1)".into(), ..statements() };
    assert!(SqliteSink::open(&path, &two, None).is_err_and(|e| e.to_string().contains("a, lehua")));
}

struct JsonLines(PathBuf);

impl JsonLines {
    fn documents(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&self.0).expect("the file");
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

#[async_trait::async_trait]
impl Target for JsonLines {
    fn sink(&self) -> Box<dyn Sink> {
        Box::new(FileSink::open(&self.0, None).expect("a sink"))
    }

    async fn stored(&self, prefix: &str) -> (usize, usize) {
        let documents = self.documents();
        let ours: Vec<_> =
            documents.iter().filter(|d| d["_key"].as_str().is_some_and(|k| k.starts_with(prefix))).collect();
        let lines = ours.iter().filter_map(|d| d["document"]["extend_params_1"].as_array()).map(Vec::len).sum();
        (ours.len(), lines)
    }

    async fn reason(&self, key: &str) -> Option<String> {
        let documents = self.documents();
        let found = documents.iter().find(|d| d["_key"] == key)?;
        found["document"]["return_reason"].as_str().map(str::to_string)
    }

    fn has_limits(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_file_keeps_the_promises_and_a_torn_line_is_cut_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = JsonLines(folder.path().join("out.jsonl"));
    every_sink(&target).await;

    let whole = std::fs::read(&target.0).expect("the file");
    send(&*target.sink(), &[document("torn", "")]).await.expect("one more");
    let with_torn = std::fs::read(&target.0).expect("the file");
    for length in [whole.len() + 1, with_torn.len() - 1] {
        std::fs::write(&target.0, &with_torn[..length]).expect("the file");
        let sent = send(&*target.sink(), &[document("torn", ""), document("once-0", "")]).await.expect("outcomes");
        assert_eq!(states(&sent), ["Accepted", "Present"], "cut at {length}");
        assert_eq!(std::fs::read(&target.0).expect("the file"), with_torn, "cut at {length}");
    }
    std::fs::write(&target.0, [b"{\"foreign\":1}\n", whole.as_slice()].concat()).expect("the file");
    let error = target.sink().check().await.expect_err("a foreign line");
    assert!(error.kind() == Kind::Conflict && error.to_string().contains("byte 0"), "{error}");
}
