//! `[sink]` with `connector = "kingdee"`: the account set, the form, and the options beside `Model` by the API's names.
//!
//! Takes the section, gives a [`Kingdee`] with defaults filled in, and notes what is wrong. Whether form and fields exist is
//! the ERP's to say (`check --online`), not known here.
//!
//! Facts: the options and their defaults are the product's own per-form page; lists of connectors put the form and the
//! operation among them, where the API does not have them.

use crate::base::names::suggest;
use crate::config::model::{Kingdee, KingdeeAuth, KingdeeOperation, OptionValue};
use crate::config::reader::Section;
use crate::config::secret::Setting;
use crate::config::settings::{self, Content};
use crate::config::source::is_identifier;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

const AUTHS: &[(&str, KingdeeAuth)] = &[("signature", KingdeeAuth::Signature), ("app_secret", KingdeeAuth::AppSecret)];
/// In the spellings of the API and of the connectors' lists.
const OPERATIONS: &[(&str, KingdeeOperation)] = &[
    ("batchSave", KingdeeOperation::BatchSave),
    ("BatchSave", KingdeeOperation::BatchSave),
    ("save", KingdeeOperation::Save),
    ("Save", KingdeeOperation::Save),
];

/// What an option takes.
#[derive(Clone, Copy)]
enum Takes {
    Flag,
    Text,
    Number,
    Names,
}

/// Options beside `Model`.
const OPTIONS: &[(&str, Takes)] = &[
    ("NeedUpDateFields", Takes::Names),
    ("NeedReturnFields", Takes::Names),
    ("IsDeleteEntry", Takes::Flag),
    ("SubSystemId", Takes::Text),
    ("IsVerifyBaseDataField", Takes::Flag),
    ("IsEntryBatchFill", Takes::Flag),
    ("ValidateFlag", Takes::Flag),
    ("NumberSearch", Takes::Flag),
    ("IsAutoAdjustField", Takes::Flag),
    ("InterationFlags", Takes::Text),
    ("IgnoreInterationFlag", Takes::Flag),
    ("IsControlPrecision", Takes::Flag),
    ("ValidateRepeatJson", Takes::Flag),
    ("BatchCount", Takes::Number),
    ("IsAutoSubmitAndAudit", Takes::Flag),
    ("Creator", Takes::Text),
];

/// Names that lists of connectors put among the options, and where they belong.
const ELSEWHERE: &[(&str, &str)] = &[
    ("FormId", "it is [sink] form = \"SAL_RETURNSTOCK\""),
    ("Operation", "it is [sink] operation = \"batchSave\""),
    ("Model", "the mapping makes it"),
];

/// Form → the customer's number among its header fields, and the entry with its lines.
const FORMS: &[(&str, &str, &str)] = &[
    ("SAL_RETURNSTOCK", "FRetcustId.FNumber", "FEntity"),
    ("SAL_OUTSTOCK", "FCustomerID.FNumber", "FEntity"),
    ("SAL_SaleOrder", "FCustId.FNumber", "FSaleOrderEntry"),
];

/// Reads what belongs to this connector; the rest of the section is read by `config::sink`.
pub(super) fn read(section: &Section<'_>) -> Kingdee {
    key_field(section);
    let form = form(section);
    let known = FORMS.iter().find(|(name, _, _)| name.eq_ignore_ascii_case(&form));
    let (verify, entry) = (verify(section), entry(section));
    Kingdee {
        url: setting(section, "url", Content::Url(&["https://", "http://"]), "${KINGDEE_URL}"),
        acct_id: setting(section, "acct_id", Content::Plain, "${KINGDEE_ACCT_ID}"),
        username: setting(section, "username", Content::Plain, "${KINGDEE_USERNAME}"),
        app_id: setting(section, "app_id", Content::Secret, "${KINGDEE_APP_ID}"),
        app_secret: setting(section, "app_secret", Content::Secret, "${KINGDEE_APP_SECRET}"),
        lcid: u32::try_from(section.integer("lcid", 1..=65_535, 2052)).unwrap_or(2052),
        org_num: section.word("org_num").map_or_else(|| "0".to_string(), Spanned::into_inner),
        auth: section.choice("auth", AUTHS).unwrap_or_default(),
        operation: section.choice("operation", OPERATIONS).unwrap_or_default(),
        options: section
            .section("options")
            .map_or_else(|| completed(Vec::new()), |options| completed(read_options(options))),
        verify: verify.unwrap_or_else(|| {
            let customer = known.map(|(_, customer, _)| (*customer).to_string());
            std::iter::once("FDate".to_string()).chain(customer).collect()
        }),
        entry: match entry {
            Some(entry) => Some(entry).filter(|entry| !entry.is_empty()),
            None => Some(known.map_or("FEntity", |(_, _, entry)| entry).to_string()),
        },
        form,
        request_timeout: section.duration(
            "request_timeout",
            Duration::from_secs(1)..=Duration::from_secs(600),
            Duration::from_secs(180),
            "",
        ),
        max_answer_bytes: usize::try_from(section.integer("max_answer_mib", 1..=1024, 64)).unwrap_or(64) << 20,
    }
}

/// A setting that stands for an environment variable of this name when it is not written.
fn setting(section: &Section<'_>, key: &str, content: Content, default: &str) -> Setting {
    settings::optional(section, key, content).unwrap_or_else(|| Setting::new(section.place(key), default))
}

/// The number is the key: under no other field would a document be found again.
fn key_field(section: &Section<'_>) {
    section.require("key_field", "key_field = \"FBillNo\"");
    if let Some(field) = section.word("key_field").filter(|field| field.get_ref() != "FBillNo") {
        let message =
            format!("sink.key_field = \"{}\": documents are found again by their number only", field.get_ref());
        section.faults().add(field.span().start, message, "write FBillNo, and fill it in the mapping");
    }
}

fn form(section: &Section<'_>) -> String {
    let form = section.required_word("form", "form = \"SAL_RETURNSTOCK\"");
    if !form.get_ref().is_empty() && !is_identifier(form.get_ref()) {
        let message = format!("sink.form: {} is no form id", form.get_ref());
        section.faults().add(form.span().start, message, "write the 业务对象表单Id, as SAL_RETURNSTOCK");
    }
    form.into_inner()
}

fn verify(section: &Section<'_>) -> Option<Vec<String>> {
    let given = section.has("verify");
    let mut fields = Vec::new();
    for field in section.words("verify") {
        if !field.get_ref().split('.').all(is_identifier) {
            let message = format!("sink.verify: \"{}\" is no header field", field.get_ref());
            section.faults().add(field.span().start, message, "write it as FDate or FRetcustId.FNumber");
        }
        fields.push(field.into_inner());
    }
    if given && fields.is_empty() {
        let message = "sink.verify is empty: a foreign document with as many lines would be taken for ours";
        section.faults().add(section.at(), message, "name at least one header field, as [\"FDate\"], or leave it out");
    }
    given.then_some(fields)
}

/// The entry whose lines are counted; empty for none.
fn entry(section: &Section<'_>) -> Option<String> {
    let entry = section.text("entry")?;
    if !entry.get_ref().is_empty() && !is_identifier(entry.get_ref()) {
        let message = format!("sink.entry: {} is no entry", entry.get_ref());
        section.faults().add(entry.span().start, message, "write it as FEntity, or \"\" to count no lines");
    }
    Some(entry.into_inner())
}

fn read_options(section: Section<'_>) -> Vec<(String, OptionValue)> {
    let mut options = Vec::new();
    for (key, value) in section.entries() {
        let (name, at) = (*key.get_ref(), key.span().start);
        let Some((_, takes)) = OPTIONS.iter().find(|(known, _)| *known == name) else {
            let home = ELSEWHERE.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            let hint = match home {
                Some((_, home)) => (*home).to_string(),
                None => suggest(name, OPTIONS.iter().map(|(known, _)| *known)),
            };
            section.faults().add(at, format!("sink.options: the API has no option {name}"), hint);
            continue;
        };
        match option(value.get_ref(), *takes) {
            Some(value) => options.push((name.to_string(), value)),
            None => section.wrong(value, &section.place(name), value.get_ref(), takes.form()),
        }
    }
    options
}

impl Takes {
    fn form(self) -> &'static str {
        match self {
            Self::Flag => "true or false",
            Self::Text => "a text in quotes",
            Self::Number => "a whole number from 0 to 10",
            Self::Names => "a list of field names, as [\"FBillNo\"]",
        }
    }
}

/// `None` where the value is not of the kind. Templates of the vendor write flags as texts, in any letter case.
fn option(value: &DeValue<'_>, takes: Takes) -> Option<OptionValue> {
    let whole = |n: &toml::de::DeInteger<'_>| i64::from_str_radix(n.as_str(), n.radix()).ok();
    match (takes, value) {
        (Takes::Flag, DeValue::Boolean(flag)) => Some(OptionValue::Bool(*flag)),
        (Takes::Flag, DeValue::String(text)) => text.to_lowercase().parse().ok().map(OptionValue::Bool),
        (Takes::Text, DeValue::String(text)) => Some(OptionValue::Text(text.clone().into_owned())),
        (Takes::Text, DeValue::Integer(n)) => whole(n).map(OptionValue::Integer),
        // More server threads than that give doubled numbers and lost updates; the vendor's people advise 5.
        (Takes::Number, DeValue::Integer(n)) => whole(n).filter(|n| (0..=10).contains(n)).map(OptionValue::Integer),
        (Takes::Names, DeValue::Array(items)) => {
            let names = items.iter().map(|item| match item.get_ref() {
                DeValue::String(text) => Some(OptionValue::Text(text.clone().into_owned())),
                _ => None,
            });
            names.collect::<Option<Vec<_>>>().map(OptionValue::List)
        }
        _ => None,
    }
}

/// Without this check an unknown material can drop its line silently, so it is on unless the file says otherwise.
fn completed(mut options: Vec<(String, OptionValue)>) -> Vec<(String, OptionValue)> {
    const CHECKED: &str = "IsVerifyBaseDataField";
    if !options.iter().any(|(name, _)| name == CHECKED) {
        options.push((CHECKED.to_string(), OptionValue::Bool(true)));
    }
    options
}
