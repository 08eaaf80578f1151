//! Keeps the newest pair of tokens in a file of the workspace, for this user only.
//!
//! Takes and gives [`Kept`] pairs. A file is replaced whole or not at all and is durable afterwards; its name holds a
//! fingerprint of the application, its text is never shown.

use super::token::{Kept, Pair, TokenStore};
use crate::base::{Error, Result};
use crate::config::secret::Secret;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A larger file is none of ours.
const MAX_BYTES: u64 = 16 << 10;

/// See the head of the file.
pub struct TokenFile {
    path: PathBuf,
}

/// The file's JSON.
#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    /// Tells which configured tokens these descend from.
    origin: String,
    access_token: String,
    refresh_token: Option<String>,
    /// Seconds since 1970. Files of before have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

const VERSION: u32 = 1;

impl TokenFile {
    /// The file of one application in `folder`; neither needs to exist.
    pub fn of(folder: &Path, app_key: &Secret) -> Self {
        let application = Sha256::digest(app_key.expose().as_bytes());
        Self { path: folder.join(format!("jushuitan-{}.json", hex::encode(&application[..8]))) }
    }

    fn damaged(&self) -> Error {
        Error::local(format!("{}: this is no file of kept tokens", self.path.display()))
            .hint("delete it: the configured tokens are then used again")
    }

    fn write(&self, text: &[u8]) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let temporary = self.path.with_extension("tmp");
        // A leftover may have been made by others, with other rights.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        File::open(folder)?.sync_all()
    }
}

impl TokenStore for TokenFile {
    fn load(&self) -> Result<Option<Kept>> {
        let failed = |error: std::io::Error| Error::io(&self.path, &error);
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
            Ok(metadata) if metadata.len() > MAX_BYTES => return Err(self.damaged()),
            Ok(_) => {}
        }
        let text = fs::read(&self.path).map_err(failed)?;
        let written: Option<Written> = serde_json::from_slice(&text).ok();
        let written = written.filter(|w| w.version == VERSION && !w.access_token.is_empty());
        let Written { origin, access_token, refresh_token, expires_at, .. } = written.ok_or_else(|| self.damaged())?;
        let expires_at = expires_at.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let pair = Pair { access: Secret::new(access_token), refresh: refresh_token.map(Secret::new), expires_at };
        Ok(Some(Kept { origin, pair }))
    }

    fn save(&self, kept: &Kept) -> Result<()> {
        let written = Written {
            version: VERSION,
            origin: kept.origin.clone(),
            access_token: kept.pair.access.expose().to_string(),
            refresh_token: kept.pair.refresh.as_ref().map(|token| token.expose().to_string()),
            expires_at: kept.pair.expires_at.map(|at| at.timestamp()),
        };
        let text = serde_json::to_vec(&written).map_err(|_| Error::bug("a pair of tokens is no JSON"))?;
        self.write(&text).map_err(|error| Error::io(&self.path, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn kept(access: &str, refresh: Option<&str>) -> Kept {
        let expires_at = refresh.and_then(|_| DateTime::from_timestamp(1_717_557_960, 0));
        let pair = Pair { access: Secret::new(access), refresh: refresh.map(Secret::new), expires_at };
        Kept { origin: "o".into(), pair }
    }

    #[test]
    fn a_file_of_before_the_end_was_kept_is_readable() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = TokenFile::of(dir.path(), &Secret::new("k"));
        let old = r#"{"version":1,"origin":"o","access_token":"a","refresh_token":"r"}"#;
        fs::write(&file.path, old).expect("a file");
        let pair = file.load().expect("readable").expect("kept").pair;
        assert_eq!((pair.refresh, pair.expires_at), (Some(Secret::new("r")), None));
    }

    #[test]
    fn a_pair_comes_back_and_only_this_user_reads_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("tokens");
        let key = Secret::new("the-application-key");
        let file = TokenFile::of(&folder, &key);
        assert_eq!(file.load().expect("no error"), None);
        for pair in [kept("a1", Some("r1")), kept("a2", None)] {
            // Something unfinished of an earlier process, open to everybody.
            if folder.exists() {
                fs::write(file.path.with_extension("tmp"), "half").expect("a file");
            }
            file.save(&pair).expect("kept");
            assert_eq!(TokenFile::of(&folder, &key).load().expect("no error"), Some(pair));
            let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
            assert_eq!((mode(&file.path), mode(&folder)), (0o600, 0o700));
        }
        let names: Vec<_> = fs::read_dir(&folder).expect("a folder").flatten().map(|e| e.file_name()).collect();
        assert_eq!(names.len(), 1, "{names:?}");
        assert!(!names[0].to_string_lossy().contains("application"), "{names:?}");
        assert_eq!(TokenFile::of(&folder, &Secret::new("another")).load().expect("no error"), None);
    }

    #[test]
    fn a_damaged_file_is_named_and_not_shown() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = TokenFile::of(dir.path(), &Secret::new("k"));
        let large = " ".repeat(20_000);
        for text in ["{\"access_token\":\"hidden\"", r#"{"version":2,"origin":"","access_token":"hidden"}"#, "", &large]
        {
            fs::write(&file.path, text).expect("a file");
            let error = file.load().expect_err("damaged");
            assert!(error.to_string().contains("jushuitan-") && error.cure().is_some_and(|c| c.contains("delete it")));
            assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error_of_this_machine() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("tokens"), "a file where the folder should be").expect("a file");
        let file = TokenFile::of(&dir.path().join("tokens"), &Secret::new("k"));
        let error = file.save(&kept("hidden", None)).expect_err("no folder");
        assert_eq!(error.kind(), crate::base::Kind::Local);
        assert!(!format!("{error:?}").contains("hidden"));
    }
}
