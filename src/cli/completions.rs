//! `dukou completions SHELL`: the script that completes commands and options in a shell.
//!
//! Takes the shell, gives the script as text. Prints nothing.

use crate::base::{Error, Result};
use crate::cli::args::Args;
use clap::CommandFactory;
use clap_complete::Shell;

/// The script of one shell.
pub fn script(shell: Shell) -> Result<String> {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "dukou", &mut bytes);
    String::from_utf8(bytes).map_err(|e| Error::bug(format!("the completion script is not UTF-8: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in Shell::value_variants() {
            let script = script(*shell).expect("a script");
            for word in ["deliver", "dry-run", "sandbox"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
