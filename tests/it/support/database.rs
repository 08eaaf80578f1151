//! A MariaDB database of a test's own, made from the shipped DDL, and a private server that may be killed.

use super::skipped;
use dukou::config::secret::Secret;
use dukou::sink::mysql::execute_ddl;
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Opts};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Mutex;

const DDL: &str = include_str!("../../../sql/target/lehua_mysql.sql");

pub struct Database {
    server: String,
    pub name: String,
    conn: Mutex<Conn>,
}

impl Database {
    /// On the server of `DUKOU_TEST_MYSQL_URL`, or `None`, said loudly.
    pub async fn make(what: &str) -> Option<Self> {
        match std::env::var("DUKOU_TEST_MYSQL_URL") {
            Ok(server) => Some(Self::on(&server).await),
            Err(_) => {
                skipped(&format!("{what} (DUKOU_TEST_MYSQL_URL is not set)"));
                None
            }
        }
    }

    pub async fn on(server: &str) -> Self {
        let name = format!("dukou_test_{:016x}", fastrand::u64(..));
        execute_ddl(&Secret::new(server), Some(&name), DDL).await.expect("a database");
        Self::open(server, &name).await
    }

    pub async fn open(server: &str, name: &str) -> Self {
        let mut url = url::Url::parse(server).expect("the url");
        url.set_path(name);
        url.set_query(Some("prefer_socket=false"));
        let conn = Conn::new(Opts::from_url(url.as_str()).expect("the url")).await.expect("a connection");
        Self { server: server.into(), name: name.into(), conn: Mutex::new(conn) }
    }

    /// As the binary is told it.
    pub fn url(&self) -> String {
        let mut url = url::Url::parse(&self.server).expect("the url");
        url.set_path(&self.name);
        url.into()
    }

    pub async fn rows<T: FromRow + Send + 'static>(&self, sql: &str) -> Vec<T> {
        self.conn.lock().await.query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    pub async fn execute(&self, sql: &str) {
        self.conn.lock().await.query_drop(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Documents delivered so far; 0 before dukou has made its table.
    pub async fn delivered(&self) -> u64 {
        let counted = self.conn.lock().await.query_first("SELECT COUNT(*) FROM dukou_delivery").await;
        counted.ok().flatten().unwrap_or(0)
    }

    /// Is a transaction open that has written rows of `sale_return` and not yet its delivery rows?
    pub async fn is_being_written(&self) -> bool {
        let mut conn = self.conn.lock().await;
        // For the next statement only: it then sees what is not committed.
        conn.query_drop("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED").await.expect("a level");
        let sql = "SELECT (SELECT COUNT(*) FROM sale_return) > (SELECT COUNT(*) FROM dukou_delivery)";
        // Before dukou has made its table nothing is being written.
        conn.query_first(sql).await.ok().flatten().unwrap_or(false)
    }

    pub async fn remove(self) {
        self.execute(&format!("DROP DATABASE `{}`", self.name)).await;
    }
}

/// A MariaDB server of a test's own.
pub struct Server {
    folder: TempDir,
    pub url: String,
    /// The server, once it was started again by us.
    again: Option<Child>,
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mariadb.sh");

impl Server {
    /// `None`, said loudly, where no server is installed.
    pub fn start(what: &str) -> Option<Self> {
        let installed = "PATH=$PATH:/usr/sbin:/usr/local/sbin; command -v mariadbd && command -v mariadb-install-db";
        let found = Command::new("sh").args(["-c", installed]).stdout(Stdio::null()).status().expect("a shell");
        if !found.success() {
            skipped(&format!("{what} (no MariaDB server is installed here)"));
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let started =
            Command::new("sh").args([SCRIPT, "start"]).arg(folder.path().join("db")).output().expect("a shell");
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        let url = String::from_utf8(started.stdout).expect("a url").trim().to_string();
        Some(Self { folder, url, again: None })
    }

    fn pid(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("db/pid")).expect("a pid").trim().to_string()
    }

    /// `kill -9`, and the same server again after `down`.
    pub async fn crash(&mut self, down: Duration) {
        let pid = self.pid();
        let command = std::fs::read(Path::new("/proc").join(&pid).join("cmdline")).expect("a command line");
        let words: Vec<String> = command
            .split(|&b| b == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            // It made the users once; the file is gone.
            .filter(|word| !word.is_empty() && !word.starts_with("--init-file"))
            .collect();
        assert!(Command::new("kill").args(["-9", &pid]).status().expect("kill").success());
        if let Some(mut child) = self.again.take() {
            child.wait().expect("an end");
        }
        tokio::time::sleep(down).await;
        let path = format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default());
        let mut server = Command::new("sh");
        server.args(["-c", "exec \"$0\" \"$@\""]).args(&words).env("PATH", path);
        let child = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a server");
        self.again = Some(child);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Our child is waited for here: the script would take a process that nobody has waited for as still running.
        if let Some(mut child) = self.again.take() {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
        let _ = Command::new("sh").args([SCRIPT, "stop"]).arg(self.folder.path().join("db")).status();
    }
}
