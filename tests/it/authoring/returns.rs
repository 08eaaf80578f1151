//! Returns from 聚水潭 as 金蝶 documents: the shipped mappings over records in the vendor's shape, all the way from JSON text to the
//! bytes of `Model`. Two styles, one result; what the contract says of the usual slips.

use dukou::base::clock::parse_wall;
use dukou::base::record::{Mapped, Page, Rid};
use dukou::config::model::{Lookup, LookupFormat, Scope};
use dukou::mapping::{Contract, Fault, Lookups, MapStats, Mapping, MappingSpec, Misses};
use dukou::staging::writer::TwinSet;
use dukou::staging::{FieldCount, SliceFile, SliceWriter, StagedTables, TableDef};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const LAMBDAS: &str = "jushuitan_returns_to_kingdee";
const JOINS: &str = "jushuitan_returns_to_kingdee_flat";

pub fn shipped(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{file}: {e}"))
}

pub fn inout() -> TableDef {
    TableDef::parse("inout", &shipped("sql/staging/inout.sql"), "sql/staging/inout.sql").expect("a table")
}

/// The records of the composed page, as text.
fn composed() -> Vec<String> {
    let page: Value =
        serde_json::from_str(&shipped("tests/fixtures/returns/other.inout.query-composed.json")).expect("JSON");
    page["data"]["datas"].as_array().expect("records").iter().map(Value::to_string).collect()
}

/// Records as one staged slice.
struct Staged {
    _dir: tempfile::TempDir,
    tables: StagedTables,
    rows: u32,
    odd: (Vec<FieldCount>, Vec<FieldCount>),
}

impl Staged {
    fn of(records: &[String]) -> Self {
        let (dir, def) = (tempfile::tempdir().expect("a folder"), inout());
        let (mut text, mut ranges) = (String::new(), Vec::new());
        for record in records {
            ranges.push(text.len()..text.len() + record.len());
            text = text + record + "\n";
        }
        let fetched_at = chrono::DateTime::from_timestamp(1_717_557_960, 0).expect("a time");
        let page = Page { number: 0, text, records: ranges, fetched_at };
        let mut writer =
            SliceWriter::create(dir.path(), &def, "io_id", "modified", 1, &[], TwinSet::default()).expect("a slice");
        writer.write_page(&page).expect("written");
        let slice = writer.finish().expect("staged");
        let rows = u32::try_from(records.len()).expect("few");
        let (path, ddl_digest) = (dir.path().join(&slice.path), def.digest().to_owned());
        let file = SliceFile { slice: 1, path, rows, ddl_digest, checksum: String::new() };
        let tables = StagedTables::new(&def, &[file], "io_id", "modified").expect("tables");
        Self { _dir: dir, tables, rows, odd: (slice.misfits, slice.drift) }
    }

    /// Everything a mapping makes of the records, in chunks of `chunk`.
    async fn map(&self, spec: MappingSpec, chunk: usize) -> (Vec<Mapped>, MapStats, Misses) {
        let schemas = StagedTables::schemas(&inout(), "io_id", "modified").expect("tables");
        let mut mapping = Mapping::prepare(spec, &schemas).await.expect("a sound mapping");
        let tables = self.tables.clone().only(mapping.members());
        let provide = |rids: &[Rid]| tables.providers(Some(&rids.iter().copied().collect()));
        let (mut rows, mut stats) = (Vec::new(), MapStats::default());
        let rids: Vec<Rid> = (0..self.rows).map(|row| Rid::new(1, row)).collect();
        for part in rids.chunks(chunk) {
            let mut emit = |row| {
                rows.push(row);
                Ok(())
            };
            stats.add(mapping.map_rids(part, &provide, &mut emit).await.expect("mapped"));
        }
        (rows, stats, mapping.misses().clone())
    }
}

/// A shipped pipeline's mapping, as its file declares it.
fn spec(pipeline: &str) -> MappingSpec {
    let file: toml::Table = shipped(&format!("pipelines/{pipeline}.toml")).parse().expect("TOML");
    let text = |value: &toml::Value| value.as_str().expect("text").to_owned();
    let lookup = |(name, table): (&String, &toml::Value)| {
        let lookup = Lookup { file: text(&table["csv"]).into(), format: LookupFormat::Csv, key: text(&table["key"]) };
        (name.clone(), lookup)
    };
    let lookups: BTreeMap<String, Lookup> = file["lookup"].as_table().expect("look-ups").iter().map(lookup).collect();
    let sql = format!("sql/{}", text(&file["mapping"]["sql"]));
    let params = file["mapping"]["params"].as_table().expect("parameters");
    let contract = shipped(&format!("sql/{}", text(&file["sink"]["contract"])));
    MappingSpec {
        name: pipeline.to_owned(),
        sql_text: shipped(&sql),
        sql_label: sql,
        params: params.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        scope: Scope::Touched,
        lookups: Arc::new(Lookups::load(&lookups, &root().join("sql")).expect("look-ups")),
        key_field: Some(text(&file["sink"]["key_field"])),
        allow_empty: Vec::new(),
        contract: Some(Contract::parse(&contract).expect("a contract")),
        main_table: "inout".to_owned(),
        source_key: "io_id".to_owned(),
        source_version: "modified".to_owned(),
        requested: None,
        run_time: parse_wall("2024-06-30 23:59:59").expect("a time"),
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A document as it is sent, a blocked row with its reason.
fn shown(row: &Mapped) -> String {
    match row {
        Mapped::Document(document) => document.body.to_json(true),
        Mapped::Blocked { key, reason, .. } => format!("{} {reason}", key.as_deref().unwrap_or("-")),
    }
}

#[tokio::test]
async fn each_return_becomes_the_document_the_order_describes() {
    let staged = Staged::of(&composed());
    assert_eq!(staged.odd, (vec![], vec![]), "every field is declared and fits");
    let (rows, stats, misses) = staged.map(spec(LAMBDAS), 100).await;
    assert_eq!(stats, MapStats { documents: 6, blocked: 10, evaluation: 0 }, "the one that waits is left out");
    let missed: Vec<_> = misses.by_value.iter().map(|((table, key), n)| format!("{table} {key} {n}")).collect();
    assert_eq!(missed, ["salesman 新来的 1"], "of documents alone");

    let blocked: Vec<String> = rows.iter().filter(|row| row.document().is_none()).map(shown).collect();
    insta::assert_snapshot!(blocked.join("\n"), @r"
    XT20000005 [_reject] 无此退货客户 no such customer in lookup/customer.csv: 昆明盘龙花卉商行
    XT20000006 [_reject] 批次数量与明细不符 batch quantities do not add up to the line
    XT20000007 [_reject] 同一批次商品有多行 a batch-managed sku in several lines: which batch belongs to which is not told
    XT20000008 [_reject] 批次无对应明细 a batch without a line
    XT20000009 [contract] FEntity: the list has no lines
    XT20000011 [lookup] FEntity[1].FStockId: stock: no row for 11999
    XT20000012 [contract] FEntity[2].FMaterialId: is required, but null
    XT20000013 [_reject] 单价不是数字 sale_price is not a number
    XT20000014 [contract] FDate: is required, but null
    XT20000015 [contract] FEntity[2].FRealQty: is required, but null
    ");

    let bytes: Vec<String> = rows.iter().filter(|row| row.document().is_some()).map(shown).collect();
    // A source bill known for the first line alone; a price as text; "no date".
    insta::assert_snapshot!(bytes[0].replace(",\"", ",\n\""), @r##"
    {"FBillTypeID":{"FNUMBER":"XSTHD01_SYS"},
    "FBillNo":"XT20000001",
    "FSaleOrgId":{"FNumber":"100"},
    "FDate":"2024-06-05",
    "FStockOrgId":{"FNumber":"100"},
    "FRetcustId":{"FNumber":"CUST001"},
    "FHeadNote":"线下退货",
    "FSalesManID":{"FNumber":"XSY001"},
    "F_XC_Base":{"FNumber":"GD001"},
    "F_XC_Base1":{"FNumber":"YY001"},
    "SubHeadEntity":{"FSettleOrgId":{"FNumber":"100"},
    "FSettleCurrId":{"FNumber":"PRE001"}},
    "FEntity":[{"FMaterialId":{"FNumber":"SKU00001"},
    "FBarcode":"SKU00001",
    "FRealQty":2.000000,
    "FTAXPRICE":10.500000,
    "FIsFree":false,
    "FEntryTaxRate":13.00,
    "FReturnType":{"FNumber":"THLX01_SYS"},
    "FOwnerTypeId":"BD_OwnerOrg",
    "FOwnerId":{"FNumber":"100"},
    "FStockId":{"FNumber":"CK001"},
    "FDeliveryDate":"2024-06-05 11:26:00",
    "FNote":"袖口开线",
    "FSRCBILLTYPEID":"SAL_OUTSTOCK",
    "FSRCBILLNO":"XSCKD000001",
    "FORDERNO":"SO20240605001",
    "FEntity_Link":[{"FEntity_Link_FRuleId":"OutStock-SalReturnStock",
    "FEntity_Link_FSTableName":"T_SAL_OUTSTOCKENTRY",
    "FEntity_Link_FSBillId":"100001",
    "FEntity_Link_FSId":"100002"}]},{"FMaterialId":{"FNumber":"SKU00002"},
    "FBarcode":"SKU00002",
    "FRealQty":1.000000,
    "FTAXPRICE":99.900000,
    "FIsFree":false,
    "FEntryTaxRate":13.00,
    "FReturnType":{"FNumber":"THLX01_SYS"},
    "FOwnerTypeId":"BD_OwnerOrg",
    "FOwnerId":{"FNumber":"100"},
    "FStockId":{"FNumber":"CK001"},
    "FDeliveryDate":"2024-06-05 11:26:00",
    "FORDERNO":"SO20240605001"}]}
    "##);
    // A line of two batches is two lines, the order of the batches is kept, one of them has a date of its own.
    insta::assert_snapshot!(bytes[1].split_once("\"FEntity\":").expect("lines").1.replace("},{\"FMat", "},\n{\"FMat"), @r##"
    [{"FMaterialId":{"FNumber":"SKU00001"},"FBarcode":"SKU00001","FRealQty":1.000000,"FTAXPRICE":3.000000,"FIsFree":false,"FEntryTaxRate":13.00,"FReturnType":{"FNumber":"THLX01_SYS"},"FOwnerTypeId":"BD_OwnerOrg","FOwnerId":{"FNumber":"100"},"FStockId":{"FNumber":"CK001"},"FDeliveryDate":"2024-06-05 11:26:00"},
    {"FMaterialId":{"FNumber":"SKU00008"},"FBarcode":"SKU00008","FRealQty":3.000000,"FTAXPRICE":20.000000,"FIsFree":false,"FEntryTaxRate":13.00,"FReturnType":{"FNumber":"THLX01_SYS"},"FOwnerTypeId":"BD_OwnerOrg","FOwnerId":{"FNumber":"100"},"FStockId":{"FNumber":"CK001"},"FLot":{"FNumber":"B2"},"FProduceDate":"2024-02-01","FDeliveryDate":"2024-06-05 11:26:00","FNote":"近效期","FExpiryDate":"2025-01-01"},
    {"FMaterialId":{"FNumber":"SKU00008"},"FBarcode":"SKU00008","FRealQty":2.000000,"FTAXPRICE":20.000000,"FIsFree":false,"FEntryTaxRate":13.00,"FReturnType":{"FNumber":"THLX01_SYS"},"FOwnerTypeId":"BD_OwnerOrg","FOwnerId":{"FNumber":"100"},"FStockId":{"FNumber":"CK001"},"FLot":{"FNumber":"B1"},"FProduceDate":"2024-01-01","FDeliveryDate":"2024-06-05 11:26:00","FNote":"近效期","FExpiryDate":"2025-01-01"}]}
    "##);
    // Archived, free, without distributor, salesman, order and remarks; quantities below one.
    insta::assert_snapshot!(bytes[2].replace(",\"F", ",\n\"F"), @r##"
    {"FBillTypeID":{"FNUMBER":"XSTHD01_SYS"},
    "FBillNo":"XT20000003",
    "FSaleOrgId":{"FNumber":"100"},
    "FDate":"2024-06-05",
    "FStockOrgId":{"FNumber":"100"},
    "FRetcustId":{"FNumber":"CUST902"},
    "F_XC_Base1":{"FNumber":"YY002"},"SubHeadEntity":{"FSettleOrgId":{"FNumber":"100"},
    "FSettleCurrId":{"FNumber":"PRE001"}},
    "FEntity":[{"FMaterialId":{"FNumber":"SKU00003"},
    "FBarcode":"SKU00003",
    "FRealQty":1.000000,
    "FTAXPRICE":0.000000,
    "FIsFree":true,
    "FEntryTaxRate":13.00,
    "FReturnType":{"FNumber":"THLX01_SYS"},
    "FOwnerTypeId":"BD_OwnerOrg",
    "FOwnerId":{"FNumber":"100"},
    "FStockId":{"FNumber":"CK002"},
    "FLot":{"FNumber":"L-77"},
    "FDeliveryDate":"2024-06-05 11:26:00"},{"FMaterialId":{"FNumber":"SKU00004"},
    "FBarcode":"SKU00004",
    "FRealQty":0.300000,
    "FTAXPRICE":0.100000,
    "FIsFree":false,
    "FEntryTaxRate":13.00,
    "FReturnType":{"FNumber":"THLX01_SYS"},
    "FOwnerTypeId":"BD_OwnerOrg",
    "FOwnerId":{"FNumber":"100"},
    "FStockId":{"FNumber":"CK002"},
    "FDeliveryDate":"2024-06-05 11:26:00"}]}
    "##);
    assert!(bytes[3].contains(r#""FRetcustId":{"FNumber":"CUST002"}"#), "drop_co_name: {}", bytes[3]);
    assert!(!bytes[4].contains("FSalesManID"), "an unknown salesman is left out and counted: {}", bytes[4]);
    assert!(bytes[5].contains(r#""FRealQty":0.100000"#), "0.1 + 0.2 is 0.3: {}", bytes[5]);
    for document in &bytes {
        let at = |name: &str| document.find(&format!("\"{name}\":")).expect("there");
        assert!(at("SubHeadEntity") < at("FEntity") && at("FRetcustId") < at("SubHeadEntity"), "{document}");
    }
}

#[tokio::test]
async fn every_target_field_of_the_order_is_filled() {
    let (rows, ..) = Staged::of(&composed()).map(spec(LAMBDAS), 100).await;
    let sent: String = rows.iter().filter(|row| row.document().is_some()).map(shown).collect();
    let head = "FBillTypeID FBillNo FSaleOrgId FDate FStockOrgId FRetcustId FHeadNote FSalesManID F_XC_Base F_XC_Base1 FEntity";
    let line = "FMaterialId FBarcode FRealQty FTAXPRICE FIsFree FEntryTaxRate FReturnType FOwnerTypeId FOwnerId FStockId FLot
        FProduceDate FDeliveryDate FNote FSRCBILLTYPEID FSRCBILLNO FORDERNO FExpiryDate FEntity_Link FEntity_Link_FRuleId
        FEntity_Link_FSTableName FEntity_Link_FSBillId FEntity_Link_FSId SubHeadEntity FSettleOrgId FSettleCurrId";
    for name in head.split_whitespace().chain(line.split_whitespace()) {
        assert!(sent.contains(&format!("\"{name}\":")), "{name} is in no document");
    }
}

/// A record made of dice: lines, batches that fit or do not, and now and then nothing or something odd in any place.
fn diced(dice: &mut fastrand::Rng, number: u32) -> String {
    let mostly = |dice: &mut fastrand::Rng, right: Value, odd: &[Value]| match dice.usize(..10 * odd.len()) {
        at if at < odd.len() => odd[at].clone(),
        _ => right,
    };
    let (nothing, empty, other) = (Value::Null, json!(""), json!("无"));
    let (mut items, mut batchs) = (Vec::new(), Vec::new());
    for line in 0..dice.u32(1..5) {
        let number = line * 2 + dice.u32(..3);
        let sku = mostly(dice, json!(format!("SKU0000{number}")), &[nothing.clone(), empty.clone()]);
        let weighed = dice.bool();
        let right = if weighed { json!(0.3) } else { json!(3) };
        let qty = mostly(dice, right, &[nothing.clone(), json!("2.5")]);
        if dice.bool() {
            for (share, no) in [(1, "B1"), (2, "B2")] {
                let part = if weighed { json!(f64::from(share) / 10.0) } else { json!(share) };
                batchs.push(json!({"batch_no": mostly(dice, json!(no), std::slice::from_ref(&nothing)), "sku_id": sku,
                    "qty": mostly(dice, part, std::slice::from_ref(&nothing)), "product_date": mostly(dice, json!("2024-01-01"), std::slice::from_ref(&empty))}));
            }
        }
        let price = [json!(0), json!(9.9), json!("12.30")][dice.usize(..3)].clone();
        items.push(json!({"ioi_id": line, "sku_id": sku, "qty": qty, "sale_price": mostly(dice, price, std::slice::from_ref(&nothing)),
            "batch_id": mostly(dice, empty.clone(), &[json!("L1"), nothing.clone()]), "remark": mostly(dice, json!("备注"), std::slice::from_ref(&empty)),
            "product_date": mostly(dice, json!("2023-05-06"), std::slice::from_ref(&nothing))}));
    }
    dice.shuffle(&mut batchs);
    let mut text = |right: &str| mostly(dice, json!(right), &[nothing.clone(), empty.clone(), other.clone()]);
    let (order, remark, creator) = (text("SO20240605001"), text("说明"), text("李秋菊"));
    let distributor = text("青岛市南海产商行");
    let record = json!({
        "io_id": 30_000_000 + number, "modified": "2024-06-05 12:00:00", "so_id": order, "remark": remark,
        "creator_name": creator, "drp_co_name": distributor,
        "io_date": mostly(dice, json!("2024-06-05 11:26:00"), std::slice::from_ref(&empty)),
        "status": mostly(dice, json!("Confirmed"), &[json!("Archive"), json!("Cancelled"), nothing.clone()]),
        "warehouse": mostly(dice, json!("成都分仓"), std::slice::from_ref(&nothing)),
        "wms_co_id": mostly(dice, json!(11003), &[json!(1), nothing.clone()]),
        "items": mostly(dice, json!(items), &[nothing.clone(), json!([])]),
        "batchs": mostly(dice, json!(batchs), &[nothing.clone(), json!([])]),
    });
    record.to_string()
}

#[tokio::test]
async fn both_styles_give_equal_bytes() {
    let mut records = composed();
    let mut dice = fastrand::Rng::with_seed(20_240_605);
    records.extend((0..400).map(|number| diced(&mut dice, number)));
    let staged = Staged::of(&records);
    let (lambdas, counted, missed) = staged.map(spec(LAMBDAS), 1000).await;
    let (joins, counted_too, missed_too) = staged.map(spec(JOINS), 97).await;
    for (one, other) in lambdas.iter().zip(&joins) {
        assert_eq!(shown(one), shown(other));
        assert_eq!(one, other, "down to digest and lineage");
    }
    assert_eq!((lambdas.len(), counted, missed), (joins.len(), counted_too, missed_too));
    let reasons: BTreeSet<String> =
        lambdas.iter().filter(|r| r.document().is_none()).map(|r| shown(r)[10..].to_owned()).collect();
    assert!(counted.documents > 30 && reasons.len() > 12, "{counted:?} {reasons:#?}");
}

/// A way to get the mapping wrong: what, the edits, and the faults.
type Slip = (&'static str, &'static [(&'static str, &'static str)]);

const SLIPS: &[Slip] = &[
    (
        "one line instead of a list of them",
        &[("  )))                        AS \"FEntity\"", "  )))[1]                     AS \"FEntity\"")],
    ),
    ("flatten forgotten", &[("  flatten(array_transform(items", "  (array_transform(items")]),
    ("a price as a float", &[("i['sale_price'],  ", "CAST(i['sale_price'] AS DOUBLE),")]),
    (
        "no {FNumber: …} around base data",
        &[
            ("{FNumber: lookup('stock', 'fnumber', wms_co_id)}", "lookup('stock', 'fnumber', wms_co_id)"),
            ("{FNumber: $org}            AS \"FSaleOrgId\"", "$org                       AS \"FSaleOrgId\""),
        ],
    ),
    (
        "misspelt fields",
        &[
            ("FMaterialId:  ", "FMaterialID:  "),
            ("AS \"FRetcustId\"", "AS \"FRetCustId\""),
            ("FSettleCurrId:", "FSettleCurrID:"),
        ],
    ),
    ("the bill type's key as other base data have it", &[("{FNUMBER: 'XSTHD01_SYS'}", "{FNumber: 'XSTHD01_SYS'}")]),
    ("a custom field nobody declared", &[("AS \"F_XC_Base1\"", "AS \"F_XC_Base2\"")]),
    (
        "the finance object after the lines",
        &[
            ("AS \"SubHeadEntity\"", "AS \"FReceiveAddress2\""),
            (
                "AS \"FEntity\"\n",
                "AS \"FEntity\",\n  {FSettleOrgId: {FNumber: $org}, FSettleCurrId: {FNumber: 'PRE001'}} AS \"SubHeadEntity\"\n",
            ),
        ],
    ),
    (
        "a reference table and a column that are not there",
        &[
            ("lookup('stock', 'fnumber'", "lookup('stocks', 'fnumber'"),
            ("lookup('operator', 'fnumber'", "lookup('operator', 'number'"),
        ],
    ),
    (
        "a member of the line and of the batch that are not there",
        &[("i['sale_price'] = 0", "i['price'] = 0"), ("b['batch_no']", "b['batchno']")],
    ),
];

#[tokio::test]
async fn the_usual_slips_are_named_with_place_and_cure() {
    let schemas = StagedTables::schemas(&inout(), "io_id", "modified").expect("tables");
    let mut all = String::new();
    for (what, edits) in SLIPS {
        let mut wrong = spec(LAMBDAS);
        for (from, to) in *edits {
            assert!(wrong.sql_text.contains(from), "{what}: {from} is not there");
            wrong.sql_text = wrong.sql_text.replacen(from, to, 1);
        }
        let faults: Vec<Fault> = dukou::mapping::check(&wrong, &schemas).await.expect_err(what);
        let faults: Vec<String> =
            faults.iter().map(|f| f.to_string().replace("sql/mapping/jushuitan_returns_to_kingdee", "…")).collect();
        all += &format!("# {what}\n{}\n", faults.join("\n"));
    }
    insta::assert_snapshot!(all, @r##"
    # one line instead of a list of them
    ….sql:56:3: FEntity is an object, SAL_RETURNSTOCK wants a list
      hint: one object is not a list: write [{…}], or array_transform(…)
    # flatten forgotten
    ….sql:56:4: FEntity is a list of lists, SAL_RETURNSTOCK wants a list
      hint: flatten(…) makes one list of them
    # a price as a float
    ….sql:66:7: FEntity[].FTAXPRICE is a float (Float64)
      hint: money never passes through a float: CAST(… AS DECIMAL(18,2))
    # no {FNumber: …} around base data
    ….sql:41:3: FSaleOrgId is text, SAL_RETURNSTOCK wants an object
      hint: write {FNumber: …}
    ….sql:72:7: FEntity.FStockId is text, SAL_RETURNSTOCK wants an object
      hint: write {FNumber: …}
    # misspelt fields
    ….sql:44:4: SAL_RETURNSTOCK has no field FRetCustId
      hint: did you mean FRetcustId?
    ….sql:52:5: SAL_RETURNSTOCK has no field SubHeadEntity.FSettleCurrID
      hint: did you mean FSettleCurrId?
    ….sql:63:7: SAL_RETURNSTOCK has no field FEntity.FMaterialID
      hint: did you mean FMaterialId?
    # the bill type's key as other base data have it
    ….sql:39:4: SAL_RETURNSTOCK has no field FBillTypeID.FNumber
      hint: did you mean FNUMBER?
    # a custom field nobody declared
    ….sql:48:4: SAL_RETURNSTOCK has no field F_XC_Base2
      hint: a custom field: declare it in the contract, if the target has it
    # the finance object after the lines
    ….sql:51:5: SAL_RETURNSTOCK has no field FReceiveAddress2
      hint: did you mean FReceiveAddress?
    ….sql:91:4: FEntity stands before SubHeadEntity
      hint: SAL_RETURNSTOCK acts on fields in their order: move SubHeadEntity before FEntity
    # a reference table and a column that are not there
    ….sql:48:32: reference table operator has no column number
      hint: did you mean fnumber?
    ….sql:72:40: no reference table stocks
      hint: did you mean stock?
    # a member of the line and of the batch that are not there
    ….sql:59:16: no member batchno
      hint: did you mean batch_no?
    ….sql:67:25: no member price
      hint: known here: _line, batch_id, batch_no, cost_amount, cost_price, expiration_date, i_id, io_id, ioi_id, name, product_date, properties_value, qty, remark, sale_amount, sale_price, sku_id, sn, supplier_id, supplier_name, unit
    "##);
}
