//! The house rules as a test: who may know whom, which file may open which big dependency, how long a file may be.
//!
//! Reads the sources as text. Every rule is first held against a planted violation: a check that cannot fail is no check.

use std::fs;
use std::path::{Path, PathBuf};

/// Layer → the layers it may name, besides itself.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("config", &["base"]),
    ("net", &["base", "config"]),
    ("state", &["base"]),
    ("exchange", &["base"]),
    ("source", &["base", "config", "net", "state"]),
    ("staging", &["base", "config", "state"]),
    ("mapping", &["base", "config", "state"]),
    ("sink", &["base", "config", "net", "state", "exchange"]),
    ("run", &["base", "config", "net", "state", "exchange", "source", "staging", "mapping", "sink"]),
    ("audit", &["base", "config", "net", "state", "exchange", "source", "staging", "mapping", "sink", "run"]),
    (
        "cli",
        &[
            "base", "config", "net", "state", "exchange", "source", "staging", "mapping", "sink", "run", "audit",
            "sandbox",
        ],
    ),
    ("sandbox", &[]),
];

/// Dependency → the places that may name it (path prefixes below `src/`).
const DOORS: &[(&str, &[&str])] = &[
    ("reqwest", &["net/client.rs"]),
    ("datafusion", &["staging/", "mapping/", "audit/"]),
    ("parquet", &["staging/", "mapping/", "audit/", "exchange/"]),
    ("mysql_async", &["sink/mysql.rs", "sink/mysql/"]),
    ("rusqlite", &["state/", "sink/sqlite.rs", "sink/sqlite/"]),
    ("clap", &["cli/", "main.rs"]),
    ("axum", &["sandbox/"]),
];

const MAX_LINES: usize = 500;

/// Violations of one file, given its path below `src/` and its text.
fn violations(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or(line)).collect();
    let own = path.split(['/', '.']).next().unwrap_or(path);
    if let Some((_, allowed)) = MAY_KNOW.iter().find(|(layer, _)| *layer == own) {
        for (number, line) in code.iter().enumerate() {
            for rest in line.split("crate::").skip(1) {
                let names = rest.trim_start_matches('{');
                let named = names.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("");
                let is_layer = MAY_KNOW.iter().any(|(layer, _)| *layer == named);
                if is_layer && named != own && !allowed.contains(&named) {
                    found.push(format!("{path}:{}: {own} must not know {named}", number + 1));
                }
            }
        }
    }
    for (dependency, doors) in DOORS {
        let opens =
            |line: &&str| line.contains(&format!("{dependency}::")) || line.contains(&format!("use {dependency};"));
        if !doors.iter().any(|door| path.starts_with(door))
            && let Some(number) = code.iter().position(opens)
        {
            found.push(format!("{path}:{}: {dependency} has other doors: {}", number + 1, doors.join(", ")));
        }
    }
    if !text.starts_with("//!") {
        found.push(format!("{path}:1: a file begins with //! that says what it takes, gives and never does"));
    }
    if text.lines().count() > MAX_LINES {
        found
            .push(format!("{path}: {} lines; at most {MAX_LINES}: it has more than one subject", text.lines().count()));
    }
    found
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_rule_catches_its_planted_violation() {
    let planted = [
        ("source/x.rs", "//! x\nuse crate::sink::Sink;", "source must not know sink"),
        ("base/x.rs", "//! x\nfn f() { crate::state::go() }", "base must not know state"),
        ("sandbox/x.rs", "//! x\nuse crate::base::Error;", "sandbox must not know base"),
        ("run/x.rs", "//! x\nuse reqwest::Client;", "reqwest has other doors"),
        ("cli/x.rs", "//! x\nuse datafusion::prelude::*;", "datafusion has other doors"),
        ("run/x.rs", "fn f() {}", "begins with //!"),
        ("run/x.rs", &format!("//! x\n{}", "\n".repeat(600)), "more than one subject"),
    ];
    for (path, text, expected) in planted {
        let found = violations(path, text);
        assert!(found.iter().any(|v| v.contains(expected)), "{expected:?} not found in {found:?}");
    }
    assert!(violations("cli/x.rs", "//! x\nuse crate::run::Plan; // reqwest::x in a comment").is_empty());
}

#[test]
fn the_house_keeps_its_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 30, "only {} sources found", files.len());
    let found: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(&root).expect("sources are text below src").to_string_lossy().into_owned();
            violations(&path, &fs::read_to_string(file).expect("sources are text below src"))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn there_is_one_arrow_in_the_lock_file() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"))
        .expect("sources are text below src");
    for name in ["arrow-array", "arrow-schema", "parquet", "datafusion"] {
        assert_eq!(lock.matches(&format!("name = \"{name}\"\n")).count(), 1, "{name} must stand once in Cargo.lock");
    }
}
