//! The one error type: whose fault it is ([`Kind`]), what to do next ([`Advice`]), what happened, where, and the cure.
//!
//! Takes messages, gives an exit code. It never carries a secret: callers put names of settings in it, not their values.
//! A bad record or a bad document is not an error: it is data with a [`Reason`](crate::base::record::Reason).

use std::fmt;
use std::time::Duration;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whose fault an error is; it decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line is wrong (exit code 2).
    Usage,
    /// A pipeline file, DDL, mapping, statement or setting is wrong (exit code 2).
    Config,
    /// The other side cannot be reached or asks us to wait (exit code 3).
    Unavailable,
    /// The other side refuses us: credentials, subscription, permission, quota (exit code 4: a person is needed).
    Denied,
    /// The other side answered something we must not interpret (exit code 4).
    Protocol,
    /// Something stands in the target that dukou must not touch (exit code 4).
    Conflict,
    /// This machine: disk full, folder read-only, workspace held by another process (exit code 4).
    Local,
    /// The user stopped the run; everything in flight was settled (exit code 1).
    Stopped,
    /// Our own invariant does not hold (exit code 70).
    Bug,
}

/// What the caller may do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Trying again gives the same error.
    Never,
    /// Nothing has happened on the other side; try again.
    Retry,
    /// Nothing has happened on the other side; try again after this long.
    After(Duration),
    /// Something may have happened on the other side: ask (`find`) before sending again.
    AskFirst,
}

/// An error that says what, where and how to cure.
#[derive(Debug, Clone)]
pub struct Error {
    kind: Kind,
    advice: Advice,
    message: String,
    context: Vec<String>,
    hint: Option<String>,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let advice = match kind {
            Kind::Unavailable => Advice::Retry,
            _ => Advice::Never,
        };
        Self { kind, advice, message: message.into(), context: Vec::new(), hint: None }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Kind::Config, message)
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, message)
    }

    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(Kind::Denied, message)
    }

    pub fn protocol(message: impl Into<String>) -> Self {
        Self::new(Kind::Protocol, message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    pub fn local(message: impl Into<String>) -> Self {
        Self::new(Kind::Local, message)
    }

    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Kind::Bug, message)
    }

    /// An I/O error on this machine, with the path it is about and a cure for the usual causes.
    pub fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        let hint = match error.kind() {
            std::io::ErrorKind::StorageFull => "free some disk space, then run the same command again",
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                "make the folder writable for this user, or name another one with --data"
            }
            std::io::ErrorKind::NotFound => "check the path",
            _ => "nothing was committed for this step; the same command resumes once the cause is gone",
        };
        Self::local(format!("{}: {error}", path.display())).hint(hint)
    }

    /// Adds where it happened; the outermost context is printed first.
    #[must_use]
    pub fn context(mut self, place: impl Into<String>) -> Self {
        self.context.push(place.into());
        self
    }

    /// Names the cure.
    #[must_use]
    pub fn hint(mut self, cure: impl Into<String>) -> Self {
        self.hint = Some(cure.into());
        self
    }

    #[must_use]
    pub fn advise(mut self, advice: Advice) -> Self {
        self.advice = advice;
        self
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn advice(&self) -> Advice {
        self.advice
    }

    /// What happened, without context and hint.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn cure(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The exit code of the process when this error ends it.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Stopped => 1,
            Kind::Usage | Kind::Config => 2,
            Kind::Unavailable => 3,
            Kind::Denied | Kind::Protocol | Kind::Conflict | Kind::Local => 4,
            Kind::Bug => 70,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in self.context.iter().rev() {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_reads_from_the_outside_in() {
        let error = Error::config("no column tradeno").context("line 3").context("sql/mapping/a.sql");
        assert_eq!(error.to_string(), "sql/mapping/a.sql: line 3: no column tradeno");
        assert_eq!(error.exit_code(), 2);
    }
}
