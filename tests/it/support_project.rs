//! A project folder of its own for one test: the shipped pipelines and SQL, to be edited, and the real binary run in it.
//!
//! Takes edits and command lines, gives screens (exit code, stdout, stderr) and what stands in the workspace and the target.

use dukou::sandbox::{APP_KEY, APP_SECRET, Config, Sandbox};
use rusqlite::{Connection, OptionalExtension as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where the shipped pipelines and SQL lie.
const SHIPPED: &str = env!("CARGO_MANIFEST_DIR");

/// The sandbox's days of these tests, as `run` and `stage` are asked for them.
pub const DAYS: [&str; 4] = ["--from", "2024-06-01", "--to", "2024-06-03"];

pub struct Project {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Project {
    /// A copy of the shipped project; its pipelines ask without the vendor's limit of one call a second.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        for folder in ["pipelines", "sql"] {
            copy(&Path::new(SHIPPED).join(folder), &dir.path().join(folder));
        }
        let project = Self { dir, env: Vec::new() };
        for name in ["jackyun_trades_to_sqlite", "jackyun_trades_to_file"] {
            project.edit(&format!("pipelines/{name}.toml"), "calls_per_second = 1 ", "calls_per_second = 1000 ");
        }
        project
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        std::fs::write(path, text).expect("written");
    }

    /// Replaces a piece of a file that must be there.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "{file} does not contain {from}");
        self.write(file, &text.replacen(from, to, 1));
    }

    /// A pipeline `name` like another one, with a mapping of its own.
    pub fn own(&self, name: &str, like: &str, mapping: &str) {
        let file = format!("mapping/{name}.sql");
        let text = self.read(&format!("pipelines/{like}.toml"));
        self.write(&format!("pipelines/{name}.toml"), &text.replace("mapping/jackyun_trades_to_mysql.sql", &file));
        self.write(&format!("sql/{file}"), mapping);
    }

    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.into(), value.into()));
    }

    /// Points the source at a sandbox.
    pub fn use_sandbox(&mut self, sandbox: &Sandbox) {
        self.set("JACKYUN_URL", sandbox.url());
        self.set("JACKYUN_APP_KEY", APP_KEY);
        self.set("JACKYUN_APP_SECRET", APP_SECRET);
    }

    /// Makes an SQLite target with the shipped tables and points the sink at it.
    pub fn use_target(&mut self, name: &str) -> PathBuf {
        let path = self.path(name);
        dukou::sink::sqlite::execute_ddl(&path, "lehua", &self.read("sql/target/lehua_sqlite.sql"))
            .expect("the tables");
        self.set("DUKOU_SQLITE_PATH", path.display().to_string());
        path
    }

    /// Runs `dukou` in the project, with no variable of the outer shell.
    pub fn dukou(&self, line: &[&str]) -> Screen {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dukou"));
        command.args(line).current_dir(self.dir.path()).env_clear().envs(self.env.iter().cloned());
        Screen::of(&command.output().expect("dukou starts"), self.dir.path())
    }

    /// The same through a shell that says how much processor time it took, in seconds.
    pub fn timed(&self, line: &str) -> (Screen, f64) {
        let script = format!("'{}' {line}; code=$?; times >&2; exit $code", env!("CARGO_BIN_EXE_dukou"));
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(self.dir.path()).env_clear().envs(self.env.iter().cloned());
        let mut screen = Screen::of(&command.output().expect("a shell"), self.dir.path());
        let mut lines: Vec<&str> = screen.stderr.lines().collect();
        // The last line is that of the shell's children: user and system time, as 0m0.050s.
        let seconds = lines.pop().unwrap_or_default().split_whitespace().map(|t| {
            let (minutes, rest) = t.trim_end_matches('s').split_once('m').expect("minutes");
            minutes.parse::<f64>().expect("minutes") * 60.0 + rest.parse::<f64>().expect("seconds")
        });
        let seconds = seconds.sum();
        lines.pop();
        screen.stderr = lines.join("\n");
        (screen, seconds)
    }

    /// One number of the workspace's state.
    pub fn state(&self, sql: &str) -> i64 {
        number(&self.path("data/state.db"), sql)
    }
}

/// One number of an SQLite file.
pub fn number(file: &Path, sql: &str) -> i64 {
    let db = Connection::open(file).expect("the file");
    db.query_row(sql, [], |row| row.get(0)).optional().expect(sql).unwrap_or_default()
}

/// What a command left on the screen.
pub struct Screen {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Screen {
    fn of(output: &Output, root: &Path) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&root.display().to_string(), "ROOT");
        Self { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// All three in one, for snapshots.
    pub fn whole(&self) -> String {
        let (out, err) = (self.stdout.trim_end(), self.stderr.trim_end());
        format!("exit code {}\n----- stdout\n{out}\n----- stderr\n{err}", self.code)
    }

    /// The whole, after it was seen to end as expected.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.whole());
        self
    }

    /// The count that stands after a label of the report; 0 if the label is not there.
    pub fn count(&self, label: &str) -> u64 {
        let line = self.stdout.lines().find_map(|l| l.trim_start().strip_prefix(label)?.strip_prefix(' '));
        let digits = line.map(|l| l.split_whitespace().next().unwrap_or_default().replace(',', ""));
        digits.map_or(0, |d| d.parse().unwrap_or_else(|_| panic!("{label}: {d} in {}", self.stdout)))
    }
}

/// A sandbox without limits that spreads its trades over [`DAYS`].
pub async fn sandbox(trades: u32, bad: bool) -> Sandbox {
    let config = Config { trades, days: 2, bad, calls_per_second: None, ..Config::default() };
    Sandbox::start(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.expect("the sandbox")
}

/// Times, sizes, ports: what differs from run to run.
pub fn filters() -> Vec<(&'static str, &'static str)> {
    vec![
        (r"· \d+\.\d s", "· [time]"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
        (r"[\d.]+ [kMG]?B of Parquet", "[size] of Parquet"),
        (r"[\d.]+ (kB|MB|GB|bytes)", "[size]"),
        // How often they come is a matter of time.
        (r"(?m)\n?^(staging|delivering): .*$", ""),
    ]
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy(&path, &target),
            false => drop(std::fs::copy(&path, &target).expect("copied")),
        }
    }
}
