//! What goes on while a run works: a bar on a terminal, plain lines elsewhere, nothing with `--quiet`.

use crate::cli::render;
use crate::run::{Event, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Plain lines come at most this often.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Shows progress on stderr.
pub struct Screen {
    bar: Option<ProgressBar>,
    quiet: bool,
    verbose: bool,
    seen: Mutex<Seen>,
}

/// What was told so far.
struct Seen {
    slice: String,
    records: u64,
    bytes: u64,
    scope: u64,
    last_line: Option<Instant>,
}

impl Screen {
    pub fn new(quiet: bool, verbose: bool) -> Self {
        let on_terminal = std::io::stderr().is_terminal() && !quiet;
        let bar = on_terminal.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            bar.set_style(spinner());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let seen = Seen { slice: String::new(), records: 0, bytes: 0, scope: 0, last_line: None };
        Self { bar, quiet, verbose, seen: Mutex::new(seen) }
    }

    /// Takes the bar away, so that the report stands alone.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => render::note(text),
        }
    }

    fn show(&self, seen: &mut Seen, text: String) {
        if self.quiet {
            return;
        }
        if let Some(bar) = &self.bar {
            bar.set_message(text);
        } else if seen.last_line.is_none_or(|at| at.elapsed() >= LINE_EVERY) {
            seen.last_line = Some(Instant::now());
            render::note(&text);
        }
    }
}

/// A spinner, until it is known how much there is to do.
fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn counted() -> ProgressStyle {
    ProgressStyle::with_template("{elapsed_precise} [{bar:30}] {percent:>3}% {msg} (ends in {eta})")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Progress for Screen {
    fn hear(&self, event: Event) {
        let mut guard = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = &mut *guard;
        match event {
            Event::Note(text) if !self.quiet => self.say(&format!("note: {text}")),
            Event::Note(_) => {}
            Event::Slice { number, of, label } => {
                if let Some(bar) = &self.bar {
                    if bar.length() != Some(of as u64) {
                        bar.set_style(counted());
                        bar.set_length(of as u64);
                        bar.reset_eta();
                    }
                    bar.set_position((number - 1) as u64);
                }
                seen.slice = format!("slice {number}/{of} {label}");
                if self.verbose {
                    self.say(&seen.slice);
                }
            }
            Event::Page { records, bytes } => {
                seen.records += records as u64;
                seen.bytes += bytes as u64;
                let fetched = format!("{} records, {}", render::human(seen.records), render::bytes(seen.bytes));
                let text = format!("staging: {}, {fetched}", seen.slice);
                self.show(seen, text);
            }
            Event::Retry { wait, why } if !self.quiet => {
                self.say(&format!("waiting {:.1} s: {why}", wait.as_secs_f32()))
            }
            Event::Retry { .. } => {}
            Event::Sealed { staged, duplicates } if self.verbose => {
                self.say(&format!("  sealed: {staged} rows, {duplicates} duplicates dropped"));
            }
            Event::Sealed { .. } => {}
            Event::Scope { rows } => {
                seen.scope = rows;
                seen.last_line = None;
                if let Some(bar) = &self.bar {
                    bar.set_style(counted());
                    bar.set_length(rows);
                    bar.set_position(0);
                    bar.reset_eta();
                }
            }
            Event::Delivered { rows, documents, accepted, attention } => {
                if let Some(bar) = &self.bar {
                    bar.set_position(rows);
                }
                let text = format!(
                    "delivering: {} of {}, {} accepted, {} need a look",
                    render::count(documents, "document"),
                    render::count(seen.scope, "row"),
                    render::human(accepted),
                    render::human(attention)
                );
                self.show(seen, text);
            }
        }
    }
}
