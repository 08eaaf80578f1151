//! What is sent: the services, and their bodies in shape `{"formid":…,"data":{…}}`.
//!
//! Takes documents and settings, gives JSON text. Fields of a document stay in their order and decimals keep their digits:
//! nothing goes through a sorted map or a float. Never reads an answer.
//!
//! Facts: options stand beside `Model`, which is a list for BatchSave and an object for Save; the order of fields decides
//! which change events fire on the server.

use crate::base::record::{DocKey, Document};
use crate::base::value::{Object, Value};
use crate::config::model::{KingdeeOperation, OptionValue};

/// Where the document's number stands: the key, in the ERP.
pub(super) const NUMBER: &str = "FBillNo";
/// Where its status stands.
pub(super) const STATUS: &str = "FDocumentStatus";

/// A service that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Login,
    Save,
    BatchSave,
    Query,
    Submit,
    Audit,
}

impl Service {
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Login => "Kingdee.BOS.WebApi.ServicesStub.AuthService.LoginByAppSecret",
            Self::Save => "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Save",
            Self::BatchSave => "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.BatchSave",
            Self::Query => "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.ExecuteBillQuery",
            Self::Submit => "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Submit",
            Self::Audit => "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Audit",
        }
    }

    /// The word in the exchange record.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Login => "LoginByAppSecret",
            Self::Save => "Save",
            Self::BatchSave => "BatchSave",
            Self::Query => "ExecuteBillQuery",
            Self::Submit => "Submit",
            Self::Audit => "Audit",
        }
    }

    /// May the same call be made again when its answer was lost? Submit and Audit of what is submitted and audited are
    /// refused, which is as good.
    pub(super) fn repeatable(self) -> bool {
        !matches!(self, Self::Save | Self::BatchSave)
    }
}

/// Everything about a form that requests are made of.
#[derive(Debug)]
pub(super) struct Form {
    pub name: String,
    pub save: Service,
    /// Beside `Model`, in the order of the file, `NeedReturnFields` completed.
    options: Vec<(String, Value)>,
    /// Header fields that are compared.
    pub verify: Vec<String>,
    /// The entry whose lines are counted.
    pub entry: Option<String>,
    /// Is the goal audited (C), or saved?
    pub audited: bool,
}

impl Form {
    pub(super) fn new(settings: &crate::config::model::Kingdee) -> Self {
        let mut options: Vec<(String, Value)> =
            settings.options.iter().map(|(name, value)| (name.clone(), of_option(value))).collect();
        let mut wanted = vec![NUMBER.to_string(), STATUS.to_string()];
        wanted.extend(settings.entry.as_ref().map(|entry| format!("{entry}.FEntryID")));
        let asked = options.iter_mut().find(|(name, _)| name == "NeedReturnFields");
        if let Some((_, Value::List(have))) = asked {
            wanted.retain(|field| !have.iter().any(|h| matches!(h, Value::Text(t) if t.eq_ignore_ascii_case(field))));
            have.extend(wanted.into_iter().map(Value::text));
        } else {
            let wanted = wanted.into_iter().map(Value::text).collect();
            options.insert(0, ("NeedReturnFields".to_string(), Value::List(wanted)));
        }
        let audited = settings.options.iter().any(|(name, value)| name == "IsAutoSubmitAndAudit" && is_true(value));
        let save = match settings.operation {
            KingdeeOperation::Save => Service::Save,
            KingdeeOperation::BatchSave => Service::BatchSave,
        };
        let (verify, entry) = (settings.verify.clone(), settings.entry.clone());
        Self { name: settings.form.clone(), save, options, verify, entry, audited }
    }

    /// Body of Save or BatchSave.
    pub(super) fn save_body(&self, models: &[&str]) -> String {
        let mut out = format!("{{\"formid\":{},\"data\":{{", quoted(&self.name));
        for (name, value) in &self.options {
            out.push_str(&quoted(name));
            out.push(':');
            value.write_json(&mut out, false);
            out.push(',');
        }
        out.push_str("\"Model\":");
        match (self.save, models) {
            (Service::Save, [model]) => out.push_str(model),
            _ => {
                out.push('[');
                out.push_str(&models.join(","));
                out.push(']');
            }
        }
        out.push_str("}}");
        out
    }

    /// Body of ExecuteBillQuery. `TopRowCount` is the absolute end row, so 0 is the only value that never cuts a page.
    pub(super) fn query_body(&self, filter: &str, start: usize, limit: usize) -> String {
        let order = self.line_id().unwrap_or_else(|| "FID".to_string());
        let data = Object::from_pairs([
            ("FormId", Value::text(self.name.as_str())),
            ("FieldKeys", Value::text(self.columns().join(","))),
            ("FilterString", Value::text(filter)),
            ("OrderString", Value::text(format!("{order} ASC"))),
            ("TopRowCount", Value::Int(0)),
            ("StartRow", Value::Int(start as i64)),
            ("Limit", Value::Int(limit as i64)),
            ("SubSystemId", Value::text("")),
        ]);
        format!("{{\"data\":{}}}", data.to_json(false))
    }

    /// Columns of a query: FID, FBillNo, FDocumentStatus, the compared fields, the line's id.
    pub(super) fn columns(&self) -> Vec<String> {
        let mut columns = vec!["FID".to_string(), NUMBER.to_string(), STATUS.to_string()];
        columns.extend(self.verify.iter().cloned());
        columns.extend(self.line_id());
        columns
    }

    fn line_id(&self) -> Option<String> {
        self.entry.as_ref().map(|entry| format!("{entry}_FEntryID"))
    }

    /// Body of Submit or Audit for documents by their ids.
    pub(super) fn operate_body(&self, ids: &[&str]) -> String {
        let data = Object::from_pairs([
            ("CreateOrgId", Value::Int(0)),
            ("Numbers", Value::List(Vec::new())),
            ("Ids", Value::text(ids.join(","))),
        ]);
        format!("{{\"formid\":{},\"data\":{}}}", quoted(&self.name), data.to_json(false))
    }
}

/// `Model` of one document, as it is sent.
pub(super) fn model(document: &Document) -> String {
    document.body.to_json(true)
}

/// `FBillNo in ('a','b')`; a quote within a number is doubled.
pub(super) fn filter(keys: &[&DocKey]) -> String {
    let quoted: Vec<String> = keys.iter().map(|key| format!("'{}'", key.as_str().replace('\'', "''"))).collect();
    format!("{NUMBER} in ({})", quoted.join(","))
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    Value::text(text).to_json(false)
}

fn of_option(value: &OptionValue) -> Value {
    match value {
        OptionValue::Bool(value) => Value::Bool(*value),
        OptionValue::Integer(value) => Value::Int(*value),
        OptionValue::Text(value) => Value::text(value.as_str()),
        OptionValue::List(values) => Value::List(values.iter().map(of_option).collect()),
    }
}

fn is_true(value: &OptionValue) -> bool {
    match value {
        OptionValue::Bool(value) => *value,
        OptionValue::Text(text) => text.eq_ignore_ascii_case("true"),
        OptionValue::Integer(_) | OptionValue::List(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::kingdee::tests::{document, settings};

    #[test]
    fn the_bytes_sent_keep_order_digits_and_options() {
        let mut settings = settings();
        settings
            .options
            .push(("NeedReturnFields".into(), OptionValue::List(vec![OptionValue::Text("fbillno".into())])));
        let form = Form::new(&settings);
        assert!(form.audited);
        let body = form.save_body(&[&model(&document("XT1", 1)), &model(&document("X'T\"2", 2))]);
        let expected = concat!(
            r#"{"formid":"SAL_RETURNSTOCK","data":{"IsAutoSubmitAndAudit":true,"#,
            r#""NeedReturnFields":["fbillno","FDocumentStatus","FEntity.FEntryID"],"Model":["#,
            r#"{"FBillTypeID":{"FNUMBER":"XSTHD01_SYS"},"FBillNo":"XT1","FDate":"2024-01-02","FRetcustId":{"FNumber":"CUST001"},"#,
            r#""SubHeadEntity":{"FSettleCurrId":{"FNumber":"PRE001"}},"FEntity":[{"FMaterialId":{"FNumber":"SKU00001"},"FRealQty":1.50}]},"#,
        );
        assert!(body.starts_with(expected), "{body}");
        assert!(body.ends_with("]}}") && body.contains(r#""FBillNo":"X'T\"2""#), "{body}");
        settings.operation = KingdeeOperation::Save;
        settings.options.clear();
        settings.entry = None;
        let form = Form::new(&settings);
        let body = form.save_body(&[&model(&document("XT1", 1))]);
        let start = r#"{"formid":"SAL_RETURNSTOCK","data":{"NeedReturnFields":["FBillNo","FDocumentStatus"],"Model":{"FBillTypeID""#;
        assert!(body.starts_with(start) && !form.audited, "{body}");
        assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
    }

    #[test]
    fn a_query_asks_for_numbers_with_quotes_doubled() {
        let form = Form::new(&settings());
        let keys = [DocKey::new("XT1").expect("a key"), DocKey::new("O'Neil").expect("a key")];
        let filter = filter(&keys.iter().collect::<Vec<_>>());
        let body = form.query_body(&filter, 2000, 1000);
        let expected = concat!(
            r#"{"data":{"FormId":"SAL_RETURNSTOCK","FieldKeys":"FID,FBillNo,FDocumentStatus,FDate,FRetcustId.FNumber,FEntity_FEntryID","#,
            r#""FilterString":"FBillNo in ('XT1','O''Neil')","OrderString":"FEntity_FEntryID ASC","TopRowCount":0,"StartRow":2000,"#,
            r#""Limit":1000,"SubSystemId":""}}"#,
        );
        assert_eq!(body, expected);
        let body = form.operate_body(&["100001", "100002"]);
        assert_eq!(body, r#"{"formid":"SAL_RETURNSTOCK","data":{"CreateOrgId":0,"Numbers":[],"Ids":"100001,100002"}}"#);
    }
}
