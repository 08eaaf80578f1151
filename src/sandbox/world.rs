//! The played company's base data: what its shop system and its ERP both know, under the names each has for it.
//!
//! Takes numbers, gives materials, customers, warehouses and people. All invented. The look-up tables of the shipped
//! pipelines (`sql/lookup`) say the same; a test compares.

/// Materials are numbered from 1 to this.
pub const MATERIALS: u32 = 400;
/// Every so manieth material is kept by batch (批号) and shelf life (保质期).
pub const BATCH_EVERY: u32 = 8;
/// Organisations of the ERP; the first sells and holds the stock.
pub const ORGANISATIONS: [(&str, &str); 2] = [("100", "云锦商贸有限公司"), ("101", "云锦供应链有限公司")];
/// Renminbi.
pub const CURRENCY: (&str, &str, &str) = ("PRE001", "人民币", "CNY");
/// 销售退货单: standard, and cash sale.
pub const BILL_TYPES: [&str; 2] = ["XSTHD01_SYS", "XSTHD06_SYS"];
/// 退货类型.
pub const RETURN_TYPES: [&str; 2] = ["THLX01_SYS", "THLX02_SYS"];

/// A warehouse (分仓) and the stock (仓库) it is in the ERP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warehouse {
    pub wh_id: i64,
    pub wms_co_id: i64,
    pub name: &'static str,
    /// 仓库编码 in the ERP.
    pub stock: &'static str,
    /// 客户编码 in the ERP for returns that name no distributor.
    pub house_customer: &'static str,
}

pub const WAREHOUSES: [Warehouse; 4] = [
    Warehouse { wh_id: 1, wms_co_id: 11001, name: "杭州主仓", stock: "CK001", house_customer: "CUST901" },
    Warehouse { wh_id: 2, wms_co_id: 11002, name: "广州分仓", stock: "CK002", house_customer: "CUST902" },
    Warehouse { wh_id: 3, wms_co_id: 11003, name: "成都分仓", stock: "CK003", house_customer: "CUST903" },
    Warehouse { wh_id: 4, wms_co_id: 11004, name: "退货检验仓", stock: "CK004", house_customer: "CUST904" },
];

/// Salesmen (销售员): name in the shop system, number in the ERP.
pub const SALESMEN: [(&str, &str); 6] = [
    ("张伟民", "XSY001"),
    ("李秋菊", "XSY002"),
    ("王建国", "XSY003"),
    ("陈晓燕", "XSY004"),
    ("刘海波", "XSY005"),
    ("赵雪琴", "XSY006"),
];

/// Distributors (分销商): number in the ERP is `CUST001` …, by their order here.
pub const DISTRIBUTORS: [&str; 30] = [
    "杭州云锦贸易有限公司",
    "宁波海曙百货商行",
    "温州瓯江服饰有限公司",
    "绍兴越州纺织品店",
    "嘉兴南湖电子商务有限公司",
    "金华婺城日用品批发部",
    "台州椒江母婴用品店",
    "上海浦东优选供应链有限公司",
    "苏州姑苏家居有限公司",
    "无锡梁溪食品商行",
    "南京秦淮文具有限公司",
    "合肥庐阳体育用品店",
    "广州白云皮具有限公司",
    "深圳南山数码商行",
    "东莞虎门服装有限公司",
    "佛山顺德电器批发部",
    "厦门思明茶业有限公司",
    "福州鼓楼美妆商行",
    "长沙岳麓零食有限公司",
    "武汉江汉五金商行",
    "成都锦江火锅料有限公司",
    "重庆渝中百货商行",
    "西安雁塔图书有限公司",
    "郑州二七玩具批发部",
    "济南历下家纺有限公司",
    "青岛市南海产商行",
    "天津和平乐器有限公司",
    "北京朝阳宠物用品有限公司",
    "沈阳和平户外商行",
    "大连中山渔具有限公司",
];

/// A distributor that the shop system knows and no look-up table does.
pub const UNKNOWN_DISTRIBUTOR: &str = "昆明盘龙花卉商行";

/// `SKU00001` …: 商品编码 in the shop system, 物料编码 in the ERP.
pub fn material(number: u32) -> String {
    format!("SKU{number:05}")
}

/// A 商品编码 that no material in the ERP has.
pub fn unknown_material(number: u32) -> String {
    format!("SKU99{:03}", number % 1000)
}

/// Is the material with this number kept by batch?
pub fn has_batches(number: u32) -> bool {
    number.is_multiple_of(BATCH_EVERY)
}

/// 客户编码 of a distributor by its place in [`DISTRIBUTORS`].
pub fn customer(place: usize) -> String {
    format!("CUST{:03}", place + 1)
}
