//! What Kingdee's texts mean: a book of recognisable parts, each with its class and our cure.
//!
//! Takes a message and a MsgCode, gives a [`Class`]. Texts change between builds, so a part that is not recognised is no
//! error: the document is then refused in the vendor's own words. Never decides what to do.
//!
//! Facts: parts collected from recorded answers and public code; MsgCodes from the vendor's page.

use crate::base::{Error, Kind};

/// What kind of trouble a message tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Somebody else is working on it: passes in seconds.
    EditLock,
    /// No valid session, or these credentials are refused.
    Session,
    /// A value that must be unique is used already.
    Duplicate,
    /// Audited already: for an audit that is success.
    AlreadyAudited,
    /// Changed by somebody else in between: passes.
    Changed,
    /// The database chose a victim: passes.
    Deadlock,
    /// What the document holds.
    Data,
    /// What is asked for is not there: form, field, entity.
    Configuration,
    /// Not allowed, not licensed, not bought.
    Rights,
    /// Stock does not allow it.
    Stock,
    /// A plug-in of this installation refused it.
    Plugin,
    /// The period of its date is closed.
    ClosedPeriod,
    /// The document of that id is not there any more.
    Gone,
    /// Set-up of the account set: an organisation not enabled.
    Setup,
    /// The server asks for fewer calls.
    Limit,
}

use Class::*;

/// Parts of texts; the first that is found counts, so what says more stands above what says less.
const BOOK: &[(Class, &[&str])] = &[
    (Session, &["会话信息已丢失", "ctx == null", "未登录", "重新登录"]),
    (EditLock, &["请稍候再使用", "请稍后再使用"]),
    (Deadlock, &["死锁", "deadlock"]),
    (Changed, &["已被其他用户修改", "已经被其他用户修改"]),
    (Duplicate, &["违反字段唯一性要求", "已经被使用", "编码唯一"]),
    (AlreadyAudited, &["已审核", "已经审核", "已提交", "已经提交"]),
    (ClosedPeriod, &["已关账", "已结账", "已经关账", "已经结账"]),
    (Gone, &["要读取的数据在系统中不存在", "可能已经被删除"]),
    (Configuration, &["元数据中标识为", "业务对象不存在", "实体不存在此属性", "data数据包中的参数"]),
    // Not 权限, 授权, 许可 alone: names of customers and materials hold them.
    (Rights, &["未购买", "许可证", "无权限", "没有权限", "新增权限", "不允许用户"]),
    (Setup, &["组织未启用", "未启用"]),
    (Stock, &["更新库存", "负库存", "库存不足"]),
    (Plugin, &["插件取消", "插件"]),
    (
        Data,
        &[
            "必填",
            "必录",
            "不能为空",
            "不能小于",
            "不能为0",
            "不能大于",
            "不存在",
            "不正确",
            "无效",
            "已禁用",
            "未审核",
            "唯一性",
        ],
    ),
];

impl Class {
    /// The class of a message; `code` helps where the text is not recognised.
    pub fn of(text: &str, code: Option<i64>) -> Option<Self> {
        let lower = text.to_lowercase();
        let known = BOOK.iter().find(|(_, parts)| parts.iter().any(|part| lower.contains(&part.to_lowercase())));
        known.map(|(class, _)| *class).or_else(|| match code? {
            1 => Some(Session),
            2 | 7 | 15 => Some(Rights),
            3 | 5 | 8 => Some(Configuration),
            13 => Some(EditLock),
            14 => Some(Limit),
            _ => None,
        })
    }

    /// Short and stable: the code of a [`Reason`](crate::base::record::Reason).
    pub fn word(self) -> &'static str {
        match self {
            EditLock => "edit lock",
            Session => "session",
            Duplicate => "duplicate",
            AlreadyAudited => "audited",
            Changed => "changed there",
            Deadlock => "deadlock",
            Data => "data",
            Configuration => "configuration",
            Rights => "rights",
            Stock => "stock",
            Plugin => "plug-in",
            ClosedPeriod => "closed period",
            Gone => "gone",
            Setup => "set-up",
            Limit => "limit",
        }
    }

    /// What helps.
    pub fn hint(self) -> &'static str {
        match self {
            EditLock => "somebody works on it in the ERP; deliver it again when that is over",
            Session => {
                "the server has no session for us and refuses these credentials: check sink.acct_id, sink.username, \
                 sink.app_id, sink.app_secret and sink.lcid, and that the user is allowed for this app \
                 (第三方系统登录授权)"
            }
            Duplicate => "look the number up in the ERP: is it this document?",
            AlreadyAudited => "nothing to do: it stands in that status already",
            Changed => "somebody changed it in between; deliver it again",
            Deadlock => {
                "the ERP's database was busy; deliver it again, or lower sink.in_flight and the option BatchCount"
            }
            Data => "correct the record at its source, the look-up or the mapping, then deliver again",
            Configuration => "compare sink.form, sink.entry, sink.verify and the mapping's field names with the form",
            Rights => "have the integration user given the right, or the module licensed, in the ERP",
            Stock => "post the missing stock, or send the option InterationFlags = \"STK_InvCheckResult\"",
            Plugin => "a plug-in of this installation refused it: ask who maintains the ERP",
            ClosedPeriod => "have the period reopened, or date the document into an open one",
            Gone => "it was deleted in the ERP; dukou asks for it again in the next run",
            Setup => "have the organisation enabled for this form in the ERP",
            Limit => "wait, lower sink.in_flight, or use another integration user",
        }
    }

    /// Does it pass by itself in seconds? Then one more try is worth its while.
    pub fn passes(self) -> bool {
        matches!(self, EditLock | Deadlock | Changed)
    }

    /// May every other document meet the same? A text alone does not tell: whether the run stops depends on whom the answer
    /// names and on what was stored before (`outcome.rs`).
    pub fn stops(self) -> bool {
        matches!(self, Configuration | Rights | Limit)
    }

    /// The error that ends the run, or answers a query.
    pub fn error(self, message: impl Into<String>) -> Error {
        let kind = match self {
            Configuration => Kind::Config,
            Rights | Session | Setup => Kind::Denied,
            Limit | EditLock | Deadlock | Changed => Kind::Unavailable,
            _ => Kind::Protocol,
        };
        Error::new(kind, message).hint(self.hint())
    }
}

/// Our cure for a message of Kingdee, where the message is recognised.
pub fn cure(text: &str) -> Option<&'static str> {
    Class::of(text, None).map(Class::hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognisable_texts_have_their_class() {
        let table: &[(&str, Option<i64>, Option<Class>)] = &[
            (
                "“demo”使用业务单据：“销售订单”业务操作-“[销售订单-2021-28-修改]”冲突，请稍候再使用。",
                Some(0),
                Some(EditLock),
            ),
            ("会话信息已丢失，请重新登录", Some(1), Some(Session)),
            ("... {ctx == null} ...", None, Some(Session)),
            ("用户未登录", None, Some(Session)),
            ("违反字段唯一性要求：编码唯一。[test5]在当前系统中已经被使用。", Some(11), Some(Duplicate)),
            ("单据编号为“XSCKD000001”的销售出库单，单据已经审核！", Some(11), Some(AlreadyAudited)),
            ("单据已审核", Some(11), Some(AlreadyAudited)),
            ("该单据已被其他用户修改", Some(11), Some(Changed)),
            ("事务(进程 ID 77)与另一个进程被死锁", Some(6), Some(Deadlock)),
            ("Transaction was DEADLOCKED", Some(6), Some(Deadlock)),
            ("字段“客户”是必填项", Some(11), Some(Data)),
            ("单据体实体【明细信息】第【1】行分录，【仓库】字段必录", Some(11), Some(Data)),
            ("含税单价不能小于等于0", Some(11), Some(Data)),
            ("非赠品价格不能为0", Some(11), Some(Data)),
            ("编码为“124312”的病人基本资料，姓名和证件号组合唯一性校验", Some(0), Some(Data)),
            ("元数据中标识为FNoSuchField的字段不存在", Some(9), Some(Configuration)),
            ("标识为“NO_SUCH_FORM”的业务对象不存在，或者被删除。", Some(4), Some(Configuration)),
            ("实体不存在此属性！[EntityType：BillHead]", None, Some(Configuration)),
            ("data数据包中的参数FieldKeys的值不能为空。", Some(8), Some(Configuration)),
            ("物料SKU99001在系统中不存在", Some(11), Some(Data)),
            ("子系统 23 未购买", Some(7), Some(Rights)),
            ("您没有销售退货单的新增权限", Some(2), Some(Rights)),
            ("无权限", None, Some(Rights)),
            ("许可证已过期", None, Some(Rights)),
            ("您没有权限执行此操作", None, Some(Rights)),
            ("物料“权限测试件”已禁用", Some(11), Some(Data)),
            ("物料“授权书”批号不合规", Some(11), None),
            ("客户“许可科技”的信用额度已超", Some(11), None),
            ("第三方应用：BOM配单 不允许用户demo 登录，请联系系统管理员添加！", None, Some(Rights)),
            ("更新库存出现可以忽略的异常数据", Some(11), Some(Stock)),
            ("出现负库存", Some(11), Some(Stock)),
            ("插件取消了保存操作", Some(11), Some(Plugin)),
            ("库存组织100在2024年1期间已关账", Some(11), Some(ClosedPeriod)),
            ("您要读取的数据在系统中不存在,可能已经被删除！[ID=127383]", None, Some(Gone)),
            ("组织未启用", None, Some(Setup)),
            ("无此说法", Some(14), Some(Limit)),
            ("无此说法", Some(11), None),
        ];
        for (text, code, class) in table {
            assert_eq!(Class::of(text, *code), *class, "{text}");
        }
        assert_eq!(cure("无此说法"), None);
        assert!(cure("插件取消了保存操作").is_some_and(|c| c.contains("plug-in")));
    }
}
