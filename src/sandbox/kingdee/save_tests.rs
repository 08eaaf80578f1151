//! What becomes of documents: the recorded answers, every refusal, the way from created to audited, all samples.

use serde_json::{Value, json};

use super::answer::failure;
use super::base::{Book, Given};
use super::form::{self, Kind};
use super::save::{Saving, Way};
use super::status::{Step, call};
use super::store::{State, Status};
use super::trouble::Trouble;
use super::value::Json;
use super::{KingdeeConfig, query};

/// The sample of this name.
fn sample(name: &str) -> Json {
    let path = format!("{}/tests/fixtures/vendor/kingdee-{name}.json", env!("CARGO_MANIFEST_DIR"));
    Json::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

struct Office {
    state: State,
    config: KingdeeConfig,
    trouble: Option<Trouble>,
}

impl Office {
    fn new(config: KingdeeConfig) -> Office {
        Office { state: State::new(config.closed_until), config, trouble: None }
    }

    fn save(&mut self, way: Way, data: &Value) -> Json {
        let now = "2026-11-22T02:00:00Z".parse().unwrap();
        let data = Json::parse(&data.to_string()).unwrap();
        Saving { state: &mut self.state, config: &self.config, way, trouble: self.trouble, now }.call(&data)
    }

    fn step(&mut self, step: Step, data: Value) -> Value {
        let now = "2026-11-22T02:00:00Z".parse().unwrap();
        let answer = call(&mut self.state, step, &Json::parse(&data.to_string()).unwrap(), self.trouble, now);
        status(&answer)
    }

    fn query(&self, data: Value) -> String {
        let data = Json::parse(&data.to_string()).unwrap();
        let form = data.get("FormId").map_or(form::FORM, Json::plain).to_owned();
        match query::rows(&self.state, &self.config, &form, &data) {
            Ok((_, rows)) => Json::List(rows.into_iter().map(Json::List).collect()).to_string(),
            Err(refusal) => format!("{} {}", refusal.code, refusal.message),
        }
    }
}

fn office() -> Office {
    Office::new(KingdeeConfig::default())
}

fn status(answer: &Json) -> Value {
    let answer: Value = serde_json::from_str(&answer.to_string()).unwrap();
    answer["Result"]["ResponseStatus"].clone()
}

/// A document that the ERP takes.
fn model(number: &str) -> Value {
    json!({
        "FBillTypeID": {"FNUMBER": "XSTHD01_SYS"},
        "FBillNo": number,
        "FDate": "2024-06-05",
        "FSaleOrgId": {"FNumber": "100"},
        "FStockOrgId": {"FNumber": "100"},
        "FRetcustId": {"FNumber": "CUST001"},
        "SubHeadEntity": {"FSettleOrgId": {"FNumber": "100"}, "FSettleCurrId": {"FNumber": "PRE001"}},
        "FEntity": [line("SKU00001"), line("SKU00002")],
    })
}

fn line(material: &str) -> Value {
    json!({"FMaterialId": {"FNumber": material}, "FRealQty": "2.50", "FTAXPRICE": 10.5, "FIsFree": false,
           "FReturnType": {"FNumber": "THLX01_SYS"}, "FOwnerTypeId": "BD_OwnerOrg", "FOwnerId": {"FNumber": "100"},
           "FStockId": {"FNumber": "CK001"}})
}

fn with(number: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut changed = model(number);
    change(&mut changed);
    changed
}

/// The answer with every id, number, field and message blotted out: its shape and the order of its keys.
fn shape(answer: &Json) -> Json {
    match answer {
        Json::Object(members) => Json::Object(
            members
                .iter()
                .map(|(key, value)| match key.as_str() {
                    "Id" | "Number" | "FieldName" | "Message" => (key.clone(), Json::Null),
                    _ => (key.clone(), shape(value)),
                })
                .collect(),
        ),
        Json::List(items) => Json::List(items.iter().map(shape).collect()),
        other => other.clone(),
    }
}

#[test]
fn answers_are_the_recorded_ones() {
    let mut office = office();
    let saved = office.save(Way::Save, &json!({"Model": with("", |model| model["FID"] = json!(0))}));
    assert_eq!(shape(&saved).to_string(), shape(&sample("resp-save-success")).to_string());
    assert_eq!(saved.get("Result").unwrap().get("Number").unwrap().plain(), "XSTHD000001");

    office.save(Way::Save, &json!({"Model": model("test5")}));
    let doubled = office.save(Way::Save, &json!({"Model": model("test5")}));
    assert_eq!(doubled.to_string(), sample("resp-save-duplicate-billno").to_string());

    let good = json!({"NeedReturnFields": ["FBillNo"], "Model": [model("T1"), model("T2")]});
    let answer = office.save(Way::BatchSave, &good);
    assert_eq!(shape(&answer).to_string(), shape(&sample("resp-batchsave-success-composed")).to_string());
    let returned = answer.get("Result").unwrap().get("NeedReturnData").unwrap();
    assert_eq!(returned.to_string(), r#"[{"FBillNo":"T1"},{"FBillNo":"T2"}]"#);

    let mut five: Vec<Value> = (0..5).map(|at| model(&format!("P{at}"))).collect();
    five[0]["FRetcustId"] = json!({"FNumber": ""});
    five[4]["FBillNo"] = json!("P1");
    let partial = office.save(Way::BatchSave, &json!({"Model": five, "NeedReturnFields": "FBillNo"}));
    assert_eq!(shape(&partial).to_string(), shape(&sample("resp-batchsave-partial")).to_string());

    let without = |at: usize| {
        with(&format!("N{at}"), |model| {
            model["FRetcustId"] = Value::Null;
            model["FEntity"] = json!([line("SKU00001"), line("SKU00001"), line("SKU00001")]);
            for line in model["FEntity"].as_array_mut().unwrap() {
                line["FStockId"] = json!({});
            }
        })
    };
    let errors = status(&office.save(Way::BatchSave, &json!({"Model": [without(0), without(1)]})))["Errors"].clone();
    let recorded: Value = serde_json::from_str(&sample("resp-batchsave-errors-outstock").to_string()).unwrap();
    let texts = |errors: &Value| {
        let mut texts: Vec<String> = errors
            .as_array()
            .unwrap()
            .iter()
            .map(|error| format!("{} {}", error["DIndex"], error["Message"]))
            .collect();
        texts.sort();
        texts
    };
    let expected = texts(&recorded["Errors"]).join("\n").replace("客户", "退货客户");
    assert_eq!(texts(&errors).join("\n"), expected);

    let lost = failure(super::answer::session_lost());
    assert_eq!(lost.to_string(), sample("resp-no-valid-session").to_string());
    let rows = super::answer::failure_as_rows(super::answer::session_lost());
    assert_eq!(rows.to_string(), sample("resp-executebillquery-no-valid-session").to_string());
}

#[test]
fn each_rule_refuses_with_its_field_and_text() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change, &str, &str); 18] = [
        ("no date", |m| m["FDate"] = json!(""), "FDate", "字段“日期”是必填项"),
        ("bad date", |m| m["FDate"] = json!("5.6.2024"), "FDate", "【日期】字段的值格式不正确"),
        ("no customer", |m| m["FRetcustId"] = Value::Null, "FRetcustId", "字段“退货客户”是必填项"),
        ("no organisation", |m| m["FStockOrgId"] = json!({"FNumber": ""}), "FStockOrgId", "字段“库存组织”是必填项"),
        ("unknown customer", |m| m["FRetcustId"] = json!({"FNumber": "C9"}), "FRetcustId", "客户“C9”不存在"),
        ("plain text", |m| m["FRetcustId"] = json!("CUST001"), "FRetcustId", "格式不正确"),
        (
            "unknown material",
            |m| m["FEntity"][1]["FMaterialId"]["FNumber"] = json!("SKU99001"),
            "FMaterialId",
            "第【2】行分录，【物料编码】字段的物料“SKU99001”不存在",
        ),
        (
            "no material",
            |m| m["FEntity"][0]["FMaterialId"] = json!({}),
            "FMaterialId",
            "单据体实体【明细信息】第【1】行分录，【物料编码】字段必录",
        ),
        ("no quantity", |m| m["FEntity"][0]["FRealQty"] = json!(0), "FRealQty", "第【1】行分录，【实退数量】字段必录"),
        ("negative quantity", |m| m["FEntity"][0]["FRealQty"] = json!("-1"), "FRealQty", "必须大于0"),
        ("quantity of letters", |m| m["FEntity"][0]["FRealQty"] = json!("two"), "FRealQty", "格式不正确"),
        ("no price", |m| m["FEntity"][1]["FTAXPRICE"] = json!(0), "FTaxPrice", "含税单价不能小于等于0"),
        ("no lines", |m| m["FEntity"] = json!([]), "FEntity", "不能为空"),
        ("lines as object", |m| m["FEntity"] = json!({}), "FEntity", "应为数组"),
        (
            "finance inside the lines",
            |m| m["FEntity"][0]["SubHeadEntity"] = json!({}),
            "SubHeadEntity",
            "实体不存在此属性！[EntityType：FEntity]",
        ),
        (
            "line field on the head",
            |m| m["FMaterialId"] = json!({}),
            "FMaterialId",
            "实体不存在此属性！[EntityType：BillHead]",
        ),
        ("closed period", |m| m["FDate"] = json!("2023-12-31"), "FDate", "期间已关账"),
        ("number used", |m| m["FBillNo"] = json!("USED"), "FBillNo", "[USED]在当前系统中已经被使用。"),
    ];
    let mut office = Office::new(KingdeeConfig { closed_until: "2023-12-31".parse().ok(), ..KingdeeConfig::default() });
    office.save(Way::Save, &json!({"Model": model("USED")}));
    for (name, change, field, text) in cases {
        let answer = office.save(Way::Save, &json!({"IsVerifyBaseDataField": "True", "Model": with("X", change)}));
        let status = status(&answer);
        let errors = status["Errors"].as_array().unwrap();
        assert!(
            errors.iter().any(|e| e["FieldName"] == field && e["Message"].as_str().unwrap().contains(text)),
            "{name}: {status}"
        );
        assert_eq!((&status["IsSuccess"], &status["ErrorCode"]), (&json!(false), &json!(500)), "{name}");
        assert_eq!(office.state.documents().count(), 1, "{name}: nothing is stored");
    }
    let free = with("FREE", |m| {
        m["FEntity"][0]["FTAXPRICE"] = json!(0);
        m["FEntity"][0]["FIsFree"] = json!("true");
    });
    assert_eq!(status(&office.save(Way::Save, &json!({"Model": free})))["IsSuccess"], true);
    let illegal = with("ILLEGAL", |m| m["FEntity"][0]["FTAXPRICE"] = json!(0));
    let unjudged = office.save(Way::Save, &json!({"ValidateFlag": "false", "Model": illegal}));
    assert_eq!(status(&unjudged)["IsSuccess"], true, "without validation it slips through");
}

#[test]
fn without_verification_an_unknown_material_drops_its_line_silently() {
    let mut office = office();
    let bad = with("D", |m| m["FEntity"][1]["FMaterialId"]["FNumber"] = json!("SKU99001"));
    let answer = status(&office.save(Way::BatchSave, &json!({"IsVerifyBaseDataField": "false", "Model": [bad]})));
    assert_eq!((&answer["IsSuccess"], &answer["Errors"]), (&json!(true), &json!([])));
    let document = office.state.documents().next().unwrap();
    assert_eq!((document.lines.len(), document.dropped_lines), (1, 1));
    let unknown = with("E", |m| m["FRetcustId"]["FNumber"] = json!("C9"));
    let answer = status(&office.save(Way::Save, &json!({"Model": unknown})));
    assert_eq!(answer["Errors"][0]["Message"], "字段“退货客户”是必填项");
}

#[test]
fn lines_before_the_finance_part_lose_their_price() {
    let backwards = |number: &str| {
        let mut model = model(number);
        let finance = model.as_object_mut().unwrap().shift_remove("SubHeadEntity").unwrap();
        model["SubHeadEntity"] = finance;
        model
    };
    let mut strict = office();
    let answer = status(&strict.save(Way::Save, &json!({"Model": backwards("B")})));
    assert!(answer["Errors"][0]["Message"].as_str().unwrap().ends_with("含税单价不能小于等于0"), "{answer}");
    let without = with("W", |m| drop(m.as_object_mut().unwrap().shift_remove("SubHeadEntity")));
    assert_eq!(status(&strict.save(Way::Save, &json!({"Model": without})))["IsSuccess"], true);
    let mut lenient = Office::new(KingdeeConfig { order_sensitive: false, ..KingdeeConfig::default() });
    assert_eq!(status(&lenient.save(Way::Save, &json!({"Model": backwards("B")})))["IsSuccess"], true);
}

#[test]
fn documents_go_from_created_to_audited_and_back() {
    let mut office = office();
    office.save(Way::BatchSave, &json!({"Model": [model("A"), model("B")]}));
    let id = office.state.id_of("B").unwrap();
    let said = |answer: &Value| answer["Errors"][0]["Message"].as_str().unwrap_or("").to_owned();
    assert!(said(&office.step(Step::Audit, json!({"Numbers": ["A"]}))).contains("未提交"));
    let both = office.step(Step::Submit, json!({"Numbers": [], "Ids": format!("{},{id}", id - 1)}));
    assert_eq!((&both["IsSuccess"], both["SuccessEntitys"].as_array().unwrap().len()), (&json!(true), 2));
    let mixed = office.step(Step::Audit, json!({"Numbers": ["A", "NOBODY"]}));
    assert_eq!(
        (&mixed["IsSuccess"], &mixed["MsgCode"], &mixed["Errors"][0]["DIndex"]),
        (&json!(false), &json!(0), &json!(1))
    );
    let again = office.step(Step::Audit, json!({"Numbers": ["A"]}));
    assert_eq!((said(&again).as_str(), &again["MsgCode"]), ("单据编号为“A”的销售退货单，单据已经审核！", &json!(11)));
    assert!(said(&office.step(Step::Delete, json!({"Numbers": ["A"]}))).contains("只允许删除"));
    office.state.audit_refusals.insert("B".to_owned(), "库存不足".to_owned());
    assert_eq!(said(&office.step(Step::Audit, json!({"Ids": id.to_string()}))), "库存不足");
    assert_eq!(office.step(Step::UnAudit, json!({"Numbers": ["A"]}))["IsSuccess"], true);
    assert_eq!(office.step(Step::Delete, json!({"Numbers": ["A"]}))["IsSuccess"], true);
    assert!(said(&office.step(Step::Audit, json!({"Ids": "1"}))).contains("可能已经被删除！[ID=1,"));
    assert_eq!(said(&office.step(Step::Audit, json!({}))), "编码值或内码值必须传其一。");
    assert_eq!(office.query(json!({"FieldKeys": "FBillNo,FDocumentStatus"})), r#"[["B","B"]]"#);
}

#[test]
fn saving_audits_in_one_go_and_a_refused_audit_undoes_it() {
    let mut office = office();
    office.state.audit_refusals.insert("NO".to_owned(), "库存不足".to_owned());
    let data = json!({"isAutoSubmitAndAudit": "TRUE", "Model": [model("YES"), model("NO")]});
    let answer = status(&office.save(Way::BatchSave, &data));
    assert_eq!(
        (&answer["SuccessEntitys"][0]["Number"], &answer["Errors"][0]["Message"]),
        (&json!("YES"), &json!("库存不足"))
    );
    let kept: Vec<_> = office.state.documents().map(|document| (document.number.clone(), document.status)).collect();
    assert_eq!(kept, [("YES".to_owned(), Status::Audited)]);
    office.config.refused_audit_undoes_save = false;
    let answer = status(&office.save(Way::BatchSave, &json!({"IsAutoSubmitAndAudit": true, "Model": [model("NO")]})));
    assert_eq!((&answer["IsSuccess"], &answer["SuccessEntitys"]), (&json!(false), &json!([])));
    assert_eq!(office.state.by_number("NO").next().map(|document| document.status), Some(Status::InAudit));
}

#[test]
fn troubles_of_a_save_do_what_they_say() {
    let batch = json!({"IsAutoSubmitAndAudit": true, "Model": [model("1"), model("2"), model("3")]});
    let cases = [
        // (trouble, named as saved, named as refused, documents, lines of all, audited)
        (None, 3, 0, 3, 6, 3),
        (Some(Trouble::LostSession { after: 2 }), 0, 1, 2, 4, 2),
        (Some(Trouble::LostSession { after: 3 }), 0, 1, 3, 6, 3),
        (Some(Trouble::EditLock), 2, 1, 2, 4, 2),
        (Some(Trouble::DropLine), 3, 0, 3, 5, 3),
        (Some(Trouble::Unlisted), 2, 0, 3, 6, 3),
        (Some(Trouble::NotAudited), 3, 0, 3, 6, 0),
        (Some(Trouble::LostBeforeAudit), 3, 0, 3, 6, 0),
        (Some(Trouble::AuditRefused), 0, 3, 0, 0, 0),
    ];
    for (trouble, saved, refused, documents, lines, audited) in cases {
        let mut office = office();
        office.trouble = trouble;
        let answer = status(&office.save(Way::BatchSave, &batch));
        let count = |name: &str| answer[name].as_array().unwrap().len();
        assert_eq!((count("SuccessEntitys"), count("Errors")), (saved, refused), "{trouble:?}: {answer}");
        let kept: Vec<_> = office.state.documents().collect();
        assert_eq!((kept.len(), kept.iter().map(|d| d.lines.len()).sum()), (documents, lines), "{trouble:?}");
        assert_eq!(kept.iter().filter(|d| d.status == Status::Audited).count(), audited, "{trouble:?}");
    }
    let mut office = office();
    office.state.locks.insert("L".to_owned());
    let locked = status(&office.save(Way::Save, &json!({"Model": model("L")})));
    let text = locked["Errors"][0]["Message"].as_str().unwrap();
    assert!(
        text.contains("冲突，请稍候再使用") && locked["MsgCode"] == 0 && locked["Errors"][0]["FieldName"].is_null()
    );
    assert_eq!(status(&office.save(Way::Save, &json!({"Model": model("L")})))["IsSuccess"], true, "once only");
    assert_eq!(office.state.tries["L"], 2);
}

#[test]
fn a_document_is_changed_by_its_id() {
    let mut office = office();
    office.save(Way::Save, &json!({"Model": model("C")}));
    let document = office.state.documents().next().unwrap().clone();
    let first = document.lines[0].entry_id;
    let change = |keep: &str| {
        json!({"IsDeleteEntry": keep, "Model": {"FID": document.fid, "FHeadNote": "new",
               "FEntity": [{"FENTRYID": first, "FRealQty": 9}]}})
    };
    assert_eq!(status(&office.save(Way::Save, &change("false")))["IsSuccess"], true);
    let rows = json!({"FieldKeys": "FBillNo,FHeadNote,FEntity_FEntryId,FRealQty", "OrderString": "FEntity_FEntryId"});
    let second = first + 1;
    assert_eq!(office.query(rows.clone()), format!(r#"[["C","new",{first},9],["C","new",{second},2.5]]"#));
    office.save(Way::Save, &change("true"));
    assert_eq!(office.query(rows), format!(r#"[["C","new",{first},9]]"#));
    office.step(Step::Submit, json!({"Numbers": ["C"]}));
    assert!(
        status(&office.save(Way::Save, &change("true")))["Errors"][0]["Message"].as_str().unwrap().contains("已经审核")
    );
    let gone = office.save(Way::Save, &json!({"Model": {"FID": 7, "FHeadNote": "x"}}));
    assert!(status(&gone)["Errors"][0]["Message"].as_str().unwrap().contains("[ID=7,"));
    assert_eq!(status(&office.save(Way::Save, &json!({})))["MsgCode"], 8);
}

#[test]
fn queries_page_and_refuse_as_known() {
    let mut office = office();
    let models: Vec<Value> = (1..=5).map(|n| model(&format!("Q{n}"))).collect();
    office.save(Way::BatchSave, &json!({"Model": models}));
    let cases = [
        (
            json!({"FieldKeys": "FID, FBILLNO,fdocumentstatus,FDate,FRetcustId.FNumber", "FilterString": "FBillNo in ('Q1','ZZ')"}),
            r#"[[100001,"Q1","A","2024-06-05T00:00:00","CUST001"]]"#,
        ),
        (
            json!({"FieldKeys": "FBillNo,FEntity_FSeq,FMaterialId.FNumber,FEntity_FTaxPrice", "FilterString": "FBillNo='Q2'"}),
            r#"[["Q2",1,"SKU00001",10.5],["Q2",2,"SKU00002",10.5]]"#,
        ),
        (
            json!({"FieldKeys": "FBillNo", "OrderString": "FBillNo desc", "StartRow": 1, "Limit": "2"}),
            r#"[["Q4"],["Q3"]]"#,
        ),
        (json!({"FieldKeys": "FBillNo", "StartRow": 2, "Limit": 2, "TopRowCount": 3}), r#"[["Q3"]]"#),
        (json!({"FieldKeys": "FBillNo", "StartRow": 4, "Limit": 2, "TopRowCount": 2}), "[]"),
        (
            json!({"FieldKeys": "FBillNo", "FilterString": "FMaterialId.FNumber='SKU00002' and FEntity_FSeq=2", "TopRowCount": 1}),
            r#"[["Q1"]]"#,
        ),
        (
            json!({"FieldKeys": "FSettleCurrId.FNumber,FRetcustId.FName", "FilterString": "FBillNo='Q5'"}),
            r#"[["PRE001","杭州云锦贸易有限公司"]]"#,
        ),
        (json!({"FieldKeys": ""}), "8 data数据包中的参数FieldKeys的值不能为空。"),
        (json!({"FieldKeys": "FNoSuchField"}), "9 元数据中标识为FNoSuchField的字段不存在"),
        (json!({"FieldKeys": "FDate.FNumber"}), "9 元数据中标识为FDate.FNumber的字段不存在"),
        (json!({"FieldKeys": "FBillNo", "FilterString": "FNope='1'"}), "9 元数据中标识为FNope的字段不存在"),
        (json!({"FieldKeys": "FBillNo", "FilterString": "FBillNo =="}), "4 GetRealExpress error..."),
        (json!({"FormId": "NO_SUCH_FORM", "FieldKeys": "FID"}), "4 标识为“NO_SUCH_FORM”的业务对象不存在，或者被删除。"),
        (json!({"FormId": "BD_MATERIAL", "FieldKeys": "FID"}), "9 元数据中标识为FID的字段不存在"),
        (
            json!({"FormId": "BD_MATERIAL", "FieldKeys": "FNumber,FBaseUnitId.FNumber,FForbidStatus",
                "FilterString": "FNumber='SKU00400' and FForbidStatus='A'"}),
            r#"[["SKU00400","Pcs","A"]]"#,
        ),
        (json!({"FormId": "BD_Currency", "FieldKeys": "FCODE", "FilterString": "FNUMBER='PRE001'"}), r#"[["CNY"]]"#),
        (
            json!({"FormId": "BD_OPERATOR", "FieldKeys": "FNumber,FName", "FilterString": "FOperatorType='XSY'", "Limit": 1}),
            r#"[["XSY001","张伟民"]]"#,
        ),
        (json!({"FormId": "ORG_Organizations", "FieldKeys": "FNumber"}), r#"[["100"],["101"]]"#),
    ];
    for (data, expected) in cases {
        assert_eq!(office.query(data.clone()), expected, "{data}");
    }
}

/// Makes every piece of base data known that a model refers to.
fn introduce(state: &mut State, value: &Json) {
    match value {
        Json::Object(members) => {
            for (key, value) in members {
                if let Some((_, field)) = form::find(key)
                    && let (Kind::Base(book), Given::Number(number)) = (field.kind, Given::read(value))
                    && book != Book::Open
                {
                    state.base.add(book, number, number);
                }
                introduce(state, value);
            }
        }
        Json::List(items) => items.iter().for_each(|item| introduce(state, item)),
        _ => {}
    }
}

#[test]
fn every_public_sample_of_the_form_is_judged_as_known() {
    let samples = [
        (sample("req-returnstock-save-php"), ""),
        (sample("req-returnstock-save-python-link"), ""),
        (sample("req-returnstock-save-dotnet-test"), ""),
        (sample("req-returnstock-batchsave-csharp"), ""),
        (sample("req-returnstock-batchsave-java-min"), ""),
        (sample("req-returnstock-batchsave-pda-outstock-link"), ""),
        (sample("req-returnstock-batchsave-seed-fields-composed"), ""),
        // Settlement fields on the head: whether the server used them is not known; this one refuses.
        (sample("req-returnstock-save-java-consumer"), "实体不存在此属性！[EntityType：BillHead]"),
        (sample("req-returnstock-template"), "字段“销售组织”是必填项"),
    ];
    for (at, (sample, refused)) in samples.into_iter().enumerate() {
        let config = KingdeeConfig { default_date: true, price_list: true, ..KingdeeConfig::default() };
        let mut office = Office::new(config);
        let data = sample.get("data").unwrap_or(&sample).clone();
        introduce(&mut office.state, &data);
        let models = match data.get("Model").unwrap() {
            Json::List(models) => models.len(),
            _ => 1,
        };
        let way = if matches!(data.get("Model"), Some(Json::List(_))) { Way::BatchSave } else { Way::Save };
        let answer = status(&office.save(way, &serde_json::from_str(&data.to_string()).unwrap()));
        if refused.is_empty() {
            assert_eq!((&answer["Errors"], office.state.documents().count()), (&json!([]), models), "sample {at}");
        } else {
            assert!(answer["Errors"].to_string().contains(refused), "sample {at}: {answer}");
        }
    }
}

#[test]
fn what_is_sent_is_kept_digit_by_digit_and_unknown_keys_are_noted() {
    let mut office = office();
    let sent = with("K", |m| {
        m["FEntity"][0]["FRealQty"] = json!("1.2300000001");
        m["FEntity"][0]["F_Strange"] = json!(1);
        m["F_Odd"] = json!({"FNumber": "x"});
        m["FHeadNote"] = json!("a\"b\n备注");
    });
    let answer = office.save(
        Way::Save,
        &json!({"Model": sent, "NeedReturnFields":
        ["FID", "FHeadNote", "FRetcustId.FNumber", "FEntity.FRealQty", "FEntity.FMaterialId.FNumber", "FNope"]}),
    );
    let returned = answer.get("Result").unwrap().get("NeedReturnData").unwrap().to_string();
    assert_eq!(
        returned,
        r#"[{"FID":100001,"FHeadNote":"a\"b\n备注","FRetcustId.FNumber":"CUST001","FEntity":[{"FRealQty":1.2300000001,"FMaterialId.FNumber":"SKU00001"},{"FRealQty":2.5,"FMaterialId.FNumber":"SKU00002"}]}]"#
    );
    let document = office.state.documents().next().unwrap();
    assert_eq!(document.ignored, ["FEntity.F_Strange", "F_Odd"]);
    assert_eq!(document.lines[0].fields.text("frealqty").as_deref(), Some("1.2300000001"));
    assert_eq!(document.field("FSettleCurrId").as_deref(), Some("PRE001"));
}
