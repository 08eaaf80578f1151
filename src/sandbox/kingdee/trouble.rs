//! Faults that only this ERP can play: the words after `own=` in a fault's text, and what each does.
//!
//! Takes the word, gives the trouble. A fault of Kingdee that names no operation counts, and meets, the save calls only
//! (Save, BatchSave, Draft); one that names an operation counts the calls of that: `kingdee:audit/lost-reply@2` meets the
//! second Audit, `kingdee:query/http-502@every:3` every third query. Operations: see [`OPERATIONS`].
//!
//! | text of the fault | what happens |
//! |---|---|
//! | `kingdee:lost-reply@1`, `commit-then-500`, `reset`, `http-502`, `slow=MS` … | as for every vendor |
//! | `kingdee:own=lost-session=K@1` | the first K documents are stored, then the answer is MsgCode 1, naming none |
//! | `kingdee:own=no-session@1` | MsgCode 1 before anything is done, whatever the call brings |
//! | `kingdee:own=end-sessions@1` | all sessions end before the call, as if the web server had restarted |
//! | `kingdee:own=response-error@1` | nothing is done; HTTP 200 with the text `response_error:` and JSON |
//! | `kingdee:own=response-error-after@1` | the same, when everything has been done |
//! | `kingdee:own=firewall@1` | nothing is done; the answer of a filter against suspicious content |
//! | `kingdee:own=ctx-null@1` | nothing is done; the text of a build that has lost the session |
//! | `kingdee:own=edit-lock@1` | the first document of the call is being edited by somebody |
//! | `kingdee:own=drop-line@1` | the first document stored loses its last line; success is reported |
//! | `kingdee:own=unlisted@1` | the first document stored is named neither among errors nor among successes |
//! | `kingdee:own=not-audited@1` | stored, reported as success, but neither submitted nor audited though asked for |
//! | `kingdee:own=lost-before-audit@1` | stored, neither submitted nor audited; the connection is reset |
//! | `kingdee:own=audit-refused@1` | every audit within the call is refused |

/// What a fault can aim at.
pub const OPERATIONS: [&str; 6] = ["login", "save", "query", "submit", "audit", "other"];

/// A fault of this ERP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    LostSession { after: usize },
    NoSession,
    EndSessions,
    ResponseError,
    ResponseErrorAfter,
    Firewall,
    CtxNull,
    EditLock,
    DropLine,
    Unlisted,
    NotAudited,
    LostBeforeAudit,
    AuditRefused,
}

impl Trouble {
    /// The trouble of this word; none if there is no such word.
    pub fn parse(word: &str) -> Option<Trouble> {
        if let Some(after) = word.strip_prefix("lost-session=") {
            return Some(Trouble::LostSession { after: after.parse().ok()? });
        }
        Some(match word {
            "no-session" => Trouble::NoSession,
            "end-sessions" => Trouble::EndSessions,
            "response-error" => Trouble::ResponseError,
            "response-error-after" => Trouble::ResponseErrorAfter,
            "firewall" => Trouble::Firewall,
            "ctx-null" => Trouble::CtxNull,
            "edit-lock" => Trouble::EditLock,
            "drop-line" => Trouble::DropLine,
            "unlisted" => Trouble::Unlisted,
            "not-audited" => Trouble::NotAudited,
            "lost-before-audit" => Trouble::LostBeforeAudit,
            "audit-refused" => Trouble::AuditRefused,
            _ => return None,
        })
    }

    /// The text answered instead of doing anything.
    pub fn instead(self) -> Option<&'static str> {
        match self {
            Trouble::ResponseError => Some(RESPONSE_ERROR),
            Trouble::Firewall => Some(FIREWALL),
            Trouble::CtxNull => Some(CTX_NULL),
            _ => None,
        }
    }
}

/// An unhandled exception of the server.
pub const RESPONSE_ERROR: &str = "response_error:{\"Message\":\"调用服务时发生异常：执行超时已过期。完成操作之前已超时或服务器未响应。\",\
                                  \"InnerExWrapper\":{\"Message\":\"执行超时已过期。\"}}";
const FIREWALL: &str = "[{\"actionname\":\"showConfirm\",\"params\":[{\"title\":\"\",\"msg\":\"请求参数存在可疑数据,当前请求已经\
                        被拦截规则[caller_in_less_Point_Bracket]阻止!\",\"option\":0,\"msgType\":0}]}]";
const CTX_NULL: &str = "Kingdee.BOS.ServiceFacade.KDServiceFx.KDServiceException: 会话信息丢失 {ctx == null}";

/// The operation of a service, by the last part of its name in lower case.
pub fn operation(method: &str) -> &'static str {
    match method {
        "validateuser" | "loginbyappsecret" | "loginbysign" => "login",
        "save" | "batchsave" | "draft" => "save",
        "executebillquery" | "billquery" | "view" => "query",
        "submit" => "submit",
        "audit" => "audit",
        _ => "other",
    }
}
