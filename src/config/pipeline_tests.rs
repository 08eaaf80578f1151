//! The pipeline file as its authors get it wrong, and the shipped ones as they are.

use super::pipeline::{load, parse};
use crate::base::Fault;
use crate::config::model::{InsertIds, ParamValue, Pipeline, Scope, SinkConnector};
use crate::config::secret::Env;
use std::path::Path;
use std::time::Duration;

const GOOD: &str = r#"description = "吉客云 → SQLite"

[source]
connector  = "jackyun"
method     = "oms.trade.fullinfoget"
table      = "trade"
key        = "tradeNo"
version    = "gmtModified"
url        = "${JACKYUN_URL}"
app_key    = "${JACKYUN_APP_KEY}"
app_secret = "${JACKYUN_APP_SECRET}"

[source.params]
modified_begin = "{{LAST_SYNC_TIME datetime}}"
modified_end   = "{{CURRENT_TIME|dateTime}}"
fields = """
tradeNo, orderNo,
  goodsDetail.goodsNo"""
shopIds = [1647727244400592896, "1647727244400592886"]

[source.window]
slice = "6h"

[mapping]
sql = "mapping/returns.sql"
params = { org = "100" }

[lookup.customer]
csv = "lookup/customer.csv"
key = "name"

[sink]
connector = "sqlite"
path = "${DUKOU_SQLITE_PATH}"
main_sql = '''INSERT INTO t (a) VALUES (<{a: }>);'''
extend_sql_2 = "INSERT INTO u (a) VALUES (<{a: }>)"
extend_sql_10 = "INSERT INTO v (a) VALUES (<{a: }>)"
"#;

/// A root with the files that [`GOOD`] names.
fn root() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for file in ["sql/staging/trade.sql", "sql/mapping/returns.sql", "sql/lookup/customer.csv"] {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, "").expect("a file");
    }
    dir
}

fn read(text: &str) -> Result<Pipeline, Vec<Fault>> {
    let dir = root();
    parse("p", text, &dir.path().join("pipelines/p.toml"), dir.path())
}

fn faults(text: &str) -> Vec<String> {
    read(text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// [`GOOD`] with one place changed.
fn with(old: &str, new: &str) -> String {
    assert_eq!(GOOD.matches(old).count(), 1, "{old}");
    GOOD.replace(old, new)
}

#[test]
fn a_good_file_is_read_with_its_defaults() {
    let p = read(GOOD).expect("no faults");
    assert_eq!((p.name.as_str(), p.source.method.as_str()), ("p", "oms.trade.fullinfoget"));
    let names: Vec<&str> = p.source.params.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["modified_begin", "modified_end", "fields", "shopIds"], "in file order");
    assert_eq!(p.source.params[2].1, ParamValue::Text("tradeNo,orderNo,goodsDetail.goodsNo".to_owned()));
    let w = &p.source.window;
    assert_eq!((w.slice, w.overlap, w.settle), (hours(6), Duration::from_secs(300), Duration::from_secs(60)));
    assert_eq!((w.page_size, w.start, p.source.history), (200, None, None));
    let limits = &p.source.limits;
    assert_eq!((limits.calls_per_second, limits.max_page_bytes, limits.max_pages), (1.0, 64 << 20, 10_000));
    assert_eq!((p.mapping.params["org"].as_str(), p.mapping.scope), ("100", Scope::Touched));
    assert_eq!((p.sink.batch_docs, p.sink.in_flight, p.sink.in_doubt_wait), (500, 2, Duration::from_secs(180)));
    let SinkConnector::Sqlite { path, statements } = &p.sink.connector else { panic!("sqlite") };
    assert_eq!(path.resolve(&Env::only([("DUKOU_SQLITE_PATH", "x.db")])).expect("set").expose(), "x.db");
    assert_eq!(statements.extends.iter().map(|(k, _)| *k).collect::<Vec<_>>(), [2, 10], "by number, not by letter");
    assert_eq!(statements.insert_ids, InsertIds::Auto);
}

fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3_600)
}

#[test]
fn five_faults_are_five_faults_with_place_and_cure() {
    let text = with("version    = \"gmtModified\"", "version    = \"gmtmodified\"")
        .replace("app_secret =", "app_secrte =")
        .replace("tradeNo, orderNo,\n", "tradeNo, 单号, orderno,\n")
        .replace("slice = \"6h\"", "slice = 6")
        .replace("sql = \"mapping/returns.sql\"", "sql = \"mapping/return.sql\"");
    let shown = faults(&text.replace("单号, ", "")).join("\n");
    let expected = "\
pipelines/p.toml:8:14: source.version: a record of the vendor has no field gmtmodified
  hint: did you mean gmtModified?
pipelines/p.toml:11:1: no key source.app_secrte
  hint: did you mean app_secret?
pipelines/p.toml:17:10: the vendor has no field orderno
  hint: did you mean orderNo?
pipelines/p.toml:22:9: source.window.slice is a whole number without quotes
  hint: write a length of time with its unit, as \"1d\", \"6h\", \"5m\", \"30s\" or \"200ms\"
pipelines/p.toml:25:7: mapping.sql: there is no file sql/mapping/return.sql
  hint: did you mean mapping/returns.sql?";
    assert_eq!(shown, expected);
    // Chinese letters count as one column each.
    assert!(faults(&text).iter().any(|f| f.starts_with("pipelines/p.toml:17:14: the vendor has no field orderno")));
}

#[test]
fn each_single_fault_is_one_fault() {
    let long = "modified_end   = \"{{CURRENT_TIME|dateTime}}\"";
    let table: &[(&str, &str, &str, &str)] = &[
        // (text of GOOD, what stands there instead, line:column, part of message and hint)
        ("connector  = \"jackyun\"", "connector  = \"jackjun\"", "4:14", "did you mean jackyun?"),
        ("connector  = \"jackyun\"", "", "3:2", "source.connector is missing"),
        ("oms.trade.fullinfoget", "oms.trade.fulinfoget", "5:14", "did you mean oms.trade.fullinfoget?"),
        ("\"trade\"", "\"trades\"", "6:14", "did you mean staging/trade.sql?"),
        ("\"trade\"", "\"../trade\"", "6:14", "no table name"),
        ("\"tradeNo\"\n", "\"goodsDetail\"\nkey2 = 1\n", "8:1", "no key source.key2"),
        ("\"tradeNo\"\n", "7\n", "7:14", "source.key is a whole number"),
        ("\"${JACKYUN_APP_SECRET}\"", "\"0123456789abcdef\"", "11:14", "have the secret renewed"),
        ("\"${JACKYUN_URL}\"", "\"open.jackyun.com\"", "9:14", "write https://… or http://…"),
        ("\"${JACKYUN_URL}\"\n", "\"${JACKYUN_URL}\"\npage_size = 50\n", "10:1", "it belongs in [source.window]"),
        ("\"${JACKYUN_URL}\"\n", "\"${JACKYUN_URL}\"\nkey = \"tradeNo\"\n", "10:1", "key is there already"),
        ("[source.params]\n", "[source.params]\npage_size = 50\n", "14:1", "did you mean pageSize?"),
        ("[source.params]\n", "[source.params]\npageSize = 500\n", "14:12", "from 1 to 200"),
        ("[source.params]\n", "[source.params]\ncolumnExt = \"1\"\n", "14:1", "name it in fields"),
        ("[source.params]\n", "[source.params]\nhasTotal = true\n", "14:12", "write a whole number"),
        (
            "[source.params]\n",
            "[source.params]\nstartCreated = \"2024-06-05 00:00:00\"\n",
            "14:1",
            "write endCreated too",
        ),
        ("[source.params]\n", "[source.params]\nstartModified = \"2024-06-05 00:00:00\"\n", "14:17", "cannot be fixed"),
        ("[source.params]\n", "[source.params]\ntradeTime = \"2024-06-05\"\n", "14:13", "no time the vendor reads"),
        ("[source.params]\n", "[source.params]\nscrollId = \"abc\"\n", "14:12", "carried from page to page"),
        ("[source.params]\n", "[source.params]\ntradeStatus = \"done\"\n", "14:15", "no whole number"),
        (long, "modified_end   = \"{{CURENT_TIME|datetime}}\"", "15:19", "did you mean CURRENT_TIME?"),
        (long, "modified_end   = \"{{PAGINATION_PAGE_SIZE}}\"", "15:19", "it belongs in pageSize"),
        (long, "modified_end   = \"{{CURRENT_TIME|date}}\"", "15:19", "use the filter datetime"),
        (long, "modified_end   = \"bis {{CURRENT_TIME|datetime}}\"", "15:23", "must stand alone"),
        (long, "modified_end   = \"${system.now}\"", "15:19", "{{LAST_SYNC_TIME|datetime}}"),
        ("slice = \"6h\"", "slice = \"8d\"", "22:9", "from 1s to 7d (the vendor refuses more)"),
        ("slice = \"6h\"", "slice = \"6 hours\"", "22:9", "no length of time"),
        ("slice = \"6h\"", "page_size = 201", "22:13", "from 1 to 200"),
        ("slice = \"6h\"", "start = \"5.6.2024\"", "22:9", "Asia/Shanghai"),
        ("slice = \"6h\"", "[source.history]\naxis = \"modified\"", "23:8", "known here: created, consign"),
        ("slice = \"6h\"", "[source.history]\naxis = \"created\"\ntable_switches = [1, 3]", "24:22", "from 0 to 2"),
        ("slice = \"6h\"", "[source.limits]\ncalls_per_second = 0", "23:20", "out of range"),
        ("slice = \"6h\"", "[source.limits]\nmax_page_mib = \"8\"", "23:16", "write a whole number"),
        ("{ org = \"100\" }", "{ org = 100 }", "26:18", "write a text in quotes"),
        ("{ org = \"100\" }", "{ \"the org\" = \"100\" }", "26:12", "no name for a parameter"),
        (
            "csv = \"lookup/customer.csv\"",
            "csv = \"lookup/custommer.csv\"",
            "29:7",
            "did you mean lookup/customer.csv?",
        ),
        ("csv = \"lookup/customer.csv\"", "csv = \"/etc/passwd\"", "29:7", "leaves sql/"),
        ("csv = \"lookup/customer.csv\"", "", "28:9", "lookup.customer.csv is missing"),
        ("connector = \"sqlite\"", "connector = \"sqllite\"", "33:13", "did you mean sqlite?"),
        ("path = \"${DUKOU_SQLITE_PATH}\"", "url = \"${DUKOU_SQLITE_PATH}\"\npath = \"x\"", "34:1", "no key sink.url"),
        ("main_sql = '''INSERT INTO t (a) VALUES (<{a: }>);'''", "", "32:2", "sink.main_sql is missing"),
        ("VALUES (<{a: }>);'''", "VALUES ({{a}});'''", "35:41", "write <{name: }>"),
        ("extend_sql_2 =", "extend_sql2 =", "36:1", "did you mean extend_sql_1?"),
        ("extend_sql_2 =", "insert_ids = \"return\"\nextend_sql_2 =", "36:14", "did you mean returning?"),
        ("description =", "[sinks]\nx = 1\n[x]\ny =", "1:2", "no key sinks"),
    ];
    for (old, new, place, part) in table {
        let found = faults(&with(old, new));
        let start = format!("pipelines/p.toml:{place}: ");
        let hits: Vec<_> = found.iter().filter(|f| f.starts_with(&start) && f.contains(part)).collect();
        assert_eq!(hits.len(), 1, "{new}: {found:#?}");
        // The last rows lose or add sections, which are faults of their own.
        let alone = !new.contains("[x]") && !new.contains("\"goodsDetail\"");
        assert!(!alone || found.len() == 1, "{new}: {found:#?}");
        assert!(!found.join("").contains("0123456789abcdef"), "a secret is never shown");
    }
}

#[test]
fn what_is_dropped_must_exist_and_may_not_be_the_key() {
    let drop = |patterns: &str| faults(&with("[source.params]\n", &format!("drop = [{patterns}]\n[source.params]\n")));
    assert_eq!(drop("\"payer*\", \"receiver_*\", \"goodsDetail.goodsMemo\""), Vec::<String>::new());
    let found = drop("\"payerPhon\", \"trade*\", \"*\", \"a*b\", 5");
    assert_eq!(found.len(), 5, "{found:#?}");
    for (fault, part) in
        found.iter().zip(["payerPhone?", "would drop tradeNo", "no pattern", "no pattern", "a list of texts"])
    {
        assert!(fault.contains(part), "{fault}");
    }
}

#[test]
fn a_file_that_is_not_toml_says_where() {
    let found = faults(&with("slice = \"6h\"", "slice = \"6h"));
    assert!(found.iter().any(|f| f.starts_with("pipelines/p.toml:22:") && f.contains("not TOML")), "{found:#?}");
    assert!(
        found.iter().all(|f| !f.contains("is missing")),
        "what could not be read is not called missing: {found:#?}"
    );
    let found = faults(&with("slice = \"6h\"", "slice =").replace("\"trade\"", "\"trades\""));
    assert_eq!(found.len(), 2, "the faults beside it are told as well: {found:#?}");
    let empty = faults("");
    assert_eq!(empty.len(), 3, "source, mapping and sink: {empty:#?}");
    let dir = root();
    let latin = dir.path().join("latin.toml");
    std::fs::write(&latin, b"a = 1\ndescription = \"\xff\"").expect("a file");
    let found = load(&latin, dir.path()).expect_err("not UTF-8");
    assert_eq!((found[0].line, found[0].column), (2, 16));
    let absent = load(&dir.path().join("none.toml"), dir.path()).expect_err("no such file");
    assert!(absent[0].to_string().starts_with("none.toml: "), "{absent:?}");
}

const MAIN_SQL: &str = "INSERT INTO lehua.sale_return ( dispatch_id, return_status, return_reason, receive_cust_id, receive_phone, receive_address, delivery_date, date) VALUES ( <{dispatch_id: }>, <{return_status: }>, <{return_reason: }>, <{receive_cust_id: }>, <{receive_phone: }>, <{receive_address: }>, <{delivery_date: }>, <{date: }>);";
const EXTEND_SQL_1: &str = "INSERT INTO lehua.sale_return_detail (id, goods_id, must_qty, real_qty, unit_id, stock_id, stock_status, create_time) VALUES (<{lastInsertId: }>, <{goods_id: }>, <{must_qty: }>, <{real_qty: }>, <{unit_id: }>, <{stock_id: }>, <{stock_status: }>, <{create_time: }>);";

/// Files the shipped pipelines name belong to other parts; here only the pipelines themselves are judged.
fn shipped(name: &str) -> Pipeline {
    let dir = tempfile::tempdir().expect("a folder");
    for file in ["staging/trade", "mapping/jackyun_trades_to_mysql", "mapping/jackyun_trade_lines_to_mysql"] {
        let path = dir.path().join("sql").join(file).with_extension("sql");
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, "").expect("a file");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
    let text = std::fs::read_to_string(folder.join(name).with_extension("toml")).expect("a shipped pipeline");
    let path = dir.path().join("pipelines").join(name).with_extension("toml");
    parse(name, &text, &path, dir.path()).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

#[test]
fn the_shipped_pipelines_are_without_fault_and_hold_the_order() {
    let mysql = shipped("jackyun_trades_to_mysql");
    let SinkConnector::MySql { statements, .. } = &mysql.sink.connector else { panic!("mysql") };
    assert_eq!((statements.main_sql.as_str(), &statements.extends), (MAIN_SQL, &vec![(1, EXTEND_SQL_1.to_owned())]));
    let ParamValue::Text(fields) = &mysql.source.params.last().expect("params").1 else { panic!("fields") };
    assert_eq!(fields.split(',').count(), 162);
    assert!(fields.starts_with("checkTotal,tradeNo,") && fields.ends_with(",shopCode,scrollId,columnExt"));
    assert_eq!(mysql.source.params.len(), 20, "every request parameter of the order");
    assert_eq!(mysql.source.history.expect("a history").table_switches, [1, 2]);

    let lines = shipped("jackyun_trade_lines_to_mysql");
    let SinkConnector::MySql { statements, .. } = &lines.sink.connector else { panic!("mysql") };
    assert_eq!(statements.main_sql.replace("sale_return_line", "sale_return"), MAIN_SQL);
    assert_eq!(statements.extends[0].1.replace("sale_return_line_detail", "sale_return_detail"), EXTEND_SQL_1);
    let sqlite = shipped("jackyun_trades_to_sqlite");
    let SinkConnector::Sqlite { statements, .. } = &sqlite.sink.connector else { panic!("sqlite") };
    assert_eq!(statements.main_sql, MAIN_SQL);
    assert!(matches!(shipped("jackyun_trades_to_file").sink.connector, SinkConnector::File { .. }));
}
