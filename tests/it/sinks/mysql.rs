//! What only a server can show: ids, refusals of `check`, lost connections and lost answers, warnings, races.
//!
//! `DUKOU_TEST_MYSQL_URL` names the server (its user may create databases and users); every test makes its own database.

use super::conformance::{Target, every_sink};
use super::{document, proxy, send, statements, states, with_lines};
use dukou::base::lifecycle::State;
use dukou::base::record::{Document, Outcome};
use dukou::base::retry::RetryPolicy;
use dukou::base::value::{Decimal, Object, Value};
use dukou::base::{Error, Kind};
use dukou::config::model::{InsertIds, Statements};
use dukou::config::secret::Secret;
use dukou::sink::Sink;
use dukou::sink::mysql::{MySqlOptions, MySqlSink, execute_ddl};
use mysql_async::prelude::{FromRow, Queryable};
use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

const DDL: &str = include_str!("../../../sql/target/lehua_mysql.sql");

/// A database of its own.
struct Database {
    url: url::Url,
    name: String,
}

impl Database {
    /// `None` without a server; that is said loudly, and is a failure where everything is required.
    async fn make(ddl: &str) -> Option<Self> {
        let Ok(url) = std::env::var("DUKOU_TEST_MYSQL_URL") else {
            let required = std::env::var("DUKOU_REQUIRE_ALL").is_ok_and(|v| v == "1");
            assert!(!required, "DUKOU_TEST_MYSQL_URL is required");
            // Past the test harness, which keeps what a passing test prints to itself.
            let _ = writeln!(std::io::stderr(), "SKIPPED: a MySQL test (DUKOU_TEST_MYSQL_URL is not set)");
            return None;
        };
        let name = format!("dukou_test_{:016x}", fastrand::u64(..));
        execute_ddl(&Secret::new(&url), Some(&name), ddl).await.expect("a database");
        Some(Self { url: url::Url::parse(&url).expect("the url"), name })
    }

    fn secret(&self) -> Secret {
        Secret::new(self.url.as_str())
    }

    async fn connect(&self) -> mysql_async::Conn {
        let mut url = self.url.clone();
        url.set_path(&self.name);
        url.set_query(Some("prefer_socket=false"));
        mysql_async::Conn::new(mysql_async::Opts::from_url(url.as_str()).expect("the url")).await.expect("a connection")
    }

    async fn execute(&self, sql: &str) {
        let mut conn = self.connect().await;
        conn.query_drop(sql).await.expect(sql);
        conn.disconnect().await.expect("a goodbye");
    }

    async fn first<T: FromRow + Send + 'static>(&self, sql: &str) -> T {
        let mut conn = self.connect().await;
        let row = conn.query_first(sql).await.expect(sql).expect("a row");
        conn.disconnect().await.expect("a goodbye");
        row
    }

    fn options(&self) -> MySqlOptions {
        MySqlOptions { database: Some(self.name.clone()), ..Default::default() }
    }

    fn sink_of(&self, statements: &Statements) -> MySqlSink {
        MySqlSink::connect(&self.secret(), statements, self.options()).expect("a sink")
    }

    /// Main rows, and lines that stand under the right main row with the right delivery.
    async fn counts(&self) -> (usize, usize) {
        self.first(
            "SELECT (SELECT COUNT(*) FROM sale_return), (SELECT COUNT(*) FROM sale_return m \
             JOIN sale_return_detail d ON d.id = m.id AND d.goods_id = m.dispatch_id \
             JOIN dukou_delivery k ON k.doc_key = m.dispatch_id COLLATE utf8mb4_bin AND k.remote = m.id)",
        )
        .await
    }

    async fn drop(self) {
        self.execute(&format!("DROP DATABASE `{}`", self.name)).await;
    }
}

#[async_trait::async_trait]
impl Target for Database {
    fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.sink_of(&statements()))
    }

    async fn stored(&self, prefix: &str) -> (usize, usize) {
        let mut conn = self.connect().await;
        let sql = "SELECT COUNT(DISTINCT m.id), COUNT(IF(k.doc_key IS NULL, NULL, d.id)) FROM sale_return m \
                   LEFT JOIN dukou_delivery k ON k.doc_key = m.dispatch_id COLLATE utf8mb4_bin AND k.remote = m.id \
                   LEFT JOIN sale_return_detail d ON d.id = m.id AND d.goods_id = m.dispatch_id \
                   WHERE m.dispatch_id LIKE CONCAT(?, '%')";
        let counts = conn.exec_first(sql, (prefix,)).await.expect(sql).expect("a row");
        conn.disconnect().await.expect("a goodbye");
        counts
    }

    async fn reason(&self, key: &str) -> Option<String> {
        let mut conn = self.connect().await;
        let sql = "SELECT return_reason FROM sale_return WHERE dispatch_id = ?";
        let reason = conn.exec_first(sql, (key,)).await.expect(sql);
        conn.disconnect().await.expect("a goodbye");
        reason
    }

    fn has_limits(&self) -> bool {
        true
    }
}

fn batch(prefix: &str, count: usize) -> Vec<Document> {
    (0..count).map(|i| document(&format!("{prefix}-{i}"), "")).collect()
}

#[tokio::test]
async fn mysql_keeps_the_promises() {
    let Some(database) = Database::make(DDL).await else { return };
    every_sink(&database).await;
    database.drop().await;
}

/// All ways to ids give every line its own main row, at both steps, while two connections insert at once.
#[tokio::test]
async fn ids_of_many_rows_are_right_whatever_the_way_and_the_step() {
    let Some(database) = Database::make(DDL).await else { return };
    let mut documents = 0;
    for step in [1, 3] {
        database.execute(&format!("SET GLOBAL auto_increment_increment = {step}")).await;
        for way in [InsertIds::Auto, InsertIds::Returning, InsertIds::Consecutive, InsertIds::OneByOne] {
            let sink = database.sink_of(&Statements { insert_ids: way, ..statements() });
            let prefix = format!("{step}-{way:?}");
            let (one, two) = (batch(&format!("{prefix}-a"), 350), batch(&format!("{prefix}-b"), 350));
            let (one, two) = tokio::join!(send(&sink, &one), send(&sink, &two));
            let outcomes = [one.expect("outcomes"), two.expect("outcomes")].concat();
            assert!(outcomes.iter().all(|o| o.state() == State::Accepted), "{prefix}");
            documents += 700;
            assert_eq!(database.counts().await, (documents, 2 * documents), "{prefix}");
            let mut ids: Vec<u64> = outcomes.iter().filter_map(|o| o.remote()?.parse().ok()).collect();
            ids.sort_unstable();
            let steps: Vec<u64> = ids.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert_eq!((ids.len(), steps.iter().min()), (700, Some(&step)), "{prefix}: the step was really {step}");
        }
    }
    database.execute("SET GLOBAL auto_increment_increment = 1").await;
    database.drop().await;
}

#[tokio::test]
async fn a_statement_that_is_no_plain_insert_runs_row_by_row() {
    let Some(database) = Database::make(DDL).await else { return };
    let main = "INSERT INTO lehua.sale_return (dispatch_id, return_reason, return_status, delivery_date) \
                SELECT <{dispatch_id: }>, <{return_reason: }>, <{return_status: }>, <{delivery_date: }>";
    let extend = "INSERT INTO lehua.sale_return_detail (id, goods_id, must_qty, real_qty, unit_id, stock_status, create_time) \
                  SELECT :lastInsertId, <{goods_id: }>, <{must_qty: }>, <{real_qty: }>, <{unit_id: }>, <{stock_status: }>, <{create_time: }>";
    let statements =
        Statements { main_sql: main.into(), extends: vec![(1, extend.into())], insert_ids: InsertIds::Auto };
    let sink = database.sink_of(&statements);
    sink.check().await.expect("the check");
    let outcomes = send(&sink, &batch("row", 20)).await.expect("outcomes");
    assert_eq!(states(&outcomes), ["Accepted"; 20]);
    assert_eq!(database.counts().await, (20, 40));
    database.drop().await;
}

async fn refusal(database: &Database, change: &str) -> Error {
    database.execute(change).await;
    database.sink_of(&statements()).check().await.expect_err(change)
}

#[tokio::test]
async fn check_names_every_fault_with_its_cure() {
    let Some(database) = Database::make(DDL).await else { return };
    database.sink_of(&statements()).check().await.expect("sound tables");
    for (change, words, back) in [
        (
            "ALTER TABLE sale_return_detail ENGINE=MyISAM",
            "sale_return_detail` ENGINE=InnoDB",
            "ALTER TABLE sale_return_detail ENGINE=InnoDB",
        ),
        (
            "ALTER TABLE sale_return CONVERT TO CHARACTER SET latin1",
            "(latin1); ALTER TABLE",
            "ALTER TABLE sale_return CONVERT TO CHARACTER SET utf8mb4",
        ),
        (
            "ALTER TABLE sale_return CHANGE return_reason return_reasons VARCHAR(255)",
            "has no column return_reason; did you mean return_reasons?",
            "ALTER TABLE sale_return CHANGE return_reasons return_reason VARCHAR(255)",
        ),
        (
            "ALTER TABLE sale_return MODIFY id BIGINT UNSIGNED NOT NULL",
            "no AUTO_INCREMENT column",
            "ALTER TABLE sale_return MODIFY id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT",
        ),
        (
            "RENAME TABLE sale_return_detail TO sale_return_details",
            "no such table; did you mean sale_return_details?",
            "RENAME TABLE sale_return_details TO sale_return_detail",
        ),
        (
            "ALTER TABLE dukou_delivery DROP PRIMARY KEY",
            "dukou_delivery` is not the table that dukou makes",
            "ALTER TABLE dukou_delivery ADD PRIMARY KEY (target, doc_key)",
        ),
    ] {
        let error = refusal(&database, change).await;
        assert!(error.to_string().contains(words), "{change}: {error}");
        database.execute(back).await;
    }
    database.sink_of(&statements()).check().await.expect("sound tables again");
    let nowhere = MySqlOptions { database: Some("dukou_test_nowhere".into()), ..Default::default() };
    let sink = MySqlSink::connect(&database.secret(), &statements(), nowhere).expect("a sink");
    let error = sink.check().await.expect_err("no database");
    assert!(error.kind() == Kind::Config && error.to_string().contains("no database dukou_test_nowhere"), "{error}");
    database.drop().await;
}

#[tokio::test]
async fn who_is_not_let_in_is_told_why_and_no_secret_is_shown() {
    let Some(database) = Database::make(DDL).await else { return };
    let sink_at = |url: &url::Url| MySqlSink::connect(&Secret::new(url.as_str()), &statements(), database.options());
    let mut url = database.url.clone();
    url.set_password(Some("wr0ng-secret")).expect("a password");
    let error = sink_at(&url).expect("a sink").check().await.expect_err("a wrong password");
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    assert!(!format!("{error} {error:?}").contains("wr0ng-secret"));

    // A port where nobody listens, one where something else speaks, a scheme of another server.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    url.set_port(Some(port)).expect("a port");
    let page = async {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let page = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>proxy</html>";
        tokio::io::AsyncWriteExt::write_all(&mut stream, page).await.expect("the page");
    };
    let sink = sink_at(&url).expect("a sink");
    let (answer, ()) = tokio::join!(send(&sink, &[]), async {});
    assert_eq!(answer.expect("an empty batch asks nobody"), []);
    let (error, ()) = tokio::join!(sink.check(), page);
    let error = error.expect_err("a proxy");
    assert!(matches!(error.kind(), Kind::Protocol | Kind::Unavailable), "{error}");
    drop(listener);
    let error = send(&sink_at(&url).expect("a sink"), &batch("x", 1)).await.expect_err("nobody");
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    let error = MySqlSink::connect(&Secret::new("root:wr0ng-secret@host"), &statements(), database.options());
    assert!(error.is_err_and(|e| e.kind() == Kind::Config && !e.to_string().contains("wr0ng")));

    // May write rows, may not create tables.
    let user = &database.name[..26];
    database.execute(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'pw'")).await;
    for table in ["sale_return", "sale_return_detail"] {
        database.execute(&format!("GRANT SELECT, INSERT ON `{}`.{table} TO '{user}'@'%'", database.name)).await;
    }
    let mut url = database.url.clone();
    url.set_username(user).expect("a user");
    url.set_password(Some("pw")).expect("a password");
    let error = sink_at(&url).expect("a sink").check().await.expect_err("may not create");
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    assert!(
        error
            .cure()
            .is_some_and(|cure| cure.contains("CREATE TABLE") && cure.contains("PRIMARY KEY (target, doc_key)"))
    );
    database.execute(&format!("DROP USER '{user}'@'%'")).await;
    database.drop().await;
}

/// The server would store a changed value and only remark on it.
#[tokio::test]
async fn a_warning_is_a_refusal() {
    let Some(database) = Database::make(DDL).await else { return };
    let line = |unscaled, scale| {
        let qty = Value::Decimal(Decimal { unscaled, scale });
        Value::Object(Object::from_pairs([("goods_id", Value::text("w")), ("must_qty", qty)]))
    };
    let cut = with_lines("cut", Value::Null, vec![line(15, 1), line(12_345_678, 7)]);
    let whole = with_lines("whole", Value::Null, vec![line(1_234_567, 6)]);
    let outcomes = send(&*database.sink(), &[cut, whole]).await.expect("outcomes");
    assert_eq!(states(&outcomes), ["Rejected", "Accepted"]);
    let reason = outcomes[0].reason().expect("a reason");
    assert_eq!((reason.code.as_str(), reason.field.as_deref()), ("1265", Some("must_qty")), "{reason}");
    assert_eq!(
        database.first::<(usize, String)>("SELECT COUNT(*), MAX(must_qty) FROM sale_return_detail").await,
        (1, "1.234567".into())
    );
    database.drop().await;
}

/// The user's own unique key stands before ours: the second writer is refused there, and still it is "present".
#[tokio::test]
async fn a_unique_key_of_the_user_does_not_turn_present_into_rejected() {
    let Some(database) = Database::make(DDL).await else { return };
    database.execute("ALTER TABLE sale_return ADD UNIQUE (dispatch_id)").await;
    every_sink(&database).await;
    // What is there without a delivery of ours is not ours.
    database.execute("INSERT INTO sale_return (dispatch_id) VALUES ('foreign')").await;
    let outcomes = send(&*database.sink(), &[document("foreign", ""), document("own", "")]).await.expect("outcomes");
    assert_eq!(states(&outcomes), ["Rejected", "Accepted"]);
    assert_eq!(outcomes[0].reason().map(|r| r.code.as_str()), Some("1062"));
    database.drop().await;
}

#[tokio::test]
async fn a_connection_killed_in_mid_transaction_is_replaced() {
    let Some(database) = Database::make(DDL).await else { return };
    database
        .execute("CREATE TRIGGER slow BEFORE INSERT ON sale_return_detail FOR EACH ROW SET NEW.stock_id = SLEEP(0.2)")
        .await;
    let sink = database.sink();
    sink.check().await.expect("the check");
    let documents = batch("kill", 2);
    let killer = async {
        let mut conn = database.connect().await;
        let busy = format!(
            "SELECT id FROM information_schema.processlist WHERE info LIKE 'INSERT INTO `{}`.`sale_return_detail%'",
            database.name
        );
        for _ in 0..200 {
            if let Some(id) = conn.query_first::<u64, _>(&busy).await.expect("the process list") {
                conn.query_drop(format!("KILL {id}")).await.expect("a kill");
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    };
    let (outcomes, killed) = tokio::join!(send(&*sink, &documents), killer);
    assert!(killed, "the transaction was met");
    assert_eq!(states(&outcomes.expect("outcomes")), ["Accepted"; 2]);
    assert_eq!(database.counts().await, (2, 4));
    database.drop().await;
}

async fn through_proxy(database: &Database, lose: usize, then_gone: bool) -> (Vec<Outcome>, usize) {
    let host = database.url.host_str().expect("a host").to_string();
    let port = database.url.port().unwrap_or(3306);
    let server = tokio::net::lookup_host((host, port)).await.expect("an address").next().expect("an address");
    let proxy = proxy::start(server, lose, then_gone).await;
    let mut url = database.url.clone();
    url.set_ip_host(proxy.address.ip()).expect("a host");
    url.set_port(Some(proxy.address.port())).expect("a port");
    let retry = RetryPolicy { max_attempts: 4, first_wait: Duration::from_millis(20), ..Default::default() };
    let options = MySqlOptions { retry, ..database.options() };
    let sink = MySqlSink::connect(&Secret::new(url.as_str()), &statements(), options).expect("a sink");
    let outcomes = send(&sink, &batch("lost", 50)).await.expect("outcomes");
    (outcomes, proxy.lost.load(Ordering::SeqCst))
}

/// The answer to COMMIT is lost: it is there, once, and known to be there. If nobody can be asked any more, nobody guesses.
#[tokio::test]
async fn a_lost_answer_to_commit_is_settled_by_trying_again() {
    let Some(database) = Database::make(DDL).await else { return };
    let (outcomes, lost) = through_proxy(&database, 2, false).await;
    assert_eq!((states(&outcomes), lost), (vec!["Present".to_string(); 50], 1));
    assert_eq!(database.counts().await, (50, 100));
    database.drop().await;

    let Some(database) = Database::make(DDL).await else { return };
    let (outcomes, lost) = through_proxy(&database, 1, true).await;
    assert_eq!((states(&outcomes), lost), (vec!["Unknown".to_string(); 50], 1));
    let again = send(&*database.sink(), &batch("lost", 50)).await.expect("outcomes");
    assert_eq!(states(&again), ["Present"; 50]);
    assert_eq!(database.counts().await, (50, 100));
    database.drop().await;
}
