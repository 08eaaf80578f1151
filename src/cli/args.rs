//! What was typed: every command with its options, and the help texts.
//!
//! Takes the command line, gives [`Args`]; a usage error ends the process with code 2 (clap does). Nothing here reads a file or
//! knows what a command does: what was written is turned into what is meant by the commands themselves.

use crate::base::clock::{Wall, parse_wall};
use crate::config::secret::Secret;
use clap::{ArgAction, Args as Options, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// A ferry for business records.
#[derive(Debug, Parser)]
#[command(
    name = "dukou",
    version,
    about = "Pages of a vendor's API become Parquet, SQL makes documents of them, each is delivered exactly once",
    after_help = "First time here? dukou demo\n\n\
        Exit codes: 0 done; 1 done, but something needs a look; 2 usage or configuration; 3 the other side is unavailable, \
        try later; 4 a person is needed; 70 our bug.",
    max_term_width = 110,
    disable_help_subcommand = true
)]
pub struct Args {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Options)]
pub struct Global {
    /// Folder with pipelines/ and sql/ [default: the nearest one upward that has pipelines/]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub root: Option<PathBuf>,
    /// Workspace: state, staged Parquet, exchange records [default: ROOT/data]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub data: Option<PathBuf>,
    /// Write the result as JSON to stdout
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// Say only what needs a look
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Everywhere")]
    pub quiet: bool,
    /// Say more; twice: every request
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show both flows on made-up records: start the sandbox, fetch, map, deliver
    #[command(
        after_help = "Example: dukou demo\nThe same again delivers nothing twice. No vendor variable of the shell is used."
    )]
    Demo(Demo),
    /// Play 吉客云, 聚水潭 and 金蝶: answer as they do, on this machine only
    #[command(after_help = "Examples: dukou sandbox --trades 2000 --fault http-502@every:20\n          \
        dukou sandbox --fault kingdee:lost-reply@every:3 --fault jushuitan:own=expire-token@4\n\
        What the ERP can do besides (kingdee:own=WORD@WHEN, counted in saves): lost-session=K, no-session, end-sessions, \
        response-error, response-error-after, firewall, ctx-null, edit-lock, drop-line, unlisted, not-audited, \
        lost-before-audit, audit-refused. Jushuitan: expire-token, revoke-tokens, minute-limit.\n\
        What it holds: GET /sandbox/kingdee/truth, /sandbox/kingdee/document/NUMBER, /sandbox/jushuitan/truth.\n\
        Stop it with Ctrl-C.")]
    Sandbox(Sandbox),
    /// Say what is wrong with pipelines, mappings and statements; nothing is fetched or sent
    #[command(after_help = "Example: dukou check jackyun_trades_to_mysql --online")]
    Check(Check),
    /// Fetch pages into Parquet; nothing is mapped or sent
    #[command(
        after_help = "Examples: dukou stage jackyun_trades_to_mysql --from 2024-06-01 --to 2024-07-01\n          \
        dukou stage jackyun_trades_to_mysql --set tradeNo=JY202406050002"
    )]
    Stage(Stage),
    /// Show the documents a delivery would send; nothing is sent, no mark is moved
    #[command(after_help = "Example: dukou preview jackyun_trades_to_mysql --limit 3")]
    Preview(Preview),
    /// Map what is staged and send it; nothing is fetched
    #[command(
        after_help = "Example: dukou deliver jackyun_trades_to_mysql --limit 10\nA canary first, then the same without --limit."
    )]
    Deliver(Deliver),
    /// Fetch, map, deliver
    #[command(after_help = "Examples: dukou run jackyun_trades_to_mysql\n          \
        dukou run jackyun_trades_to_mysql --from 2021-01-01 --to 2024-01-01\n\
        Interrupted? The same command goes on where it stopped.")]
    Run(Run),
    /// Show what is fetched, what is delivered, and what needs a look
    #[command(after_help = "Example: dukou status jackyun_trades_to_mysql")]
    Status(Status),
    /// Show what did not arrive, by cause, with the target's own words
    #[command(after_help = "Example: dukou rejected jackyun_trades_to_mysql")]
    Rejected(Rejected),
    /// Tell the story of one document: where it comes from, what the target said
    #[command(after_help = "Example: dukou trace JY202406050002")]
    Trace(Trace),
    /// Ask the staged tables, in SQL
    #[command(after_help = "Example: dukou sql \"SELECT shopName, count(*) FROM trade GROUP BY 1\"")]
    Sql(Sql),
    /// Print the completion script of a shell
    #[command(after_help = "Example: dukou completions bash > ~/.local/share/bash-completion/completions/dukou")]
    Completions {
        /// Which shell
        shell: Shell,
    },
}

#[derive(Debug, Options)]
pub struct Demo {
    /// Deliver to this MySQL or MariaDB server, into a database the demo creates [default: an SQLite file]
    #[arg(long, value_name = "URL", value_parser = mysql_url)]
    pub mysql: Option<Secret>,
    /// How many trades to make up
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub trades: u32,
    /// How many returns to make up
    #[arg(long, value_name = "N", default_value_t = 2_100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub returns: u32,
}

#[derive(Debug, Options)]
pub struct Sandbox {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 8088)]
    pub port: u16,
    /// How many trades there are
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub trades: u32,
    /// How many returns there are
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub returns: u32,
    /// File that keeps the ERP's documents beyond this process
    #[arg(long, value_name = "FILE")]
    pub keep: Option<PathBuf>,
    /// Over how many days they are spread
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_660))]
    pub days: u32,
    /// The same seed gives the same records
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Calls a second before it throttles, as the vendor does
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = rate, conflicts_with = "unlimited")]
    pub calls_per_second: f64,
    /// Never throttle
    #[arg(long)]
    pub unlimited: bool,
    /// Render all pages for this pipeline's request beforehand, to measure speed
    #[arg(long, value_name = "PIPELINE")]
    pub fast: Option<String>,
    /// No bad records among them
    #[arg(long)]
    pub clean: bool,
    /// Misbehave: [VENDOR:]NAME@WHEN, as throttle@5 or kingdee:lost-reply@every:3 (may be given several times)
    #[arg(long = "fault", value_name = "SPEC")]
    pub faults: Vec<String>,
}

#[derive(Debug, Options)]
pub struct Check {
    /// Which ones [default: all]
    #[arg(value_name = "PIPELINE")]
    pub pipelines: Vec<String>,
    /// Reach both ends too: credentials, tables, columns
    #[arg(long)]
    pub online: bool,
}

/// A stretch of the vendor's time.
#[derive(Debug, Clone, Options)]
pub struct Range {
    /// Begin, on the vendor's clock: 2024-06-05 or '2024-06-05 11:26:00'
    #[arg(long, value_name = "TIME", value_parser = wall_time)]
    pub from: Option<Wall>,
    /// End, on the vendor's clock
    #[arg(long, value_name = "TIME", value_parser = wall_time)]
    pub to: Option<Wall>,
}

#[derive(Debug, Options)]
pub struct Stage {
    /// Which one
    pub pipeline: String,
    #[command(flatten)]
    pub range: Range,
    /// Fetch exactly what this request parameter names; moves no mark (may be given several times)
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment, conflicts_with_all = ["from", "to"])]
    pub set: Vec<(String, String)>,
}

#[derive(Debug, Options)]
pub struct Preview {
    /// Which one
    pub pipeline: String,
    /// At most so many documents
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// Only the document with this key
    #[arg(long, value_name = "KEY", conflicts_with = "limit")]
    pub key: Option<String>,
}

#[derive(Debug, Options)]
pub struct Deliver {
    /// Which one
    pub pipeline: String,
    /// Send at most so many documents
    #[arg(long, value_name = "N", group = "choice", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Send only the document with this key
    #[arg(long, value_name = "KEY", group = "choice")]
    pub key: Option<String>,
    /// Decide about every document and report; send nothing
    #[arg(long, group = "choice")]
    pub dry_run: bool,
    /// Map again what was delivered before: after a change of the mapping or a look-up
    #[arg(long, group = "choice")]
    pub remap: bool,
    #[command(flatten)]
    pub range: Range,
}

#[derive(Debug, Options)]
pub struct Run {
    /// Which one
    pub pipeline: String,
    #[command(flatten)]
    pub range: Range,
}

#[derive(Debug, Options)]
pub struct Status {
    /// Which one [default: all]
    pub pipeline: Option<String>,
}

#[derive(Debug, Options)]
pub struct Rejected {
    /// Of which pipeline [default: all]
    pub pipeline: Option<String>,
}

#[derive(Debug, Options)]
pub struct Trace {
    /// The document's key, as JY202406050002
    pub key: String,
    /// Look at this pipeline only
    #[arg(long, value_name = "PIPELINE")]
    pub pipeline: Option<String>,
}

#[derive(Debug, Options)]
pub struct Sql {
    /// One SELECT
    pub query: String,
}

/// The URL may hold a password, so it is kept where nothing prints it.
fn mysql_url(text: &str) -> Result<Secret, String> {
    match text.starts_with("mysql://") {
        true => Ok(Secret::new(text)),
        false => Err("write mysql://user:password@host:3306".to_owned()),
    }
}

fn wall_time(text: &str) -> Result<Wall, String> {
    parse_wall(text).ok_or_else(|| "write 2024-06-05 or '2024-06-05 11:26:00' (Asia/Shanghai)".to_owned())
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, as tradeNo=JY202406050002".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    number.filter(|n| (0.001..=1e6).contains(n)).ok_or_else(|| "a number from 0.001 to 1000000".to_owned())
}

impl Range {
    /// Both ends in order, one end, or none; `Err` says what is wrong.
    pub fn checked(&self) -> crate::base::Result<(Option<Wall>, Option<Wall>)> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from >= to => {
                Err(crate::base::Error::usage(format!("--from {from} is not before --to {to}"))
                    .hint("--to is where the stretch ends; a date alone means midnight at its beginning"))
            }
            (None, Some(_)) => {
                Err(crate::base::Error::usage("--to without --from").hint("say where the stretch begins too"))
            }
            ends => Ok(ends),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        let words = line.split(' ').map(|word| word.replace('_', " "));
        Args::try_parse_from(std::iter::once("dukou".to_owned()).chain(words))
    }

    #[test]
    fn the_definition_is_consistent_and_every_command_has_an_example() {
        let mut command = Args::command();
        command.build();
        command.clone().debug_assert();
        for sub in command.get_subcommands() {
            let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("dukou {}", sub.get_name())), "{} has no example", sub.get_name());
            assert!(sub.get_about().is_some_and(|about| about.to_string().len() < 90), "{}", sub.get_name());
        }
    }

    #[test]
    fn command_lines_mean_what_they_say() {
        let stage = parse("--json stage trades --from 2024-06-05 --to 2024-06-06_01:02:03 --data d").expect("valid");
        assert!(stage.global.json && stage.global.data == Some(PathBuf::from("d")));
        let Command::Stage(stage) = stage.command else { panic!("stage") };
        assert_eq!(stage.range.from, parse_wall("2024-06-05 00:00:00"));
        assert_eq!(stage.range.to, parse_wall("2024-06-06 01:02:03"));
        let adhoc = parse("stage trades --set tradeNo=A,B --set shopIds=1=2 -vv").expect("valid");
        assert_eq!(adhoc.global.verbose, 2);
        let Command::Stage(adhoc) = adhoc.command else { panic!("stage") };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(adhoc.set, [pair("tradeNo", "A,B"), pair("shopIds", "1=2")]);
        let Command::Sandbox(sandbox) = parse("sandbox --unlimited --fault a --fault b").expect("valid").command else {
            panic!("sandbox")
        };
        assert_eq!((sandbox.unlimited, sandbox.faults.len(), sandbox.port), (true, 2, 8088));
        let demo = parse("demo --mysql mysql://u:s3cret@h").expect("valid");
        assert!(!format!("{demo:?}").contains("s3cret"), "a password is not printed by accident");
        let Command::Preview(preview) = parse("preview p --key K").expect("valid").command else { panic!("preview") };
        assert_eq!((preview.key.as_deref(), preview.limit), (Some("K"), 10));
    }

    #[test]
    fn wrong_command_lines_are_usage_errors() {
        let table = [
            ("ship p", ErrorKind::InvalidSubcommand),
            ("stage", ErrorKind::MissingRequiredArgument),
            ("stage p --from 5.6.2024", ErrorKind::ValueValidation),
            ("stage p --set tradeNo", ErrorKind::ValueValidation),
            ("stage p --set =x", ErrorKind::ValueValidation),
            ("stage p --set tradeNo=A --from 2024-06-05", ErrorKind::ArgumentConflict),
            ("deliver p --limit 1 --key K", ErrorKind::ArgumentConflict),
            ("deliver p --dry-run --remap", ErrorKind::ArgumentConflict),
            ("deliver p --limit 0", ErrorKind::ValueValidation),
            ("demo --trades 0", ErrorKind::ValueValidation),
            ("sandbox --calls-per-second 0", ErrorKind::ValueValidation),
            ("sandbox --calls-per-second 2 --unlimited", ErrorKind::ArgumentConflict),
            ("status -q -v", ErrorKind::ArgumentConflict),
            ("completions tcsh", ErrorKind::InvalidValue),
        ];
        for (line, kind) in table {
            let error = parse(line).expect_err(line);
            assert_eq!((error.kind(), error.exit_code()), (kind, 2), "{line}");
        }
        let Ok(Args { command: Command::Run(run), .. }) = parse("run p --from 2024-06-05 --to 2024-06-05") else {
            panic!("run")
        };
        assert!(run.range.checked().is_err(), "an empty stretch");
    }
}
