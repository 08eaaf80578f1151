//! A setting that may hold a secret: kept as written (`${JST_APP_KEY}`), resolved at use, never shown.

use crate::base::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;

/// A value of the pipeline file that may name environment variables.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// Where it stands, for messages: `source.app_secret`.
    place: String,
    written: String,
}

/// Where variables come from: the shell, or (for the demo and tests) a list of our own that ignores the shell.
#[derive(Clone, Default)]
pub struct Env(Option<BTreeMap<String, String>>);

/// A resolved secret; `Debug` and `Display` show nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Env {
    /// The variables of this process.
    pub fn process() -> Self {
        Self(None)
    }

    /// These variables and no others.
    pub fn only<K: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(Some(variables.into_iter().map(|(k, v)| (k.into(), v.into())).collect()))
    }

    pub fn get(&self, name: &str) -> Option<String> {
        match &self.0 {
            Some(own) => own.get(name).cloned(),
            None => std::env::var(name).ok(),
        }
    }
}

impl Setting {
    pub fn new(place: impl Into<String>, written: impl Into<String>) -> Self {
        Self { place: place.into(), written: written.into() }
    }

    pub fn place(&self) -> &str {
        &self.place
    }

    /// The names of the environment variables it needs.
    pub fn variables(&self) -> Vec<&str> {
        self.written.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
    }

    /// Puts the environment's values in.
    pub fn resolve(&self, env: &Env) -> Result<Secret> {
        let mut out = String::new();
        let mut rest = self.written.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let (name, tail) = after.split_once('}').ok_or_else(|| {
                Error::config(format!("{}: ${{ without closing }}", self.place)).hint("write ${NAME}")
            })?;
            let value = env.get(name).filter(|v| !v.trim().is_empty()).ok_or_else(|| {
                Error::config(format!("{}: environment variable {name} is not set", self.place))
                    .hint(format!("export {name}=… in the shell that starts dukou"))
            })?;
            out.push_str(&value);
            rest = tail;
        }
        out.push_str(rest);
        Ok(Secret(out))
    }
}

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Setting({})", self.place)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_and_a_missing_one_is_named() {
        let s = Setting::new("source.url", "http://${HOST}:${PORT}/x");
        let env = Env::only([("HOST", "h"), ("PORT", "1")]);
        assert_eq!(s.variables(), ["HOST", "PORT"]);
        assert_eq!(s.resolve(&env).map(|s| s.expose().to_string()).ok().as_deref(), Some("http://h:1/x"));
        let missing = s.resolve(&Env::only::<&str, &str>([])).expect_err("HOST is missing");
        assert!(missing.to_string().contains("HOST"));
        assert_eq!(format!("{s:?}{:?}", Secret::new("p")), "Setting(source.url)Secret(…)");
    }
}
