//! The shapes in which the ERP answers, in the recorded order of their keys.
//!
//! Takes what became of the documents of a call, gives the JSON. Never decides what becomes of one.

use super::session::Session;
use super::value::Json;

/// MsgCode values, as the vendor lists them.
pub mod code {
    pub const NONE: i64 = 0;
    pub const SESSION_LOST: i64 = 1;
    pub const NO_OPERATION: i64 = 3;
    pub const EXCEPTION: i64 = 4;
    pub const NO_FORM: i64 = 5;
    pub const PARAMETER: i64 = 8;
    pub const NO_FIELD: i64 = 9;
    pub const NO_DATA: i64 = 10;
    pub const VALIDATION: i64 = 11;
}

/// Why a document, or a call, was refused: one row of `Errors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `FieldName`; none is null.
    pub field: Option<String>,
    pub message: String,
    /// The MsgCode if nothing else happened in the call.
    pub code: i64,
}

impl Refusal {
    /// Of a field.
    pub fn of(field: &str, message: impl Into<String>) -> Self {
        Refusal { field: Some(field.to_owned()), message: message.into(), code: code::VALIDATION }
    }

    /// Of no field.
    pub fn plain(code: i64, message: impl Into<String>) -> Self {
        Refusal { field: None, message: message.into(), code }
    }
}

/// A document that was acted on: one row of `SuccessEntitys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    pub id: u64,
    pub number: String,
    /// Its place among the documents of the call, from 0.
    pub index: usize,
}

/// What became of the documents of a call. Places are `DIndex`.
#[derive(Debug, Default)]
pub struct Outcome {
    pub errors: Vec<(usize, Refusal)>,
    pub done: Vec<Entity>,
}

impl Outcome {
    /// A call that failed as a whole.
    pub fn refused(refusal: Refusal) -> Self {
        Outcome { errors: vec![(0, refusal)], done: Vec::new() }
    }

    /// `ResponseStatus`. `all_failed`: the MsgCode if no document was done; none: that of the first error.
    pub fn status(&self, all_failed: Option<i64>) -> Json {
        let error = |(index, refusal): &(usize, Refusal)| {
            let field = refusal.field.clone().map_or(Json::Null, Json::Text);
            Json::object([
                ("FieldName", field),
                ("Message", Json::text(&refusal.message)),
                ("DIndex", Json::from(*index)),
            ])
        };
        let entity = |entity: &Entity| {
            Json::object([
                ("Id", Json::from(entity.id)),
                ("Number", Json::text(&entity.number)),
                ("DIndex", Json::from(entity.index)),
            ])
        };
        let mut members = Vec::with_capacity(6);
        if !self.errors.is_empty() {
            members.push(("ErrorCode".to_owned(), Json::Number("500".to_owned())));
        }
        let rest = [
            ("IsSuccess", Json::Bool(self.errors.is_empty())),
            ("Errors", Json::List(self.errors.iter().map(error).collect())),
            ("SuccessEntitys", Json::List(self.done.iter().map(entity).collect())),
            ("SuccessMessages", Json::List(Vec::new())),
            ("MsgCode", Json::Number(self.code(all_failed).to_string())),
        ];
        members.extend(rest.map(|(key, value)| (key.to_owned(), value)));
        Json::Object(members)
    }

    /// Recorded: 0 if some documents were done and some not.
    fn code(&self, all_failed: Option<i64>) -> i64 {
        match self.errors.first() {
            Some((_, first)) if self.done.is_empty() => all_failed.unwrap_or(first.code),
            _ => code::NONE,
        }
    }

    /// The whole answer of a call that returns nothing but its status.
    pub fn answer(&self) -> Json {
        wrap([("ResponseStatus", self.status(None))])
    }
}

/// `{"Result":{…}}`.
pub fn wrap<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::object([("Result", Json::object(members))])
}

/// The answer of a call that failed as a whole.
pub fn failure(refusal: Refusal) -> Json {
    Outcome::refused(refusal).answer()
}

/// How ExecuteBillQuery says it: easily mistaken for a row.
pub fn failure_as_rows(refusal: Refusal) -> Json {
    Json::List(vec![Json::List(vec![failure(refusal)])])
}

/// No valid session, and no good credentials.
pub fn session_lost() -> Refusal {
    Refusal::plain(code::SESSION_LOST, "会话信息已丢失，请重新登录")
}

/// The form does not exist.
pub fn unknown_form(form: &str) -> Refusal {
    if form.is_empty() {
        return Refusal::plain(code::NO_FORM, "业务对象标识不能为空。");
    }
    Refusal::plain(code::EXCEPTION, format!("标识为“{form}”的业务对象不存在，或者被删除。"))
}

/// A parameter of the data packet that must not be empty.
pub fn empty_parameter(name: &str) -> Refusal {
    Refusal::plain(code::PARAMETER, format!("data数据包中的参数{name}的值不能为空。"))
}

/// The answer of a login that succeeded; builds before 8 leave `KDSVCSessionId` null.
pub fn login_success(session: &Session, acct_id: &str, user: &str, tells_session: bool) -> Json {
    let language = Json::object([
        ("LocaleId", Json::from(2052_u64)),
        ("LocaleName", Json::text("中文(简体/中国)")),
        ("Alias", Json::text("CN")),
    ]);
    let organisation = Json::object([
        ("ID", Json::from(1_u64)),
        ("AcctOrgType", Json::text("1")),
        ("Name", Json::text("云锦商贸有限公司")),
        ("FunctionIds", Json::List([101_u64, 102, 103, 104, 108].map(Json::from).into())),
    ]);
    let context = Json::object([
        ("UserLocale", Json::text("zh-CN")),
        ("LogLocale", Json::text("")),
        ("DBid", Json::text(acct_id)),
        ("DatabaseType", Json::from(3_u64)),
        ("SessionId", Json::text(&session.asp)),
        ("UseLanguages", Json::List(vec![language])),
        ("UserId", Json::from(16_394_u64)),
        ("UserName", Json::text(user)),
        ("CustomName", Json::text("")),
        ("DisplayVersion", Json::text(if tells_session { "8.2.0.0" } else { "7.2.856.1" })),
        ("DataCenterName", Json::text("测试数据中心")),
        ("UserToken", Json::text("00000000-0000-0000-0000-000000000000")),
        ("CurrentOrganizationInfo", organisation),
    ]);
    let id = if tells_session { Json::text(&session.id) } else { Json::Null };
    login(Json::Null, Json::text("CheckPasswordPolicy"), 1, context, id)
}

/// The answer of a login that failed.
pub fn login_failure(message: &str, result_type: i32) -> Json {
    login(Json::text(message), Json::Null, result_type, Json::Null, Json::Null)
}

fn login(message: Json, message_code: Json, result_type: i32, context: Json, session: Json) -> Json {
    Json::object([
        ("Message", message),
        ("MessageCode", message_code),
        ("LoginResultType", Json::Number(result_type.to_string())),
        ("Context", context),
        ("KDSVCSessionId", session),
        ("FormId", Json::Null),
        ("RedirectFormParam", Json::Null),
        ("FormInputObject", Json::Null),
        ("ErrorStackTrace", Json::Null),
        ("Lcid", Json::from(0_u64)),
        ("AccessToken", Json::Null),
        ("KdAccessResult", Json::Null),
        ("IsSuccessByAPI", Json::Bool(result_type == 1)),
    ])
}
