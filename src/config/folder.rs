//! Where things lie: the folder that holds `pipelines/`, `sql/` and `data/`, and the pipelines in it.
//!
//! Takes a starting folder or a pipeline's name, gives paths. Never reads a file's text, never writes.

use crate::base::names::suggest;
use crate::base::{Error, Result};
use std::path::{Path, PathBuf};

/// The nearest folder from `start` upward that has a folder `pipelines`.
pub fn find_root(start: &Path) -> Result<PathBuf> {
    start.ancestors().find(|folder| folder.join("pipelines").is_dir()).map(Path::to_owned).ok_or_else(|| {
        Error::usage(format!("no folder pipelines/ in {} or above it", start.display()))
            .hint("change into the project's folder, or name it with --root")
    })
}

/// The names of all pipelines, sorted.
pub fn pipelines(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("pipelines");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(|e| Error::io(&folder, &e))? {
        let path = entry.map_err(|e| Error::io(&folder, &e))?.path();
        if path.extension().is_some_and(|e| e == "toml")
            && let Some(stem) = path.file_stem()
        {
            names.push(stem.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The file of a pipeline, which may be given as `name`, `name.toml` or `pipelines/name.toml`.
pub fn locate(root: &Path, given: &str) -> Result<PathBuf> {
    let base = given.strip_prefix("./").unwrap_or(given);
    let name = base.strip_prefix("pipelines/").unwrap_or(base);
    let name = name.strip_suffix(".toml").unwrap_or(name);
    let known = pipelines(root)?;
    if known.iter().any(|k| k == name) {
        return Ok(root.join("pipelines").join(format!("{name}.toml")));
    }
    let hint = match known.is_empty() {
        true => format!("there is none yet in {}", root.join("pipelines").display()),
        false => suggest(name, known.iter().map(String::as_str)),
    };
    Err(Error::usage(format!("no pipeline {given}")).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_is_found_by_name_from_any_folder_below() {
        let dir = tempfile::tempdir().expect("a folder");
        let deep = dir.path().join("sql/mapping");
        std::fs::create_dir_all(&deep).expect("folders");
        assert!(find_root(&deep).is_err_and(|e| e.cure().is_some_and(|c| c.contains("--root"))));
        std::fs::create_dir(dir.path().join("pipelines")).expect("a folder");
        let file = dir.path().join("pipelines/trades.toml");
        std::fs::write(&file, "").expect("a file");
        std::fs::write(dir.path().join("pipelines/notes.md"), "").expect("a file");
        let root = find_root(&deep).expect("the root");
        for given in ["trades", "trades.toml", "pipelines/trades.toml", "./pipelines/trades.toml"] {
            assert_eq!(locate(&root, given).ok(), Some(file.clone()), "{given}");
        }
        assert_eq!(locate(&root, "trade").expect_err("a slip").cure(), Some("did you mean trades?"));
    }
}
