//! Calls over the wire: shapes, sessions, faults, and what an inspection shows.

use std::sync::Arc;

use base64::Engine as _;
use serde_json::{Value, json};

use super::sign::kd_signature;
use super::{Erp, KingdeeConfig};
use crate::sandbox::tests::wire::{Heard, exchange, get};
use crate::sandbox::{Config, Sandbox};

struct Client {
    sandbox: Sandbox,
    erp: Arc<Erp>,
    /// Lines of the head sent with each call.
    head: String,
}

impl Client {
    /// A client that signs its calls.
    async fn start(kingdee: KingdeeConfig) -> Client {
        let data = format!("{},{},2052,0", kingdee.acct_id, kingdee.username);
        let signature = kd_signature(&kingdee.app_id, &data, &kingdee.app_secret);
        let data = base64::engine::general_purpose::STANDARD.encode(data);
        let head =
            format!("X-Kd-Appkey: {}\r\nX-Kd-Appdata: {data}\r\nX-Kd-Signature: {signature}\r\n", kingdee.app_id);
        let sandbox =
            Sandbox::start(Config { trades: 1, kingdee, ..Config::default() }, "127.0.0.1:0".parse().unwrap());
        let sandbox = sandbox.await.unwrap();
        Client { erp: sandbox.erp(), sandbox, head }
    }

    async fn post(&self, path: &str, head: &str, body: &str) -> Heard {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: erp\r\nconnection: close\r\ncontent-type: applicatin/json\r\n{head}\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        exchange(self.sandbox.address(), request).await
    }

    async fn call(&self, method: &str, body: &Value) -> Heard {
        let path = format!("/k3cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.{method}.common.kdsvc");
        self.post(&path, &self.head, &body.to_string()).await
    }

    async fn save(&self, numbers: &[&str]) -> Heard {
        let models: Vec<Value> = numbers.iter().map(|number| model(number)).collect();
        let data = json!({"IsAutoSubmitAndAudit": "true", "Model": models});
        self.call("BatchSave", &json!({"formid": "SAL_RETURNSTOCK", "data": data})).await
    }

    async fn query(&self, data: Value) -> Value {
        self.call("ExecuteBillQuery", &json!({"data": data})).await.json()
    }

    fn faults(&self, faults: &[&str]) {
        self.sandbox.set_faults(faults.iter().map(|fault| fault.parse().unwrap()).collect());
    }
}

fn model(number: &str) -> Value {
    json!({
        "FBillNo": number, "FDate": "2024-06-05", "FSaleOrgId": {"FNumber": "100"}, "FStockOrgId": {"FNumber": "100"},
        "FRetcustId": {"FNumber": "CUST001"},
        "FEntity": [{"FMaterialId": {"FNumber": "SKU00001"}, "FRealQty": 2, "FTaxPrice": 1, "FStockId": {"FNumber": "CK001"}}],
    })
}

fn status(heard: &Heard) -> Value {
    heard.json()["Result"]["ResponseStatus"].clone()
}

#[tokio::test]
async fn every_shape_and_every_letter_case_reaches_the_service() {
    let client = Client::start(KingdeeConfig::default()).await;
    let data = json!({"Model": model("A")}).to_string();
    let shapes = [
        json!({"formid": "SAL_RETURNSTOCK", "data": {"Model": model("A")}, "rid": 7}).to_string(),
        json!({"FormId": "sal_returnstock", "data": data}).to_string(),
        json!({"parameters": ["SAL_RETURNSTOCK", data]}).to_string(),
        json!({"format": 1, "useragent": "ApiClient", "parameters": json!(["SAL_RETURNSTOCK", data]).to_string()})
            .to_string(),
        url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("formid", "SAL_RETURNSTOCK"), ("data", data.as_str())])
            .finish(),
    ];
    let service = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Save.common.kdsvc";
    let paths = [service.to_owned(), service.to_lowercase(), service.to_uppercase()];
    for (shape, base) in shapes.iter().zip(["/k3cloud/", "/K3Cloud/", "/K3CLOUD/", "/k3Cloud/", "/K3cloud/"]) {
        for path in &paths {
            let heard = client.post(&format!("{base}{path}"), &client.head, shape).await;
            let answer = status(&heard);
            assert!(answer["IsSuccess"] == true && heard.status == 200, "{base} {shape}: {answer}");
            client.erp.remove("A");
        }
    }
    let bare = client.call("Save", &json!(["SAL_RETURNSTOCK", "{}"])).await;
    assert!(bare.status == 500 && String::from_utf8_lossy(&bare.body).contains("Additional text found in JSON string"));
    assert_eq!(client.post("/k3cloud/nothing.html", "", "{}").await.status, 404);
    let unknown = client.call("Save", &json!({"formid": "NO_SUCH_FORM", "data": {}})).await;
    assert_eq!(status(&unknown)["MsgCode"], 4);
    client.call("Save", &json!({"formid": "SAL_RETURNSTOCK", "data": {"Model": model("A")}})).await;
    let submit = json!({"formid": "SAL_RETURNSTOCK", "opNumber": "Submit", "data": {"Numbers": ["A"]}});
    for (name, left) in [("ExcuteOperation", "A"), ("ExecuteOperation", "B")] {
        assert_eq!(status(&client.call(name, &submit).await)["IsSuccess"], true);
        assert_eq!(client.erp.document("A").unwrap().status.letter(), left, "{name}: only the right spelling acts");
    }
}

#[tokio::test]
async fn sessions_come_by_signature_or_login_and_their_loss_is_told_in_the_wrapping_of_the_call() {
    let mut client = Client::start(KingdeeConfig { cookies_expire: true, ..KingdeeConfig::default() }).await;
    let first = client.save(&["A"]).await;
    assert_eq!(first.cookies.len(), 2);
    assert!(first.cookies[1].contains("; expires="), "{:?}", first.cookies);
    let cookie = first.cookies.iter().map(|cookie| cookie.split(';').next().unwrap()).collect::<Vec<_>>().join("; ");
    let signed = std::mem::replace(&mut client.head, format!("Cookie: {cookie}\r\n"));
    let second = client.save(&["B"]).await;
    assert!(second.cookies.is_empty() && status(&second)["IsSuccess"] == true);

    client.erp.end_sessions();
    let lost = client.save(&["C"]).await;
    assert_eq!((lost.status, &status(&lost)["MsgCode"], lost.cookies.len()), (200, &json!(1), 2));
    let lost = client.query(json!({"FormId": "SAL_RETURNSTOCK", "FieldKeys": "FID"})).await;
    assert_eq!(lost[0][0]["Result"]["ResponseStatus"]["Errors"][0]["Message"], "会话信息已丢失，请重新登录");
    let lost = client.call("BillQuery", &json!({"data": {}})).await;
    assert_eq!(status(&lost)["MsgCode"], 1);

    let config = KingdeeConfig::default();
    let login = json!({"acctID": config.acct_id, "username": config.username, "appid": config.app_id,
                       "appsecret": config.app_secret, "lcid": 2052});
    let path = "/k3cloud/Kingdee.BOS.WebApi.ServicesStub.AuthService.LoginByAppSecret.common.kdsvc";
    let heard = client.post(path, "", &login.to_string()).await.json();
    let sample = include_str!("../../../tests/fixtures/vendor/kingdee-resp-login-success-newer-composed.json");
    let sample: Value = serde_json::from_str(sample).unwrap();
    assert_eq!((&heard["LoginResultType"], &heard["IsSuccessByAPI"]), (&json!(1), &json!(true)));
    for (key, value) in heard.as_object().unwrap() {
        let kind = |value: &Value| std::mem::discriminant(value);
        assert_eq!(kind(value), kind(&sample[key]), "{key} is not as in the sample");
    }
    client.head = format!("kdservice-sessionid: {}\r\n", heard["KDSVCSessionId"].as_str().unwrap());
    assert_eq!(status(&client.save(&["D"]).await)["IsSuccess"], true);
    let logout = path.replace("LoginByAppSecret", "Logout");
    client.post(&logout, &client.head, "{}").await;
    assert_eq!(status(&client.save(&["E"]).await)["MsgCode"], 1);
    let centers =
        "/K3Cloud/Kingdee.BOS.ServiceFacade.ServicesStub.Account.AccountService.GetDataCenterList.common.kdsvc";
    assert_eq!(client.post(centers, "", "").await.json()[0]["Id"], config.acct_id.as_str());

    let data = base64::engine::general_purpose::STANDARD.encode("other,x,2052,0");
    let wrong = signed.lines().map(|line| match line.split_once(": ") {
        Some(("X-Kd-Appdata", _)) => format!("X-Kd-Appdata: {data}\r\n"),
        _ => format!("{line}\r\n"),
    });
    client.head = wrong.collect();
    let refused = client.save(&["F"]).await;
    assert_eq!(
        (refused.status, String::from_utf8_lossy(&refused.body).as_ref()),
        (500, "Fail to verify thirty passport")
    );
    assert_eq!(client.erp.count(), 3);
}

#[tokio::test]
async fn faults_count_saves_unless_they_name_an_operation() {
    let client = Client::start(KingdeeConfig::default()).await;
    let exists = || client.query(json!({"FormId": "SAL_RETURNSTOCK", "FieldKeys": "FBillNo"}));
    client.faults(&["kingdee:lost-reply@every:2", "kingdee:query/http-502@2"]);
    assert_eq!(exists().await, json!([]));
    assert_eq!(status(&client.save(&["1"]).await)["IsSuccess"], true);
    let gone = client.call("ExecuteBillQuery", &json!({"data": {}})).await;
    assert_eq!(gone.status, 502);
    let lost = client.save(&["2"]).await;
    assert!(lost.broken && lost.body.is_empty(), "acted, then reset");
    assert_eq!(exists().await, json!([["1"], ["2"]]));

    client.faults(&["kingdee:reset@1", "kingdee:commit-then-500@2"]);
    assert!(client.save(&["3"]).await.broken);
    assert_eq!(client.erp.document("3"), None, "reset before acting");
    assert_eq!(client.save(&["3"]).await.status, 500);
    assert!(client.erp.document("3").is_some(), "stored, then HTTP 500");
}

#[tokio::test]
async fn the_faults_of_its_own_are_played() {
    let client = Client::start(KingdeeConfig::default()).await;
    let own = |word: &str| format!("kingdee:own={word}@1");
    for (word, stored, said) in [
        ("response-error", 0, "response_error:"),
        ("response-error-after", 2, "response_error:"),
        ("firewall", 0, "当前请求已经被拦截规则"),
        ("ctx-null", 0, "{ctx == null}"),
        ("no-session", 0, "\"MsgCode\":1"),
        ("lost-session=1", 1, "\"MsgCode\":1"),
        ("end-sessions", 2, "\"IsSuccess\":true"),
        ("unlisted", 2, "\"SuccessEntitys\":[{\"Id\":"),
        ("edit-lock", 1, "请稍候再使用"),
        ("lost-before-audit", 2, ""),
    ] {
        client.faults(&[&own(word)]);
        let heard = client.save(&[&format!("{word}-1"), &format!("{word}-2")]).await;
        let text = String::from_utf8_lossy(&heard.body);
        assert!(text.contains(said) && heard.broken == said.is_empty(), "{word}: {text}");
        let kept =
            client.erp.documents().into_iter().filter(|document| document.number.starts_with(&format!("{word}-")));
        assert_eq!(kept.count(), stored, "{word}");
    }
    let behind = client.erp.document("lost-before-audit-1").unwrap();
    assert_eq!(behind.status.letter(), "A");
    let finish = json!({"formid": "SAL_RETURNSTOCK", "data": {"Ids": behind.fid.to_string()}});
    assert_eq!(status(&client.call("Submit", &finish).await)["IsSuccess"], true);
    client.faults(&["kingdee:audit/own=audit-refused@1"]);
    assert_eq!(status(&client.call("Audit", &finish).await)["MsgCode"], 11);
    assert_eq!(status(&client.call("Audit", &finish).await)["IsSuccess"], true);
}

#[tokio::test]
async fn an_unknown_word_is_no_fault() {
    let client = Client::start(KingdeeConfig::default()).await;
    let served = client.sandbox.served("kingdee");
    for (fault, known) in
        [("kingdee:own=nonsense@1", false), ("kingdee:own=lost-session=x@1", false), ("kingdee:own=firewall@1", true)]
    {
        assert_eq!(served.refusal(&fault.parse().unwrap()).is_none(), known, "{fault}");
    }
}

#[tokio::test]
async fn asynchronous_saves_are_fetched_by_their_task() {
    let client = Client::start(KingdeeConfig::default()).await;
    let body = json!({"formid": "SAL_RETURNSTOCK", "data": {"Model": [model("A")]}, "beginmethod": "BeginQueryImpl",
                      "querymethod": "QueryAsyncResult"});
    let begun = client.call("BatchSave", &body).await.json();
    let info = json!({"TaskId": begun["TaskId"], "Cancelled": false}).to_string();
    let done = client.call("QueryAsyncResult", &json!({"queryInfo": info})).await.json();
    let samples = include_str!("../../../tests/fixtures/vendor/kingdee-resp-async-task.json");
    let samples: Value = serde_json::from_str(samples).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for (heard, sample) in [(&begun, &samples[0]), (&done, &samples[1])] {
        assert_eq!((keys(heard), &heard["Status"]), (keys(sample), &sample["Status"]));
    }
    assert_eq!(done["Result"]["Result"]["ResponseStatus"]["SuccessEntitys"][0]["Number"], "A");
}

#[tokio::test]
async fn an_inspection_shows_what_it_holds() {
    let client = Client::start(KingdeeConfig::default()).await;
    client.save(&["XT 1"]).await;
    client.erp.seed_foreign("XT2", &[("FDate", "2024-01-01"), ("FRetcustId", "CUST002")], &[&[("FRealQty", "7.5")]]);
    let shown = async |path: &str| get(client.sandbox.address(), &format!("/sandbox/kingdee/{path}")).await;
    let truth = shown("truth").await.json();
    let expected =
        json!({"documents": 2, "by_status": {"C": 2}, "lines": 2, "quantity": "9.5", "foreign": 1, "save_calls": 1});
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&truth[key], value, "{truth}");
    }
    let list = shown("documents").await.json();
    assert_eq!(list[1], json!({"number": "XT2", "fid": 100_002, "status": "C", "lines": 1}));
    let one = shown("document/XT%201").await.json();
    assert_eq!(one[0]["lines"][0]["fields"]["FMaterialId"]["FNumber"], "SKU00001");
    assert_eq!(shown("document/nobody").await.status, 404);
    let view = client.call("View", &json!({"formid": "SAL_RETURNSTOCK", "data": {"Number": "XT2"}})).await.json();
    assert_eq!(view["Result"]["Result"]["RetcustId"]["Number"], "CUST002");
    let info = client.call("QueryBusinessInfo", &json!({"data": {"FormId": "SAL_RETURNSTOCK"}})).await.json();
    assert_eq!(info["Result"]["NeedReturnData"]["Entrys"][2]["Key"], "FEntity");
    assert_eq!(client.erp.doubled(), Vec::<String>::new());
    client.erp.seed_foreign("XT2", &[], &[]);
    assert_eq!(client.erp.doubled(), ["XT2"]);
}
