//! Values of a pipeline file that point outside it: settings with `${VARIABLES}`, and names of files.
//!
//! Takes a section and a key, gives a [`Setting`] or a path, and notes what is wrong: a secret written out, a variable without
//! closing brace, a file that is not there. Never resolves a variable, never puts a value into a message.

use crate::base::names::nearest;
use crate::config::reader::Section;
use crate::config::secret::Setting;
use std::path::{Component, Path, PathBuf};

/// What a setting may hold besides variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Nothing: a secret stands in the environment.
    Secret,
    /// A name or a path.
    Plain,
    /// An address with one of these beginnings.
    Url(&'static [&'static str]),
}

/// A setting that must be there.
pub fn required(section: &Section<'_>, key: &'static str, content: Content, form: &str) -> Setting {
    section.require(key, form);
    optional(section, key, content).unwrap_or_else(|| Setting::new(section.place(key), ""))
}

/// A setting that may be absent.
pub fn optional(section: &Section<'_>, key: &str, content: Content) -> Option<Setting> {
    let text = section.text(key)?;
    let (place, at, written) = (section.place(key), text.span().start, text.get_ref().as_str());
    if let Err((message, hint)) = check(written, content, key) {
        section.faults().add(at, format!("{place} {message}"), hint);
    }
    Some(Setting::new(place, written))
}

fn check(written: &str, content: Content, key: &str) -> Result<(), (String, String)> {
    let fail = |message: &str, hint: String| Err((message.to_owned(), hint));
    let Some(literal) = without_variables(written) else {
        return fail("holds ${ without a name in capitals and a closing }", "write ${NAME}".to_owned());
    };
    if written.trim().is_empty() {
        return fail("is empty", "write a value, or take the key out".to_owned());
    }
    if written.contains("{{") {
        return fail("takes no template", "templates are filled into [source.params] only".to_owned());
    }
    match content {
        Content::Plain => Ok(()),
        Content::Secret if literal.trim().is_empty() => Ok(()),
        Content::Secret => fail(
            "is written out: a secret does not belong in a file",
            format!(
                "write {key} = \"${{MY_{}}}\", export the value in the shell, and have the secret renewed",
                key.to_uppercase()
            ),
        ),
        Content::Url(schemes) => {
            if !written.starts_with("${") && !schemes.iter().any(|s| written.starts_with(s)) {
                let forms = schemes.join("… or ");
                return fail("is no address", format!("write {forms}… or \"${{NAME}}\""));
            }
            if literal_password(written) {
                let hint =
                    "write \"…://user:${PASSWORD}@host/…\", export it in the shell, and have the password renewed";
                return fail("has a password written out: a secret does not belong in a file", hint.to_owned());
            }
            Ok(())
        }
    }
}

/// What is left when the variables are taken out; `None` when one is malformed.
fn without_variables(written: &str) -> Option<String> {
    let mut literal = String::new();
    let mut rest = written;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, tail) = after.split_once('}')?;
        let mut letters = name.chars();
        let starts_well = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if !starts_well || !letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return None;
        }
        literal.push_str(before);
        rest = tail;
    }
    literal.push_str(rest);
    Some(literal)
}

/// Is there anything but variables between `user:` and `@`?
fn literal_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let password = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).map(|(_, p)| p);
    password.and_then(without_variables).is_some_and(|literal| !literal.is_empty())
}

/// A file named relative to `folder`, which is called `label` in messages; it must exist.
pub fn file(section: &Section<'_>, key: &str, folder: &Path, label: &str) -> Option<PathBuf> {
    let text = section.word(key)?;
    let (place, at) = (section.place(key), text.span().start);
    let relative = PathBuf::from(text.get_ref());
    if text.get_ref().trim().is_empty() {
        return Some(relative);
    }
    if !relative.components().all(|c| matches!(c, Component::Normal(_))) {
        let hint = format!("write a path below {label}/, without .. and without a leading /");
        section.faults().add(at, format!("{place} = \"{}\" leaves {label}/", text.get_ref()), hint);
    } else if !folder.join(&relative).is_file() {
        let message = format!("{place}: there is no file {label}/{}", text.get_ref());
        section.faults().add(at, message, missing_file_hint(folder, &relative, label));
    }
    Some(relative)
}

/// Names the nearest file of the same folder, or says that the folder is not there.
pub fn missing_file_hint(folder: &Path, relative: &Path, label: &str) -> String {
    let parent = relative.parent().unwrap_or(Path::new(""));
    let shown = Path::new(label).join(parent);
    let Ok(listing) = std::fs::read_dir(folder.join(parent)) else {
        return format!("there is no folder {}", shown.display());
    };
    let names: Vec<String> = listing.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let wrong = relative.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    match nearest(&wrong, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean {}?", parent.join(name).display()),
        None => format!("create it in {}", shown.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_written_out_are_refused_and_never_shown() {
        let mysql = Content::Url(&["mysql://"]);
        let http = Content::Url(&["http://", "https://"]);
        let table = [
            ("${KEY}", Content::Secret, Ok(())),
            ("${A}${B}", Content::Secret, Ok(())),
            ("s3cret", Content::Secret, Err("written out")),
            ("s3cret${A}", Content::Secret, Err("written out")),
            ("$KEY", Content::Secret, Err("written out")),
            ("${KEY", Content::Secret, Err("${ without")),
            ("${}", Content::Secret, Err("${ without")),
            ("${MY KEY}", Content::Plain, Err("${ without")),
            (" ", Content::Plain, Err("is empty")),
            ("{{CURRENT_TIME|date}}", Content::Plain, Err("no template")),
            ("187657", Content::Plain, Ok(())),
            ("${URL}", http, Ok(())),
            ("https://open.jackyun.com/open/openapi/do", http, Ok(())),
            ("open.jackyun.com", http, Err("no address")),
            ("mysql://u:s3cret@h/d", mysql, Err("password written out")),
            ("mysql://u:s3c@ret@h/d", mysql, Err("password written out")),
            ("mysql://${U}:${P}@h:3306/d", mysql, Ok(())),
            ("mysql://u@h/d", mysql, Ok(())),
            ("mysql://h:3306/d", mysql, Ok(())),
        ];
        for (written, content, expected) in table {
            match (check(written, content, "app_secret"), expected) {
                (Ok(()), Ok(())) => {}
                (Err((message, hint)), Err(part)) => {
                    assert!(message.contains(part), "{written}: {message}");
                    assert!(!message.contains("s3c") && !hint.contains("s3c"), "{message} {hint}");
                }
                (found, _) => panic!("{written}: {found:?}"),
            }
        }
    }
}
