//! What the tests of bad input share: a project folder of their own, the real binary, a vendor that can be made to lie,
//! small disks.
//!
//! Every run of the binary is searched for the secrets it was given, and so is everything it wrote.

use dukou::sandbox::{APP_KEY, APP_SECRET, Config, Sandbox};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub const SQLITE: &str = "jackyun_trades_to_sqlite";
pub const MYSQL: &str = "jackyun_trades_to_mysql";
/// All days of [`vendor`], as a campaign.
pub const HISTORY: [&str; 4] = ["--from", "2024-06-01", "--to", "2024-06-03"];
/// No run of these tests takes longer, on any machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Two days with 20 good trades each; no rate, so that tests need not wait.
pub fn vendor() -> Config {
    Config { trades: 40, days: 2, calls_per_second: None, ..Config::default() }
}

pub async fn start(config: Config) -> Sandbox {
    Sandbox::start(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.expect("a sandbox")
}

/// Says it past the test harness, which keeps what a passing test prints to itself; a failure where all is required.
pub fn skipped(what: &str) {
    let required = std::env::var("DUKOU_REQUIRE_ALL").is_ok_and(|v| v == "1");
    assert!(!required, "required, but cannot run: {what}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}

/// A project with the shipped pipelines, quicker limits, a workspace and a target of its own.
pub struct Project {
    pub dir: TempDir,
    pub data: PathBuf,
    pub target: PathBuf,
    pub pipeline: &'static str,
    env: BTreeMap<String, String>,
    as_nobody: bool,
}

/// A run that came to its end.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
    /// Most memory it ever held.
    pub peak_kib: u64,
}

impl Project {
    pub fn new(url: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        for part in ["pipelines", "sql"] {
            copy(&home.join(part), &dir.path().join(part));
        }
        let (data, target) = (dir.path().join("data"), dir.path().join("lehua.db"));
        let mut project = Self { dir, data, target, pipeline: SQLITE, env: BTreeMap::new(), as_nobody: false };
        project.set("JACKYUN_URL", url);
        project.set("JACKYUN_APP_KEY", APP_KEY);
        project.set("JACKYUN_APP_SECRET", APP_SECRET);
        let path = project.target.display().to_string();
        project.set("DUKOU_SQLITE_PATH", &path);
        for name in [SQLITE, MYSQL] {
            project.edit_file(name, "calls_per_second = 1 ", "calls_per_second = 1000 ");
            project.edit_file(name, "page_size = 200", "page_size = 5");
        }
        project.make_target();
        project
    }

    /// The tables of the shipped pipelines, in the SQLite file.
    pub fn make_target(&self) {
        let connection = rusqlite::Connection::open_in_memory().expect("a connection");
        let path = self.target.display().to_string();
        connection.execute("ATTACH ?1 AS lehua", [path]).expect("a file");
        let ddl = include_str!("../../sql/target/lehua_sqlite.sql");
        connection.execute_batch(ddl).expect("the tables");
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.into(), value.into());
    }

    pub fn unprivileged(&mut self) {
        self.as_nobody = true;
    }

    /// Changes the pipeline file.
    pub fn edit(&self, from: &str, to: &str) {
        self.edit_file(self.pipeline, from, to);
    }

    fn edit_file(&self, name: &str, from: &str, to: &str) {
        let path = self.dir.path().join(format!("pipelines/{name}.toml"));
        let text = std::fs::read_to_string(&path).expect("the pipeline");
        assert!(text.contains(from), "{name} has no {from:?}");
        std::fs::write(&path, text.replace(from, to)).expect("written");
    }

    /// `dukou run PIPELINE --from … --to …`
    pub async fn history(&self) -> Ran {
        self.dukou("run", &HISTORY).await
    }

    /// Runs a command on the pipeline.
    pub async fn dukou(&self, command: &str, rest: &[&str]) -> Ran {
        let mut words = vec![command, self.pipeline];
        words.extend(rest);
        self.exec(&words).await
    }

    pub async fn exec(&self, words: &[&str]) -> Ran {
        let ran = self.just(words).await;
        if ran.code > 1 {
            assert!(ran.err.contains("error: "), "an error says what: {ran:?}");
            assert!(ran.err.contains("cure: ") || ran.err.contains("hint: "), "an error says how to cure: {ran:?}");
        }
        ran
    }

    /// A command line that is wrong: the parser of the command line has its own words for the cure.
    pub async fn typed(&self, command: &str, rest: &[&str]) -> Ran {
        let mut words = vec![command, self.pipeline];
        words.extend(rest);
        self.just(&words).await
    }

    async fn just(&self, words: &[&str]) -> Ran {
        let binary = env!("CARGO_BIN_EXE_dukou");
        let mut command = Command::new(if self.as_nobody { "setpriv" } else { binary });
        if self.as_nobody {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", binary]);
        }
        command.arg("--root").arg(self.dir.path()).arg("--data").arg(&self.data).args(words);
        command.env_clear().envs(&self.env).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let ran = tokio::task::spawn_blocking(move || to_its_end(command)).await.expect("a run");
        assert!(!ran.err.contains("panicked"), "{ran:?}");
        assert!([0, 1, 2, 3, 4].contains(&ran.code), "a bug, a signal or no end: {ran:?}");
        self.keeps_secrets(&ran);
        ran
    }

    /// No secret in what was said, none in what was written.
    fn keeps_secrets(&self, ran: &Ran) {
        let mut secrets = vec![APP_SECRET.to_lowercase(), APP_KEY.to_string()];
        let named = ["JACKYUN_APP_KEY", "JACKYUN_APP_SECRET", "JACKYUN_TOKEN"];
        secrets.extend(named.iter().filter_map(|name| self.env.get(*name)).map(|v| v.to_lowercase()));
        secrets.retain(|secret| secret.trim().len() > 3);
        let password = self.env.get("DUKOU_MYSQL_URL").and_then(|u| url::Url::parse(u).ok());
        secrets.extend(password.and_then(|u| u.password().map(str::to_lowercase)).filter(|p| p.len() > 3));
        for secret in &secrets {
            for said in [&ran.out, &ran.err] {
                assert!(!said.to_lowercase().contains(secret), "{secret} was said: {said}");
            }
        }
        each_file(&self.data, &mut |path| {
            let bytes = std::fs::read(path).unwrap_or_default().to_ascii_lowercase();
            for secret in &secrets {
                let there = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
                assert!(!there, "{secret} was written to {}", path.display());
            }
        });
    }

    /// Trades, lines, deliveries and the sum of `must_qty` in hundredths, as they stand in the SQLite file.
    pub fn delivered(&self) -> (u64, u64, u64, i64) {
        let connection = rusqlite::Connection::open(&self.target).expect("the target");
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0)).expect(sql);
        let mut quantities = connection.prepare("SELECT must_qty FROM sale_return_detail").expect("a statement");
        let texts = quantities.query_map([], |row| row.get::<_, String>(0)).expect("quantities");
        let sum = texts.map(|text| hundredths(&text.expect("a quantity"))).sum();
        let deliveries = match count("SELECT count(*) FROM sqlite_schema WHERE name = 'dukou_delivery'") {
            0 => 0,
            _ => count("SELECT count(*) FROM dukou_delivery"),
        };
        (count("SELECT count(*) FROM sale_return"), count("SELECT count(*) FROM sale_return_detail"), deliveries, sum)
    }

    /// Now that the cause is gone: the same command ends complete, with what the vendor knows to be true.
    pub async fn completes(&self, vendor: &Sandbox) {
        let ran = self.history().await;
        assert_eq!(ran.code, 0, "{ran:?}");
        self.agrees(vendor);
    }

    pub fn agrees(&self, vendor: &Sandbox) {
        let truth = vendor.truth();
        assert_eq!(self.delivered(), (truth.accepted, truth.accepted_lines, truth.accepted, truth.must_qty));
    }

    /// One number from the state store.
    pub fn state<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        let connection = rusqlite::Connection::open(self.data.join("state.db")).expect("the state store");
        connection.query_row(sql, [], |row| row.get(0)).expect(sql)
    }

    /// The staged files.
    pub fn staged_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        each_file(&self.data.join("staging"), &mut |path| files.push(path.to_path_buf()));
        files.sort();
        files
    }
}

impl Ran {
    /// Ended with this code, and said all of these words.
    #[track_caller]
    pub fn says(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(
                self.err.contains(word) || self.out.contains(word),
                "does not say {word:?}: {}\n{}",
                self.err,
                self.out
            );
        }
    }
}

/// `12.5` → 1250.
fn hundredths(text: &str) -> i64 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let part = format!("{part:0<2}");
    assert!(part[2..].bytes().all(|b| b == b'0'), "{text} is finer than hundredths");
    sign * (whole.parse::<i64>().expect("digits") * 100 + part[..2].parse::<i64>().expect("digits"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let (from, to) = {
            let e = entry.expect("an entry");
            (e.path(), to.join(e.file_name()))
        };
        if from.is_dir() { copy(&from, &to) } else { std::fs::copy(&from, &to).map(|_| ()).expect("a copy") }
    }
}

fn each_file(dir: &Path, take: &mut dyn FnMut(&Path)) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for path in entries.filter_map(|e| e.ok().map(|e| e.path())) {
        if path.is_dir() { each_file(&path, take) } else { take(&path) }
    }
}

fn to_its_end(mut command: Command) -> Ran {
    let (out, err) = (tempfile::tempfile().expect("a file"), tempfile::tempfile().expect("a file"));
    let (to_out, to_err) = (out.try_clone().expect("a handle"), err.try_clone().expect("a handle"));
    let mut child = command.stdin(Stdio::null()).stdout(to_out).stderr(to_err).spawn().expect("the binary");
    let (began, mut peak_kib) = (Instant::now(), 0);
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break Some(status);
        }
        if began.elapsed() > PATIENCE {
            child.kill().expect("a kill");
            child.wait().expect("an end");
            break None;
        }
        peak_kib = peak_kib.max(high_water(child.id()));
        std::thread::sleep(Duration::from_millis(5));
    };
    let text = |mut file: std::fs::File| {
        use std::io::{Read as _, Seek as _};
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("what it said");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ran { code: status.and_then(|s| s.code()).unwrap_or(-1), out: text(out), err: text(err), peak_kib }
}

/// Peak resident memory of a process, in KiB; 0 when it is gone or the system does not say.
fn high_water(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// What a lying vendor does with a call.
pub enum Lie {
    /// Nothing: the sandbox's answer goes through.
    Truth,
    /// These bytes are the whole answer, HTTP and all.
    Instead(String),
    /// The sandbox's answer with another body.
    Edited(fn(String) -> String),
}

/// Stands between dukou and the sandbox.
pub struct Liar {
    pub url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer with its head.
pub fn http(status: &str, kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// `lie` gets the number of the call, from 1.
pub async fn liar(vendor: &Sandbox, lie: impl Fn(u64) -> Lie + Send + Sync + 'static) -> Liar {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = vendor.url().replace(&vendor.address().to_string(), &listener.local_addr().expect("ours").to_string());
    let (address, lie, calls) = (vendor.address(), Arc::new(lie), Arc::new(AtomicU64::new(0)));
    let task = tokio::spawn(async move {
        let mut tasks = tokio::task::JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let (lie, calls) = (lie.clone(), calls.clone());
            tasks.spawn(async move {
                // A client that goes away in the middle is part of these tests.
                let _ = answer(client, address, &*lie, &calls).await;
            });
        }
    });
    Liar { url, task }
}

/// One request, one answer, end of the connection.
async fn answer(
    mut client: TcpStream,
    vendor: SocketAddr,
    lie: &(dyn Fn(u64) -> Lie + Send + Sync),
    calls: &AtomicU64,
) -> std::io::Result<()> {
    let (head, body) = message(&mut client).await?;
    let lie = lie(calls.fetch_add(1, Ordering::SeqCst) + 1);
    if let Lie::Instead(text) = lie {
        client.write_all(text.as_bytes()).await?;
        return client.shutdown().await;
    }
    let mut upstream = TcpStream::connect(vendor).await?;
    upstream.write_all(format!("{head}\r\n\r\n").as_bytes()).await?;
    upstream.write_all(&body).await?;
    let (head, body) = message(&mut upstream).await?;
    let body = match lie {
        Lie::Edited(edit) => edit(String::from_utf8(body).expect("text")).into_bytes(),
        _ => body,
    };
    let kept = head.split("\r\n").filter(|l| !l.to_ascii_lowercase().starts_with("content-length"));
    let head = kept.collect::<Vec<_>>().join("\r\n");
    client
        .write_all(format!("{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).as_bytes())
        .await?;
    client.write_all(&body).await?;
    client.shutdown().await
}

/// Head and body of one HTTP message with a Content-Length.
async fn message(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut got = Vec::new();
    loop {
        if let Some(end) = got.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&got[..end]).into_owned();
            let length = head
                .to_ascii_lowercase()
                .split("\r\n")
                .find_map(|l| l.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
            let total = end + 4 + length.unwrap_or(0);
            if got.len() >= total {
                return Ok((head, got[end + 4..total].to_vec()));
            }
        }
        if stream.read_buf(&mut got).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// A small file system in memory; gone when dropped.
pub struct Disk {
    pub path: PathBuf,
}

impl Disk {
    /// `None` where mounting is not allowed; that is said loudly.
    pub fn new(place: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(place).expect("a folder");
        let disk = Self { path: place.to_path_buf() };
        if mount(&["-t", "tmpfs", "-o", &format!("size={size},mode=0777"), "tmpfs"], place) {
            return Some(disk);
        }
        std::mem::forget(disk);
        // Allowed for root only, and not in every container; nothing of dukou depends on it.
        let _ = writeln!(std::io::stderr(), "SKIPPED: a test with a small disk (mounting is not allowed here)");
        None
    }

    pub fn resize(&self, size: &str) {
        assert!(mount(&["-o", &format!("remount,size={size}")], &self.path));
    }

    pub fn read_only(&self, yes: bool) {
        assert!(mount(&["-o", if yes { "remount,ro" } else { "remount,rw" }], &self.path));
    }

    /// Leaves about this much free, by a file of its own.
    pub fn leave(&self, bytes: u64) {
        let mut ballast = std::fs::File::create(self.path.join("ballast")).expect("a file");
        while ballast.write_all(&[7; 4096]).is_ok() {}
        let full = ballast.metadata().expect("a size").len();
        ballast.set_len(full.saturating_sub(bytes)).expect("a shorter file");
    }

    pub fn free(&self) {
        std::fs::remove_file(self.path.join("ballast")).expect("gone");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).stderr(Stdio::null()).status();
    }
}

fn mount(options: &[&str], place: &Path) -> bool {
    let status = Command::new("mount").args(options).arg(place).stderr(Stdio::null()).status();
    status.is_ok_and(|s| s.success())
}
