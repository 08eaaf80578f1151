//! Bad targets: a MariaDB that refuses, is not there, or would silently change what it is given. Each ends in an error or a
//! rejected document that says what, where and how to cure; then the same command ends complete.
//!
//! `DUKOU_TEST_MYSQL_URL` names the server; every test makes a database of its own.

use super::bad_support::*;
use dukou::sandbox::Sandbox;
use mysql_async::prelude::Queryable as _;

const DDL: &str = include_str!("../../sql/target/lehua_mysql.sql");

/// A project that delivers into a database of its own.
struct Server {
    project: Project,
    url: url::Url,
    name: String,
    vendor: Sandbox,
}

impl Server {
    /// `None` without a server; that is said loudly.
    async fn make() -> Option<Self> {
        let Ok(url) = std::env::var("DUKOU_TEST_MYSQL_URL") else {
            skipped("a test of a bad MySQL target (DUKOU_TEST_MYSQL_URL is not set)");
            return None;
        };
        let vendor = start(vendor()).await;
        let name = format!("dukou_bad_{:016x}", fastrand::u64(..));
        let mut project = Project::new(&vendor.url());
        project.pipeline = MYSQL;
        project.edit("INSERT INTO lehua.", &format!("INSERT INTO {name}."));
        project.set("DUKOU_MYSQL_URL", &url);
        let server = Self { project, url: url::Url::parse(&url).expect("the url"), name, vendor };
        server.execute(&format!("CREATE DATABASE {} CHARACTER SET utf8mb4", server.name)).await;
        server.execute(DDL).await;
        Some(server)
    }

    async fn connect(&self) -> mysql_async::Conn {
        let builder =
            mysql_async::OptsBuilder::from_opts(mysql_async::Opts::from_url(self.url.as_str()).expect("the url"));
        mysql_async::Conn::new(builder.prefer_socket(false)).await.expect("a connection")
    }

    /// Inside the database, if it is there.
    async fn execute(&self, sql: &str) {
        let mut conn = self.connect().await;
        // The first statement of a test makes the database.
        let _ = conn.query_drop(format!("USE {}", self.name)).await;
        conn.query_drop(sql).await.expect(sql);
        conn.disconnect().await.expect("a goodbye");
    }

    async fn first<T: mysql_async::prelude::FromValue + Send + 'static>(&self, sql: &str) -> T {
        let mut conn = self.connect().await;
        conn.query_drop(format!("USE {}", self.name)).await.expect("the database");
        let value = conn.query_first(sql).await.expect(sql).expect("a row");
        conn.disconnect().await.expect("a goodbye");
        value
    }

    /// Trades and lines that stand there, and what the delivery table says.
    async fn counts(&self) -> (u64, u64, u64) {
        let main = self.first("SELECT COUNT(*) FROM sale_return").await;
        let lines = self.first("SELECT COUNT(*) FROM sale_return_detail d JOIN sale_return m ON m.id = d.id").await;
        (main, lines, self.first("SELECT COUNT(*) FROM dukou_delivery").await)
    }

    async fn completes(&self) {
        let ran = self.project.history().await;
        assert_eq!(ran.code, 0, "{ran:?}");
        let truth = self.vendor.truth();
        assert_eq!(self.counts().await, (truth.accepted, truth.accepted_lines, truth.accepted));
    }

    /// The run and the check both end so.
    async fn refuses(&self, code: i32, words: &[&str]) {
        self.project.history().await.says(code, words);
        self.project.exec(&["check", MYSQL, "--online"]).await.says(code, words);
    }

    async fn drop(self) {
        self.execute(&format!("DROP DATABASE IF EXISTS {}", self.name)).await;
    }
}

/// The server's address, its password and the databases on it.
#[tokio::test]
async fn a_server_that_does_not_let_us_in() {
    let Some(mut server) = Server::make().await else { return };
    let right = server.url.to_string();
    let mut wrong = server.url.clone();
    wrong.set_password(Some("Wr0ng-Passw0rd")).expect("a password");
    server.project.set("DUKOU_MYSQL_URL", wrong.as_str());
    server.refuses(4, &["sink: mysql:", "Access denied", "user or password"]).await;
    let mut nobody = server.url.clone();
    nobody.set_port(Some(1)).expect("a port");
    server.project.set("DUKOU_MYSQL_URL", nobody.as_str());
    server.refuses(3, &["127.0.0.1:1 cannot be reached", "is the server up?"]).await;
    server.project.set("DUKOU_MYSQL_URL", "mysql://u:Some-Passw0rd@no-such-host.invalid:3306");
    server.refuses(3, &["no-such-host.invalid", "cannot be reached"]).await;
    server.project.set("DUKOU_MYSQL_URL", &server.vendor.url());
    server.refuses(2, &["url of the MySQL server", "mysql://user:password@host"]).await;
    server.project.set("DUKOU_MYSQL_URL", "");
    server.refuses(2, &["DUKOU_MYSQL_URL is not set", "export"]).await;
    let mut missing = server.url.clone();
    missing.set_path("no_such_database");
    server.project.set("DUKOU_MYSQL_URL", missing.as_str());
    server.refuses(2, &["no_such_database", "CREATE DATABASE"]).await;
    server.project.set("DUKOU_MYSQL_URL", &right);
    server
        .execute(&format!("RENAME TABLE sale_return TO {0}.gone, sale_return_detail TO {0}.gone_detail", server.name))
        .await;
    server.refuses(2, &["there is no such table", "sale_return"]).await;
    server.execute("RENAME TABLE gone TO sale_return, gone_detail TO sale_return_detail").await;
    server.completes().await;
    // Staged is staged: the refusals above did not pull it again and again.
    let sealed: u64 = server.project.state("SELECT count(*) FROM slice WHERE sealed_at IS NOT NULL");
    assert_eq!(sealed, 4);
    server.drop().await;
}

/// Tables in which values would be cut, half a batch stay, or a column is missing.
#[tokio::test]
async fn a_table_that_would_lose_something() {
    let Some(server) = Server::make().await else { return };
    let cases = [
        (
            "CREATE TABLE dukou_delivery (id INT)",
            "DROP TABLE dukou_delivery",
            &["dukou_delivery", "PRIMARY KEY (target, doc_key)"][..],
        ),
        (
            "ALTER TABLE sale_return DROP COLUMN return_reason",
            "ALTER TABLE sale_return ADD return_reason VARCHAR(255)",
            &["no column return_reason", "main_sql"],
        ),
        (
            "ALTER TABLE sale_return CHANGE date datum DATETIME NULL",
            "ALTER TABLE sale_return CHANGE datum date DATETIME NULL",
            &["no column date", "did you mean"],
        ),
        (
            "ALTER TABLE sale_return_detail ENGINE=MyISAM",
            "ALTER TABLE sale_return_detail ENGINE=InnoDB",
            &["is MyISAM", "ENGINE=InnoDB"],
        ),
        (
            "ALTER TABLE sale_return CONVERT TO CHARACTER SET latin1",
            "ALTER TABLE sale_return CONVERT TO CHARACTER SET utf8mb4",
            &["latin1", "CONVERT TO CHARACTER SET utf8mb4"],
        ),
        (
            "ALTER TABLE sale_return_detail MODIFY unit_id VARCHAR(32) CHARACTER SET utf8mb3",
            "ALTER TABLE sale_return_detail MODIFY unit_id VARCHAR(32) CHARACTER SET utf8mb4",
            &["unit_id", "utf8mb3"],
        ),
        (
            "ALTER TABLE sale_return ADD who VARCHAR(9) NOT NULL",
            "ALTER TABLE sale_return DROP who",
            &["'who'", "DEFAULT"],
        ),
    ];
    for (spoil, cure, words) in cases {
        server.execute(spoil).await;
        let ran = server.project.history().await;
        assert!([2, 4].contains(&ran.code), "{spoil}: {ran:?}");
        for word in words {
            assert!(ran.err.contains(word), "{spoil} does not say {word:?}: {}", ran.err);
        }
        assert_eq!(server.first::<u64>("SELECT COUNT(*) FROM sale_return").await, 0, "{spoil}");
        server.execute(cure).await;
    }
    server.completes().await;
    server.completes().await;
    server.drop().await;
}

/// A user who may write rows and nothing else is told what to let somebody execute.
#[tokio::test]
async fn a_user_who_may_not_create() {
    let Some(mut server) = Server::make().await else { return };
    let user = &server.name.clone()[..24];
    server.execute(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'Only-R0ws'")).await;
    for table in ["sale_return", "sale_return_detail"] {
        server.execute(&format!("GRANT SELECT, INSERT ON {}.{table} TO '{user}'@'%'", server.name)).await;
    }
    let mut url = server.url.clone();
    url.set_username(user).expect("a user");
    url.set_password(Some("Only-R0ws")).expect("a password");
    server.project.set("DUKOU_MYSQL_URL", url.as_str());
    let ran = server.project.history().await;
    ran.says(4, &["CREATE command denied", "let somebody who may create tables execute"]);
    // What was printed is what is needed.
    let ddl = ran.err.split_once("execute:\n").expect("the DDL").1.split_once(';').expect("its end").0.to_string();
    server.execute(&ddl).await;
    server.project.history().await.says(4, &["dukou_delivery", "GRANT"]);
    server.execute(&format!("GRANT SELECT, INSERT ON {}.dukou_delivery TO '{user}'@'%'", server.name)).await;
    server.completes().await;
    server.execute(&format!("DROP USER '{user}'@'%'")).await;
    server.drop().await;
}

/// A value too long, one that is null, one of 70,000 characters: each document alone, with the server's words; the others go.
/// When the table is widened, the rejected ones follow.
#[tokio::test]
async fn values_that_do_not_fit_are_rejected_alone() {
    let Some(mut server) = Server::make().await else { return };
    fn spoil(body: String) -> String {
        let long = format!(r#""payerAddress":"{}""#, "址".repeat(70_000));
        let mut parts = body.splitn(4, r#""payerAddress":"#).map(str::to_string).collect::<Vec<_>>();
        for part in &mut parts[1..3] {
            let end = part.find(r#",""#).expect("an end");
            *part = part[end..].to_string();
        }
        let text = format!(
            r#"{}{long}{}"payerAddress":"{}"{}"payerAddress":{}"#,
            parts[0],
            parts[1],
            "a".repeat(256),
            parts[2],
            parts[3]
        );
        // The third trade has no number to be found under.
        let at = text.match_indices(r#""orderNo":""#).nth(2).expect("an order").0 + r#""orderNo":"#.len();
        let end = at + 1 + text[at + 1..].find('"').expect("an end") + 1;
        format!("{}null{}", &text[..at], &text[end..])
    }
    let liar = liar(&server.vendor, |call| if call == 1 { Lie::Edited(spoil) } else { Lie::Truth }).await;
    server.project.set("JACKYUN_URL", &liar.url);
    let ran = server.project.history().await;
    ran.says(1, &["rejected", "1406", "receive_address", "1048", "dispatch_id", "cannot be null"]);
    let truth = server.vendor.truth();
    assert_eq!((server.counts().await.0, server.counts().await.2), (truth.accepted - 3, truth.accepted - 3));
    assert_eq!(server.project.history().await.code, 1, "still open, not forgotten");
    server
        .execute("ALTER TABLE sale_return MODIFY receive_address MEDIUMTEXT, MODIFY dispatch_id VARCHAR(64) NULL")
        .await;
    server.project.dukou("deliver", &["--remap"]).await.says(0, &[]);
    assert_eq!(server.counts().await, (truth.accepted, truth.accepted_lines, truth.accepted));
    assert_eq!(server.first::<u64>("SELECT MAX(CHAR_LENGTH(receive_address)) FROM sale_return").await, 70_000);
    server.drop().await;
}
