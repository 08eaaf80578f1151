//! Staging as a whole: records in, files on disk, tables in SQL.

use super::*;
use crate::base::Kind;
use crate::base::record::{Page, Rid, SliceNo};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, Utc};
use datafusion::prelude::{SessionConfig, SessionContext};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

mod vendor;

const LOOSE: &str = "CREATE TABLE loose (k VARCHAR, m BIGINT, t VARCHAR, b BIGINT, i INTEGER, o BOOLEAN, d DECIMAL(18,6),
  w TIMESTAMP, y DATE, s STRUCT(a VARCHAR, n BIGINT), l STRUCT(a VARCHAR, n INTEGER, w STRUCT(q DECIMAL(9,2))[])[], v VARCHAR[])";

fn loose() -> TableDef {
    TableDef::parse("loose", LOOSE, "loose.sql").unwrap()
}

fn shared(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn trade() -> TableDef {
    TableDef::parse("trade", &shared("sql/staging/trade.sql"), "sql/staging/trade.sql").unwrap()
}

fn page(number: u32, records: &[String]) -> Page {
    let (mut text, mut ranges) = ("[".to_string(), Vec::new());
    for record in records {
        text.push_str(if ranges.is_empty() { " " } else { ", " });
        ranges.push(text.len()..text.len() + record.len());
        text.push_str(record);
    }
    text.push(']');
    let fetched_at = DateTime::<Utc>::from_timestamp_millis(1_717_557_960_123 + i64::from(number)).unwrap();
    Page { number, text, records: ranges, fetched_at }
}

struct Staged {
    dir: tempfile::TempDir,
    def: TableDef,
    files: Vec<SliceFile>,
}

impl Staged {
    fn new(def: TableDef) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), def, files: Vec::new() }
    }

    fn writer(&self, slice: SliceNo, drop: &[&str], twins: TwinSet) -> SliceWriter {
        let drop: Vec<String> = drop.iter().map(ToString::to_string).collect();
        let (key, version) = self.key();
        SliceWriter::create(self.dir.path(), &self.def, key, version, slice, &drop, twins).unwrap()
    }

    fn key(&self) -> (&'static str, &'static str) {
        if self.def.name() == "trade" { ("tradeNo", "gmtModified") } else { ("k", "m") }
    }

    fn stage(&mut self, slice: SliceNo, pages: &[Vec<String>]) -> StagedSlice {
        let mut writer = self.writer(slice, &[], TwinSet::default());
        for (number, records) in (0..).zip(pages) {
            writer.write_page(&page(number, records)).unwrap();
        }
        let staged = writer.finish().unwrap();
        self.add(&staged);
        staged
    }

    fn add(&mut self, staged: &StagedSlice) {
        self.files.push(SliceFile {
            slice: staged.slice,
            path: self.dir.path().join(&staged.path),
            rows: staged.rows,
            ddl_digest: staged.ddl_digest.clone(),
            checksum: staged.checksum.clone(),
        });
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|f| f.path.clone()).collect()
    }

    fn newest(&self, touched: Option<&HashSet<SliceNo>>) -> RowSet {
        newest(&self.files, touched, self.key().0, self.key().1).unwrap().rows
    }

    /// All values of a query, as text; null is `∅`.
    fn sql(&self, rows: Option<&RowSet>, query: &str) -> Vec<Vec<String>> {
        let (key, version) = self.key();
        let tables = StagedTables::new(&self.def, &self.files, key, version).unwrap();
        let config = SessionConfig::new()
            .with_target_partitions(1)
            .set_bool("datafusion.sql_parser.enable_ident_normalization", false);
        let session = SessionContext::new_with_config(config);
        for (name, table) in tables.providers(rows).unwrap() {
            session.register_table(name, table).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let batches = runtime.block_on(async { session.sql(query).await.unwrap().collect().await.unwrap() });
        let row = |b: &RecordBatch, i: usize| b.columns().iter().map(|c| shown(c, i)).collect();
        batches.iter().flat_map(|b| (0..b.num_rows()).map(move |i| row(b, i))).collect()
    }
}

fn shown(array: &ArrayRef, i: usize) -> String {
    if array.is_null(i) { "∅".to_string() } else { array_value_to_string(array, i).unwrap() }
}

/// Decodes one record; gives its row, the misfits and the drift.
fn decode(def: &TableDef, raw: &str) -> (RecordBatch, Vec<FieldCount>, Vec<FieldCount>) {
    let (key, version) = if def.name() == "trade" { ("tradeNo", "gmtModified") } else { ("k", "m") };
    let mut decoder = decode::Decoder::new(def, key, version).unwrap();
    let origin = decode::Origin { slice: 1, row: 0, page: 0, fetched_at: DateTime::UNIX_EPOCH, hash: 0 };
    decoder.push(raw, origin).unwrap();
    (decoder.take_batch().unwrap().unwrap(), decoder.misfits(), decoder.drift())
}

#[test]
fn each_json_value_fits_its_type_or_is_null_and_counted() {
    // (field, typed value, does not fit)
    let cases: &[(&str, &str, bool)] = &[
        (r#""t": "中 \"文\"\n\u0000😀""#, "中 \"文\"\n\0😀", false),
        (r#""t": 1739147106171755776"#, "1739147106171755776", false),
        (r#""t": 1.50e3"#, "1.50e3", false),
        (r#""t": {"a": [1, "x"]}"#, r#"{"a": [1, "x"]}"#, false),
        (r#""t": true"#, "true", false),
        (r#""t": """#, "", false),
        (r#""t": null"#, "∅", false),
        (r#""t": "half \ud83d pair""#, "half \u{fffd} pair", true),
        (r#""b": "1739147106171755776""#, "1739147106171755776", false),
        (r#""b": 1739147106171755776"#, "1739147106171755776", false),
        (r#""b": 99999999999999999999"#, "∅", true),
        (r#""b": true"#, "∅", true),
        (r#""i": "2""#, "2", false),
        (r#""i": 2147483648"#, "∅", true),
        (r#""i": [1]"#, "∅", true),
        (r#""o": "True""#, "true", false),
        (r#""o": 0"#, "false", false),
        (r#""o": 2"#, "∅", true),
        (r#""d": 12.3"#, "12.300000", false),
        (r#""d": "12.30""#, "12.300000", false),
        (r#""d": 1.2E3"#, "1200.000000", false),
        (r#""d": 0.1234567"#, "∅", true),
        (r#""d": """#, "∅", false),
        (r#""d": "63.98%""#, "∅", true),
        (r#""w": "2024-06-05 11:26:00""#, "2024-06-05T11:26:00", false),
        (r#""w": 1717557960000"#, "2024-06-05T11:26:00", false),
        (r#""w": "0001-01-01 00:00:00""#, "∅", false),
        (r#""w": "gestern""#, "∅", true),
        (r#""y": "2024-06-05""#, "2024-06-05", false),
        (r#""s": {"n": 7, "a": "x"}"#, "{a: x, n: 7}", false),
        (r#""s": "{\"n\": \"7\"}""#, "{a: , n: 7}", false),
        (r#""s": """#, "∅", false),
        (r#""s": "no json""#, "∅", true),
        (r#""s": [{"n": 7}]"#, "∅", true),
        (r#""l": null"#, "∅", false),
        (r#""l": []"#, "[]", false),
        (r#""l": "[]""#, "[]", false),
        (r#""l": {"n": 1, "w": {"q": 1}}"#, "[{a: , n: 1, w: [{q: 1.00, _line: 1}], _line: 1}]", false),
        (r#""l": [{"a": "x"}, {}]"#, "[{a: x, n: , w: , _line: 1}, {a: , n: , w: , _line: 2}]", false),
        (r#""l": [null, {"n": 2}]"#, "[{a: , n: , w: , _line: 1}, {a: , n: 2, w: , _line: 2}]", true),
        (r#""l": "[{\"n\":1},{\"n\":\"x\"}]""#, "[{a: , n: 1, w: , _line: 1}, {a: , n: , w: , _line: 2}]", true),
        (r#""l": "[{\"n\":1}""#, "∅", true),
        (r#""v": ["a", 1, null]"#, "[a, 1, ]", false),
        (r#""v": " [\"a\",\"b\"]""#, "[a, b]", false),
        (r#""v": "a,b""#, "∅", true),
        (r#""t": "first", "t": "second""#, "first", true),
        (r#""\u0074": "escaped name""#, "escaped name", false),
    ];
    for (field, typed, misfit) in cases {
        let raw = format!("{{ {field} }}");
        let column = field.split('"').nth(1).unwrap().replace("\\u0074", "t");
        let (batch, misfits, drift) = decode(&loose(), &raw);
        assert_eq!(&shown(batch.column_by_name(&column).unwrap(), 0), typed, "{raw}");
        assert_eq!(misfits.iter().map(|m| m.count).sum::<u64>(), u64::from(*misfit), "{raw}: {misfits:?}");
        assert_eq!(batch.column_by_name("_raw").unwrap().as_string::<i32>().value(0), raw);
        assert!(drift.is_empty(), "{raw}: {drift:?}");
    }
}

#[test]
fn drift_and_misfits_are_counted_by_path_with_the_first_sample() {
    let mut staged = Staged::new(loose());
    let records =
        ["1", "\"x\"", "\"y\""].map(|n| format!(r#"{{"k":"a{n}","new":{n},"l":[{{"n":{n},"zz":{{"q":{n}}}}}]}}"#));
    let slice = staged.stage(1, &[records.map(|r| r.replace("a\"", "a").replace("\"\",", "\",")).to_vec()]);
    let count = |path: &str, count, sample: &str| FieldCount { path: path.into(), count, sample: sample.into() };
    assert_eq!(slice.misfits, [count("l.n", 2, "x")]);
    assert_eq!(slice.drift, [count("l.zz", 3, r#"{"q":1}"#), count("new", 3, "1")]);
}

#[test]
fn a_file_holds_every_record_once_with_its_origin() {
    let mut staged = Staged::new(loose());
    let hostile = r#"{"k":"a","m":1,"t":"\u0000'); DROP TABLE x;--\u4e2d𠮷"}"#.to_string();
    let plain = |k: &str, m: i32| format!(r#"{{"k":"{k}","m":{m}}}"#);
    let pages =
        [vec![hostile.clone(), plain("b", 5), hostile.clone()], vec![plain("b", 5), plain("", 3), "{}".to_string()]];
    let slice = staged.stage(3, &pages);
    assert_eq!((slice.rows, slice.duplicates, slice.missing_keys), (4, 2, 2), "6 fetched = 4 staged + 2 duplicates");
    assert_eq!((slice.min_version, slice.max_version), (Some(1), Some(5)));
    assert_eq!(staged.names(), ["loose-00000003.parquet"]);
    assert_eq!(slice.bytes, staged.files[0].path.metadata().unwrap().len());
    let rows = staged.sql(None, "SELECT t, k, _rid, _slice, _page, _row, _fetched_at FROM loose_history");
    assert_eq!(rows[0][0], "\0'); DROP TABLE x;--中𠮷");
    let origin = |i: usize| rows[i][1..].join(" ");
    assert_eq!(origin(0), format!("a {} 3 0 0 2024-06-05T03:26:00.123Z", Rid::new(3, 0)));
    assert_eq!(origin(3), format!("∅ {} 3 1 3 2024-06-05T03:26:00.124Z", Rid::new(3, 3)));
    assert_eq!(find_key(&staged.files, "k", "b").unwrap(), [Rid::new(3, 1)]);
    let back = raw_record(&staged.files[0].path, Rid::new(3, 0)).unwrap().unwrap();
    assert_eq!((back.raw, back.page), (hostile.clone(), 0));
    assert_eq!(raw_record(&staged.files[0].path, Rid::new(3, 4)).unwrap(), None);

    // The neighbour shares an edge: what is there already is a duplicate.
    let twins = TwinSet::load(&staged.paths()).unwrap();
    let mut writer = staged.writer(4, &["t", "s.*"], twins);
    let stats = writer.write_page(&page(0, &[plain("b", 5), r#"{"k":"c","t":1,"s":{"a":2}}"#.into()])).unwrap();
    assert_eq!(stats, PageStats { records: 2, staged: 1, duplicates: 1 });
    let dropped = writer.finish().unwrap();
    let file = staged.dir.path().join(&dropped.path);
    assert_eq!(raw_record(&file, Rid::new(4, 0)).unwrap().unwrap().raw, r#"{"k":"c","s":{}}"#);
    assert_eq!(dropped.drift, []);
}

#[test]
fn what_is_no_record_is_refused_and_leaves_nothing() {
    let staged = Staged::new(loose());
    for bad in
        ["[1]", "1", r#"{"k":"#, r#"{"k":01}"#, r#"{"k":"a"} x"#, r#"{"l":[{"n":1,]}"#, "{\"t\":\"a\nb\"}", "nul"]
    {
        let mut writer = staged.writer(1, &[], TwinSet::default());
        let error = writer.write_page(&page(4, &["{}".into(), bad.to_string()])).expect_err(bad);
        assert_eq!(error.kind(), Kind::Protocol, "{bad}");
        assert!(error.to_string().starts_with("page 4, record 2"), "{error}");
        assert!(writer.finish().is_err(), "nothing is made of a half-read page");
        assert_eq!(staged.names(), [""; 0]);
    }
    let not_a_folder = staged.dir.path().join("file");
    std::fs::write(&not_a_folder, "").unwrap();
    let error =
        SliceWriter::create(&not_a_folder, &staged.def, "k", "m", 1, &[], TwinSet::default()).expect_err("a file");
    assert!(error.kind() == Kind::Local && error.to_string().contains("file"), "{error}");
}

#[test]
fn orphans_are_ours_and_nobody_elses() {
    let mut staged = Staged::new(loose());
    staged.stage(1, &[vec!["{}".into()]]);
    staged.stage(2, &[vec!["{}".into()]]);
    for name in
        ["notes.parquet", "loose-1.parquet", ".tmp-12-loose-00000003.parquet", "loose-00000001-2.parquet", ".tmp-x"]
    {
        std::fs::write(staged.dir.path().join(name), "").unwrap();
    }
    let known = HashSet::from(["loose-00000001.parquet".to_string()]);
    assert_eq!(remove_orphans(staged.dir.path(), &known).unwrap().len(), 3);
    assert_eq!(staged.names(), [".tmp-x", "loose-00000001.parquet", "loose-1.parquet", "notes.parquet"]);
    assert!(remove_orphans(&staged.dir.path().join("none"), &known).unwrap().is_empty());
}

/// Three slices with many versions of few keys, ties included.
fn versions(seed: u64) -> Staged {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut staged = Staged::new(loose());
    for slice in 1..=3 {
        let mut record = |i: usize| {
            let key = match random.u32(0..40) {
                0 => "null".to_string(),
                n => format!("\"k{n}\""),
            };
            let version = if random.u8(0..9) == 0 { "null".to_string() } else { random.u8(0..4).to_string() };
            let lines: Vec<String> = (0..random.u8(0..4)).map(|n| format!(r#"{{"a":"{i}/{n}","n":{n}}}"#)).collect();
            format!(r#"{{"k":{key},"m":{version},"t":"{slice}-{i}","l":[{}]}}"#, lines.join(","))
        };
        let pages: Vec<Vec<String>> = (0..3).map(|p| (0..2000).map(|i| record(p * 2000 + i)).collect()).collect();
        staged.stage(slice, &pages);
    }
    staged
}

#[test]
fn the_newest_version_wins_and_narrowed_reads_equal_a_filter() {
    for seed in 0..3 {
        let staged = versions(seed);
        let all = staged.sql(None, "SELECT k, m, _page, _rid, t, array_length(l) FROM loose_history");
        assert_eq!(all.len(), 18_000);
        let touched = (seed > 0).then(|| HashSet::from([2]));
        let in_touched = |row: &Vec<String>| touched.is_none() || row[3].parse::<i64>().unwrap() >> 32 == 2;
        let touched_keys: HashSet<&str> = all.iter().filter(|r| in_touched(r)).map(|r| r[0].as_str()).collect();
        let (mut best, mut expected) = (BTreeMap::new(), HashSet::new());
        for row in &all {
            let rid: i64 = row[3].parse().unwrap();
            let rank = (row[1].parse().unwrap_or(-1i32), row[2].parse::<i32>().unwrap(), rid);
            if row[0] == "∅" && in_touched(row) {
                expected.insert(Rid(rid));
            } else if row[0] != "∅" && touched_keys.contains(row[0].as_str()) {
                let winner = best.entry(row[0].as_str()).or_insert(rank);
                *winner = rank.max(*winner);
            }
        }
        expected.extend(best.values().map(|w| Rid(w.2)));
        let rows = staged.newest(touched.as_ref());
        assert_eq!(rows.iter().collect::<HashSet<_>>(), expected);

        // Narrowed to these, and to random sets, SQL sees exactly those rows in order.
        let mut random = fastrand::Rng::with_seed(seed);
        for density in [0, 1, 50, 5000, 18_000] {
            let pick: RowSet = all
                .iter()
                .map(|r| Rid(r[3].parse().unwrap()))
                .filter(|rid| if density == 0 { rows.contains(*rid) } else { random.u32(0..18_000) < density })
                .collect();
            let inside = |r: &&Vec<String>| pick.contains(Rid(r[3].parse().unwrap()));
            let naive: Vec<Vec<String>> = all.iter().filter(inside).cloned().collect();
            let query = "SELECT k, m, _page, _rid, t, array_length(l) FROM loose";
            assert_eq!(staged.sql(Some(&pick), query), naive, "seed {seed}, density {density}");
            assert_eq!(staged.sql(Some(&pick), "SELECT count(*) FROM loose"), [[naive.len().to_string()]]);
        }
    }
}

#[test]
fn the_flattened_view_equals_an_unnest_by_hand() {
    let mut staged = Staged::new(loose());
    let records = [
        r#"{"k":"a","t":"ta","l":[{"a":"1","n":1,"w":[{"q":1.5}]},{"a":"2"}],"v":["x"]}"#,
        r#"{"k":"b","l":null}"#,
        r#"{"k":"c","l":[]}"#,
        r#"{"k":"d","t":"td","l":[{"n":9}]}"#,
    ];
    staged.stage(1, &[records.map(ToString::to_string).to_vec()]);
    let empty = staged.stage(2, &[]);
    assert_eq!((empty.rows, empty.min_version), (0, None), "a window without records is a slice, too");
    let lines = staged.sql(None, "SELECT k, t, a, n, array_length(l_w), _line, _row, v FROM loose_l");
    let expected = ["a ta 1 1 1 1 0 [x]", "a ta 2 ∅ ∅ 2 0 [x]", "d td ∅ 9 ∅ 1 3 ∅"]
        .map(|l| l.split(' ').map(String::from).collect::<Vec<_>>());
    assert_eq!(lines, expected);
    assert_eq!(staged.sql(None, "SELECT count(*) FROM loose_l"), [["3"]]);
    assert_eq!(staged.sql(None, "SELECT sum(n), max(_raw) FROM loose_l"), [["10", records[3]]]);

    // In the trade table some names are those of the trade, too.
    let clash = StagedTables::schemas(&trade(), "tradeNo", "gmtModified").unwrap();
    let names: Vec<&str> = clash.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names[..3], ["trade", "trade_history", "trade_goodsDetail"]);
    let schema = clash[2].1.schema();
    for column in
        ["tradeNo", "tradeId", "goodsDetail_tradeId", "taxFee", "goodsDetail_taxFee", "sellCount", "_line", "_rid"]
    {
        assert!(schema.field_with_name(column).is_ok(), "{column}");
    }
    let twice = TableDef::parse("t", "CREATE TABLE t (k VARCHAR, m BIGINT, history STRUCT(a VARCHAR)[])", "f").unwrap();
    assert!(StagedTables::new(&twice, &[], "k", "m").is_err());
}

#[test]
fn a_slice_of_another_definition_is_refused_until_it_is_retyped() {
    let mut staged = Staged::new(loose());
    let records: Vec<String> =
        (0..3000).map(|i| format!(r#"{{"k":"k{i}","m":{i},"late":"{i}.50","t":"{i}"}}"#)).collect();
    let before = staged.stage(5, &[records[..1000].to_vec(), records[1000..].to_vec()]);
    assert_eq!(before.drift[0].path, "late");
    let old_origin = staged.sql(None, "SELECT _rid, _page, _row, _fetched_at, _raw, _hash FROM loose_history");
    staged.def =
        TableDef::parse("loose", &LOOSE.replace("t VARCHAR", "late DECIMAL(9,2), t INTEGER"), "loose.sql").unwrap();
    let refused = StagedTables::new(&staged.def, &staged.files, "k", "m").expect_err("another digest");
    assert!(refused.to_string().contains("slice 5"), "{refused}");

    let new = retype(&staged.files[0], &staged.def, "k", "m").unwrap();
    assert_eq!((new.path.as_str(), new.rows, &new.digest), ("loose-00000005-1.parquet", 3000, &before.digest));
    assert!(new.drift.is_empty() && new.ddl_digest != before.ddl_digest);
    staged.files.clear();
    staged.add(&new);
    assert_eq!(staged.sql(None, "SELECT sum(late), sum(t) FROM loose"), [["4500000.00", "4498500"]]);
    assert_eq!(staged.sql(None, "SELECT _rid, _page, _row, _fetched_at, _raw, _hash FROM loose_history"), old_origin);
}
