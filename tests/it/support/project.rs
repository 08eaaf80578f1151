//! A project folder with a sandbox, and the real binary started in it.

use dukou::sandbox::{
    APP_KEY, APP_SECRET, Config, JUSHUITAN_ACCESS_TOKEN, JUSHUITAN_APP_KEY, JUSHUITAN_APP_SECRET,
    JUSHUITAN_REFRESH_TOKEN, KingdeeConfig, Sandbox,
};
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No command of a test takes longer; one that does hangs.
const LIMIT: Duration = Duration::from_secs(150);

pub struct Project {
    folder: TempDir,
    pub sandbox: Sandbox,
    env: Vec<(&'static str, String)>,
}

/// Thirty days of trades, bad ones among them, as fast as they are asked for.
pub fn month(trades: u32) -> Config {
    Config { trades, bad: true, calls_per_second: None, ..Config::default() }
}

/// All days of [`month`].
pub const MONTH: [&str; 4] = ["--from", "2024-06-01", "--to", "2024-07-01"];

impl Project {
    pub async fn new(config: Config) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::create_dir(folder.path().join("pipelines")).expect("a folder");
        std::os::unix::fs::symlink(shipped.join("sql"), folder.path().join("sql")).expect("a link");
        let address = "127.0.0.1:0".parse().expect("an address");
        let sandbox = Sandbox::start(config, address).await.expect("a sandbox");
        let erp = KingdeeConfig::default();
        let env = vec![
            ("JACKYUN_URL", sandbox.url()),
            ("JACKYUN_APP_KEY", APP_KEY.into()),
            ("JACKYUN_APP_SECRET", APP_SECRET.into()),
            ("JST_URL", sandbox.jushuitan_url()),
            ("JST_APP_KEY", JUSHUITAN_APP_KEY.into()),
            ("JST_APP_SECRET", JUSHUITAN_APP_SECRET.into()),
            ("JST_ACCESS_TOKEN", JUSHUITAN_ACCESS_TOKEN.into()),
            ("JST_REFRESH_TOKEN", JUSHUITAN_REFRESH_TOKEN.into()),
            ("KINGDEE_URL", sandbox.kingdee_url()),
            ("KINGDEE_ACCT_ID", erp.acct_id),
            ("KINGDEE_USERNAME", erp.username),
            ("KINGDEE_APP_ID", erp.app_id),
            ("KINGDEE_APP_SECRET", erp.app_secret),
        ];
        Self { folder, sandbox, env }
    }

    /// Copies a shipped pipeline under a name, its rate raised for the sandbox, with replacements that must be needed.
    pub fn pipeline(&self, shipped: &str, name: &str, changes: &[(&str, &str)]) {
        self.copy(shipped, name, changes.iter().chain([&("calls_per_second = 1 ", "calls_per_second = 10000 ")]));
    }

    /// The returns' pipeline, at the sandbox's pace: a lost request is dead after a moment.
    pub fn returns(&self, changes: &[(&str, &str)]) {
        let pace = [
            ("calls_per_second = 5 ", "calls_per_second = 10000 "),
            ("calls_per_minute = 100 ", "calls_per_minute = 100000 "),
            ("[sink.options]", "in_doubt_wait = \"200ms\"\n[sink.options]"),
        ];
        self.copy("jushuitan_returns_to_kingdee", "returns", changes.iter().chain(&pace));
    }

    fn copy<'a>(&self, shipped: &str, name: &str, changes: impl Iterator<Item = &'a (&'a str, &'a str)>) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("pipelines/{shipped}.toml"));
        let mut text = std::fs::read_to_string(from).expect("a shipped pipeline");
        for (old, new) in changes {
            assert!(text.contains(old), "{shipped} has no {old:?}");
            text = text.replace(old, new);
        }
        std::fs::write(self.path(&format!("pipelines/{name}.toml")), text).expect("a pipeline");
    }

    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.env.retain(|(known, _)| *known != name);
        self.env.push((name, value.into()));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the binary on the workspace `data`.
    pub fn start(&self, data: &str, words: &[&str]) -> Running {
        let (out, err) = (tempfile::tempfile().expect("a file"), tempfile::tempfile().expect("a file"));
        let piped = |file: &File| Stdio::from(file.try_clone().expect("a second handle"));
        let child = Command::new(env!("CARGO_BIN_EXE_dukou"))
            .arg("--root")
            .arg(self.folder.path())
            .arg("--data")
            .arg(self.path(data))
            .args(words)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(piped(&out))
            .stderr(piped(&err))
            .spawn()
            .expect("the binary");
        Running { child, out, err, began: Instant::now() }
    }

    /// Runs the binary to its end.
    pub async fn run(&self, data: &str, words: &[&str]) -> Ended {
        self.start(data, words).wait().await
    }
}

/// A started binary; killed when dropped.
pub struct Running {
    child: Child,
    out: File,
    err: File,
    began: Instant,
}

impl Running {
    pub fn is_running(&mut self) -> bool {
        assert!(self.began.elapsed() < LIMIT, "the command hangs; it said: {}", text(&mut self.err));
        self.child.try_wait().expect("a state").is_none()
    }

    pub async fn wait(mut self) -> Ended {
        while self.is_running() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.collect()
    }

    /// What Ctrl-C does.
    pub fn interrupt(&self) {
        let sent = Command::new("kill").arg("-INT").arg(self.child.id().to_string()).status().expect("kill");
        assert!(sent.success());
    }

    /// What `kill -9` does. False when the command had ended by itself.
    pub fn kill(mut self) -> bool {
        let running = self.is_running();
        self.child.kill().expect("killed");
        self.child.wait().expect("an end");
        running
    }

    fn collect(mut self) -> Ended {
        let code = self.child.wait().expect("an end").code();
        Ended { code, out: text(&mut self.out), err: text(&mut self.err), took: self.began.elapsed() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing to be done where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(file: &mut File) -> String {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).expect("text");
    text
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// `None`: killed.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

impl Ended {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// The report of a `--json` command.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.out, self.err))
    }
}
