//! Request bodies: the six shapes in which known clients write a call's arguments.
//!
//! Takes the bytes of a body, gives the arguments by name or by position. Never looks at the content type (one official
//! client misspells it), and never judges an argument.
//!
//! | shape | looks like |
//! |---|---|
//! | A | `{"formid":"F","data":{…}}` |
//! | B | `{"formid":"F","data":"<JSON text>"}` |
//! | C | `{"parameters":["F","<JSON text>"]}` |
//! | D | C in an envelope of `format`, `useragent`, `rid` …; `parameters` may be JSON text of the array |
//! | E | a web form: `formid=F&data=<JSON text>` |
//! | F | a web form: `data=<JSON text with FormId>`, for queries |

use super::value::Json;

/// Why a body is no call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// A bare JSON array, which the product is known to refuse.
    BareArray,
    /// Anything else; says what.
    Malformed(String),
}

/// The arguments of a call.
#[derive(Debug, Default)]
pub struct Arguments {
    /// Names are compared without regard to letter case; unknown ones are nobody's business.
    named: Vec<(String, Json)>,
    positional: Vec<Json>,
}

impl Arguments {
    /// Reads a body. No body at all is a call without arguments.
    pub fn read(body: &[u8]) -> Result<Arguments, Unreadable> {
        let text = std::str::from_utf8(body).map_err(|error| Unreadable::Malformed(error.to_string()))?;
        let text = text.trim_start_matches('\u{feff}').trim();
        match text.as_bytes().first() {
            None => Ok(Arguments::default()),
            Some(b'[') => Err(Unreadable::BareArray),
            Some(b'{') => Arguments::from_object(text),
            Some(_) if text.contains('=') => {
                let fields = url::form_urlencoded::parse(text.as_bytes());
                let named = fields.map(|(name, value)| (name.into_owned(), Json::Text(value.into_owned())));
                Arguments::with_positions(named.collect())
            }
            Some(_) => Err(Unreadable::Malformed("neither a JSON object nor a form".to_owned())),
        }
    }

    fn from_object(text: &str) -> Result<Arguments, Unreadable> {
        match Json::parse(text).map_err(Unreadable::Malformed)? {
            Json::Object(named) => Arguments::with_positions(named),
            _ => Err(Unreadable::Malformed("not an object".to_owned())),
        }
    }

    fn with_positions(named: Vec<(String, Json)>) -> Result<Arguments, Unreadable> {
        let mut arguments = Arguments { named, positional: Vec::new() };
        if let Some(parameters) = arguments.named("parameters") {
            arguments.positional = match parameters.unpacked().map_err(Unreadable::Malformed)? {
                Json::List(items) => items,
                _ => return Err(Unreadable::Malformed("parameters is no array".to_owned())),
            };
        }
        Ok(arguments)
    }

    /// The argument with this name.
    pub fn named(&self, name: &str) -> Option<&Json> {
        self.named.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The argument with this name, or at this position.
    pub fn get(&self, position: usize, name: &str) -> Option<&Json> {
        self.named(name).or_else(|| self.positional.get(position))
    }

    /// The same as text; `""` if it is not there.
    pub fn text(&self, position: usize, name: &str) -> &str {
        self.get(position, name).map_or("", Json::plain)
    }

    /// An argument that is an object or its JSON text.
    pub fn object(&self, position: usize, name: &str) -> Result<Json, Unreadable> {
        let Some(value) = self.get(position, name) else { return Ok(Json::Object(Vec::new())) };
        match value.unpacked().map_err(Unreadable::Malformed)? {
            object @ Json::Object(_) => Ok(object),
            empty if empty.plain().is_empty() && empty.is_scalar() => Ok(Json::Object(Vec::new())),
            _ => Err(Unreadable::Malformed(format!("{name} is no object"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_the_samples_says_the_same() {
        let samples: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/fixtures/vendor/kingdee-req-bodies-accepted.json"))
                .unwrap();
        for (name, sample) in samples.as_object().unwrap() {
            let body = match sample["fields"].as_object() {
                None => sample["body"].to_string(),
                Some(fields) => url::form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(fields.iter().map(|(name, value)| (name, value.as_str().unwrap())))
                    .finish(),
            };
            let read = Arguments::read(body.as_bytes());
            if name.starts_with("refused") {
                assert_eq!(read.unwrap_err(), Unreadable::BareArray);
                continue;
            }
            let read = read.unwrap();
            if name.starts_with('F') {
                let data = read.object(0, "data").unwrap();
                assert_eq!(data.get("formid").unwrap().plain(), "BD_MATERIAL", "{name}");
            } else {
                assert_eq!(read.text(0, "FormId"), "SAL_RETURNSTOCK", "{name}");
                let data = read.object(1, "data").unwrap();
                assert_eq!(data.to_string(), r#"{"Model":[{"FBillNo":"T1"}]}"#, "{name}");
            }
        }
    }

    #[test]
    fn nonsense_is_refused_and_no_body_is_no_arguments() {
        assert!(Arguments::read(b"  ").unwrap().get(0, "data").is_none());
        for wrong in ["{", "{\"parameters\":{}}", "{\"parameters\":\"[\"}", "hello", "<xml/>"] {
            assert!(matches!(Arguments::read(wrong.as_bytes()), Err(Unreadable::Malformed(_))), "{wrong}");
        }
        assert!(Arguments::read(b"\xff=1").is_err());
        let read = Arguments::read(br#"{"data":"[1]"}"#).unwrap();
        assert!(read.object(1, "data").is_err());
    }
}
