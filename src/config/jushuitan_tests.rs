//! `[source]` of a Jushuitan pipeline as its authors get it wrong.

use super::pipeline::parse;
use crate::base::Fault;
use crate::config::model::{ParamValue, Pipeline, SourceConnector};
use crate::config::secret::Env;

const GOOD: &str = r#"description = "聚水潭 → 文件"

[source]
connector  = "jushuitan"
method     = "other.inout.query"
table      = "inout"
key        = "io_id"
version    = "modified"
url        = "${JST_URL}"
app_key    = "${JST_APP_KEY}"
app_secret = "${JST_APP_SECRET}"
access_token  = "${JST_ACCESS_TOKEN}"
refresh_token = "${JST_REFRESH_TOKEN}"

[source.params]
modified_begin = "{{LAST_SYNC_TIME|datetime}}"
modified_end   = "{{CURRENT_TIME|datetime}}"
so_ids     = ""
types      = "其它退货"
status     = ""
page_index = "{{PAGINATION_START_PAGE}}"
page_size  = "{{PAGINATION_PAGE_SIZE}}"

[source.window]
slice = "1d"

[source.history]
axis = "io_date"

[mapping]
sql = "mapping/returns.sql"

[sink]
connector = "file"
path = "${OUT}"
"#;

fn read(text: &str) -> Result<Pipeline, Vec<Fault>> {
    let dir = tempfile::tempdir().expect("a folder");
    for file in ["sql/staging/inout.sql", "sql/mapping/returns.sql"] {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, "").expect("a file");
    }
    parse("p", text, &dir.path().join("pipelines/p.toml"), dir.path())
}

fn faults(text: &str) -> Vec<String> {
    read(text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_file_is_read_with_the_vendors_defaults() {
    let source = read(GOOD).expect("no faults").source;
    assert_eq!((source.connector, source.window.page_size), (SourceConnector::Jushuitan, 50));
    assert_eq!((source.limits.calls_per_second, source.limits.calls_per_minute), (5.0, Some(100)));
    let history = source.history.expect("a history");
    assert_eq!((history.axis.as_str(), history.table_switches.as_slice()), ("io_date", &[][..]));
    let refresh = source.refresh_token.expect("a setting").resolve(&Env::only([("JST_REFRESH_TOKEN", "r")]));
    assert_eq!(refresh.expect("set").expose(), "r");
    assert_eq!(source.params[3], ("types".into(), ParamValue::Text("其它退货".into())));
    // Both tokens may be left out: an own-company application asks for them itself.
    let own: String = GOOD.lines().filter(|line| !line.contains("_TOKEN")).map(|line| format!("{line}\n")).collect();
    let source = read(&own).expect("no faults").source;
    assert_eq!((source.access_token, source.refresh_token), (None, None));
    let slower = GOOD.replace("[source.history]", "[source.limits]\ncalls_per_minute = 60\n[source.history]");
    assert_eq!(read(&slower).expect("no faults").source.limits.calls_per_minute, Some(60));
}

#[test]
fn each_single_fault_is_one_fault_with_place_and_cure() {
    let fifty_one = format!("so_ids = [{}]", (0..51).map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(","));
    let table: &[(&str, &str, &str, &str)] = &[
        // (text of GOOD, what stands there instead, line:column, part of message and hint)
        ("\"jushuitan\"", "\"jushitan\"", "4:14", "did you mean jushuitan?"),
        ("other.inout.query", "other.inout.upload", "5:14", "did you mean other.inout.query?"),
        ("\"io_id\"", "\"io_iid\"", "7:14", "did you mean io_id?"),
        ("\"io_id\"", "\"items.sku_id\"", "7:14", "has no field items.sku_id"),
        ("\"modified\"", "\"modifid\"", "8:14", "did you mean modified?"),
        ("\"${JST_REFRESH_TOKEN}\"", "\"eb1964a9d142423a\"", "13:17", "have the secret renewed"),
        ("so_ids     = \"\"", "soids = \"\"", "18:1", "did you mean so_ids?"),
        ("so_ids     = \"\"", "fields = \"io_id\"", "18:1", "the vendor would ignore it in silence"),
        ("so_ids     = \"\"", "warehouse = \"x\"", "18:1", "filter by it in the mapping"),
        ("so_ids     = \"\"", "so_ids = true", "18:10", "write a list"),
        ("so_ids     = \"\"", &fifty_one, "18:10", "the vendor takes at most 50"),
        ("so_ids     = \"\"", "wms_co_id = \"main\"", "18:13", "no whole number"),
        ("so_ids     = \"\"", "date_type = 2", "18:13", "axis = \"io_date\""),
        ("so_ids     = \"\"", "start_ts = 1", "18:12", "closed windows"),
        ("\"其它退货\"", "\"其他退货\"", "19:15", "did you mean 其它退货?"),
        ("\"其它退货\"", "[\"其它退货\", \"其它出库单\"]", "19:24", "did you mean 其它出库?"),
        ("status     = \"\"", "status     = \"Confirm\"", "20:15", "did you mean Confirmed?"),
        ("\"{{PAGINATION_START_PAGE}}\"", "0", "21:14", "from 1 to 1"),
        ("\"{{PAGINATION_PAGE_SIZE}}\"", "51", "22:14", "from 1 to 50"),
        ("\"{{PAGINATION_PAGE_SIZE}}\"", "\"{{PAGINATION_START_PAGE}}\"", "22:15", "it belongs in page_index"),
        ("\"{{PAGINATION_PAGE_SIZE}}\"", "\"{{CURRENT_TIME|datetime}}\"", "22:15", "as modified_begin or modified_end"),
        ("modified_end   = \"{{CURRENT_TIME|datetime}}\"\n", "\n", "16:1", "write modified_end too"),
        ("\"{{CURRENT_TIME|datetime}}\"", "\"2024-06-05 00:00:00\"", "17:18", "cannot be fixed"),
        ("slice = \"1d\"", "slice = \"8d\"", "25:9", "from 1s to 7d (the vendor refuses more)"),
        ("slice = \"1d\"", "page_size = 100", "25:13", "from 1 to 50"),
        ("axis = \"io_date\"", "axis = \"created\"", "28:8", "known here: io_date"),
        (
            "axis = \"io_date\"",
            "axis = \"io_date\"\ntable_switches = [1]",
            "29:1",
            "no key source.history.table_switches",
        ),
        ("[source.history]", "[source.limits]\ncalls_per_minute = 0\n[source.history]", "28:20", "out of range"),
    ];
    for (old, new, place, part) in table {
        assert!(GOOD.contains(old), "{old}");
        let found = faults(&GOOD.replacen(old, new, 1));
        let start = format!("pipelines/p.toml:{place}: ");
        let hits: Vec<_> = found.iter().filter(|f| f.starts_with(&start) && f.contains(part)).collect();
        // A vendor taken for another one makes more faults of one.
        assert!(hits.len() == 1 && (found.len() == 1 || new.contains("jushitan")), "{new}: {found:#?}");
        assert!(!found.join("").contains("eb1964a9d142423a"), "a secret is never shown");
    }
}
