//! Every answer of the vendor that its documentation shows goes the whole way from reply to Parquet, byte for byte.

use crate::support_project::Project;
use dukou::base::clock::Clock as _;
use dukou::base::clock::SystemClock;
use dukou::base::record::Rid;
use dukou::config::pipeline;
use dukou::config::secret::Env;
use dukou::net::Reply;
use dukou::source::jackyun::Jackyun;
use dukou::source::{Ask, AskKind, Source as _, Step};
use dukou::staging::writer::TwinSet;
use dukou::staging::{SliceWriter, TableDef, raw_record};

/// (sample, method, table DDL, key, version)
const SAMPLES: [(&str, &str, &str, &str, &str); 4] = [
    (
        "jackyun-oms.trade.fullinfoget-success-doc-repaired.json",
        "oms.trade.fullinfoget",
        include_str!("../../../sql/staging/trade.sql"),
        "tradeNo",
        "gmtModified",
    ),
    (
        "jackyun-erp.storage.goodslist-success-doc.json",
        "erp.storage.goodslist",
        "CREATE TABLE trade (goodsNo VARCHAR, goodsGmtModified TIMESTAMP, retailPrice DECIMAL(18,6))",
        "goodsNo",
        "goodsGmtModified",
    ),
    (
        "jackyun-erp-goods.goods.getforqimen-success-doc.json",
        "erp-goods.goods.getforqimen",
        "CREATE TABLE trade (itemCode VARCHAR, volume BIGINT)",
        "itemCode",
        "volume",
    ),
    (
        "jackyun-wms.order.query-info-success-doc.json",
        "wms.order.query-info",
        "CREATE TABLE trade (orderNo VARCHAR, sendTime TIMESTAMP)",
        "orderNo",
        "sendTime",
    ),
];

#[test]
fn every_documented_answer_is_staged_with_its_records_byte_for_byte() {
    let project = Project::new();
    let path = project.path("pipelines/jackyun_trades_to_sqlite.toml");
    let mut source = pipeline::load(&path, &project.path("")).expect("a sound pipeline").source;
    let variables = [("JACKYUN_URL", "https://vendor/"), ("JACKYUN_APP_KEY", "key"), ("JACKYUN_APP_SECRET", "secret")];
    let env = Env::only(variables.map(|(name, value)| (name, value.to_string())));
    for (slice, (sample, method, ddl, key, version)) in (1..).zip(SAMPLES) {
        let answer = std::fs::read_to_string(format!("{}/tests/fixtures/vendor/{sample}", env!("CARGO_MANIFEST_DIR")));
        let answer = answer.expect("the sample");
        source.method = method.to_string();
        let ask = Ask { kind: AskKind::Adhoc, set: vec![("tradeNo".into(), "A".into())] };
        let mut pull = Jackyun::new(&source, &env).expect("an account").pull(&ask).expect("a pull");
        let now = SystemClock.now();
        assert!(pull.next_request(now).expect("a request").is_some());
        let body = answer.clone().into_bytes();
        let content_type = "application/json".to_string();
        let (retry_after, set_cookies) = (None, Vec::new());
        let reply =
            Reply { status: 200, content_type, date: Some(now), retry_after, set_cookies, body, received_at: now };
        let Step::Page(page) = pull.on_reply(reply).expect(sample) else { panic!("{sample}: no page") };
        assert!(pull.next_request(now).expect("the end").is_none(), "{sample}: one page");
        let raws: Vec<String> = page.raw_records().map(str::to_owned).collect();
        assert_eq!(raws.len(), 1, "{sample}");
        assert!(
            answer.contains(&raws[0]) && raws[0].len() * 10 > answer.len() * 7,
            "{sample}: {} bytes",
            raws[0].len()
        );

        let def = TableDef::parse("trade", ddl, sample).expect("a table");
        let mut writer = SliceWriter::create(&project.path(""), &def, key, version, slice, &[], TwinSet::default())
            .expect("a slice");
        writer.write_page(&page).expect("written");
        let staged = writer.finish().expect("staged");
        assert_eq!((staged.rows, staged.duplicates), (1, 0), "{sample}");
        let back = raw_record(&project.path(&staged.path), Rid::new(slice, 0)).expect("read").expect("a row");
        assert_eq!(back.raw, raws[0], "{sample}");
        // Each member is either declared or counted as drift.
        let members = serde_json::from_str::<serde_json::Map<_, _>>(&raws[0]).expect("an object");
        let declared = |name: &str| def.columns().iter().any(|c| c.name == name);
        let counted = |name: &str| staged.drift.iter().any(|d| d.path == name);
        let lost: Vec<&String> = members.keys().filter(|name| !declared(name) && !counted(name)).collect();
        assert!(lost.is_empty(), "{sample}: neither typed nor counted: {lost:?}");
    }
}
