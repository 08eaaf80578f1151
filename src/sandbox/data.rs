//! What every simulated vendor draws its data from: deterministic dice, and pools of invented Chinese business data.
//!
//! Takes a seed and an index, gives the same values for ever; never stores a record and never reads a clock.
//! All companies, people, numbers and addresses are invented.

/// Dice of one record: the same (seed, index, salt) always falls the same way, and any single property of a
/// record can be had without making the others.
#[derive(Debug, Clone, Copy)]
pub struct Dice(u64);

impl Dice {
    /// The dice of record `index` under `seed`.
    pub fn new(seed: u64, index: u64) -> Self {
        Dice(mix(seed ^ mix(index.wrapping_add(0x9E37_79B9_7F4A_7C15))))
    }

    /// Dice of a part of the record, such as one of its lines.
    pub fn part(self, number: u64) -> Self {
        Dice(mix(self.0 ^ mix(number.wrapping_add(0x5851_F42D_4C95_7F2D))))
    }

    /// 64 evenly spread bits for one purpose.
    pub fn roll(self, salt: u32) -> u64 {
        mix(self.0 ^ u64::from(salt).wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    /// A number from 0 up to and without `n` (0 if `n` is 0).
    pub fn below(self, salt: u32, n: u64) -> u64 {
        // The high half of the product is the scaled roll; it is below n, so it fits.
        ((u128::from(self.roll(salt)) * u128::from(n)) >> 64) as u64
    }

    /// One of a pool.
    pub fn pick<T>(self, salt: u32, pool: &[T]) -> &T {
        &pool[self.below(salt, pool.len() as u64) as usize]
    }

    /// One of a pool of words.
    pub fn word(self, salt: u32, pool: &[&'static str]) -> &'static str {
        self.pick::<&'static str>(salt, pool)
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(self, salt: u32, percent: u64) -> bool {
        self.below(salt, 100) < percent
    }
}

/// The finaliser of splitmix64.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A thing that is sold.
#[derive(Debug)]
pub struct Goods {
    pub no: &'static str,
    pub name: &'static str,
    pub spec: &'static str,
    pub unit: &'static str,
    pub brand: &'static str,
    pub category: &'static str,
    /// List price in cents.
    pub price: i64,
    /// Sold by weight: quantities have decimals.
    pub weighed: bool,
}

const fn goods(
    no: &'static str,
    name: &'static str,
    spec: &'static str,
    unit: &'static str,
    brand: &'static str,
    category: &'static str,
    price: i64,
) -> Goods {
    Goods { no, name, spec, unit, brand, category, price, weighed: false }
}

/// What the shops sell.
pub const GOODS: [Goods; 16] = [
    goods("LH-1001", "乐画36色可水洗水彩笔", "36色/盒装", "盒", "乐画", "文具/画材", 3990),
    goods("LH-1002", "乐画儿童画架双面磁性画板", "大号 原木色", "件", "乐画", "文具/画架", 15900),
    goods("LH-1003", "加厚素描本A4", "A4 60张", "本", "乐画", "文具/本册", 1580),
    goods("SN-2001", "每日坚果混合装", "25g×30包", "箱", "山野农", "食品/坚果", 12900),
    Goods {
        weighed: true, ..goods("SN-2002", "新疆灰枣(散装)", "一级 散称", "千克", "山野农", "食品/果干", 3680)
    },
    goods("SN-2003", "冻干草莓脆", "50g/袋", "袋", "山野农", "食品/果干", 1990),
    goods("QJ-3001", "抽纸4层加厚", "24包/提", "提", "清洁管家", "日用/纸品", 3290),
    goods("QJ-3002", "除菌洗衣液薰衣草香", "3kg×2瓶", "瓶", "清洁管家", "日用/洗护", 5990),
    goods("QJ-3003", "厨房重油污清洁剂", "500ml", "瓶", "清洁管家", "日用/清洁", 1890),
    goods("YD-4001", "运动速干T恤男款", "深蓝 XL", "件", "跃动", "服饰/运动", 8900),
    goods("YD-4002", "瑜伽垫10mm防滑", "185×80cm 紫色", "张", "跃动", "运动/器材", 7900),
    goods("YD-4003", "成人跳绳计数款", "黑色 3m", "根", "跃动", "运动/器材", 2590),
    goods("DZ-5001", "蓝牙耳机降噪版", "曜石黑 Type-C", "副", "电止", "数码/耳机", 29900),
    goods("DZ-5002", "氮化镓充电器65W", "白色 双口", "个", "电止", "数码/配件", 12900),
    Goods {
        weighed: true, ..goods("CY-6001", "云南普洱熟茶(散)", "2019年 散称", "千克", "茶余", "食品/茶叶", 26800)
    },
    goods("CY-6002", "便携陶瓷茶具一壶四杯", "青瓷 礼盒", "套", "茶余", "家居/茶具", 16800),
];

/// Where parcels go.
#[derive(Debug)]
pub struct Place {
    pub state: &'static str,
    pub city: &'static str,
    pub district: &'static str,
    pub town: &'static str,
    pub zip: &'static str,
    pub code: &'static str,
}

const fn place(
    state: &'static str,
    city: &'static str,
    district: &'static str,
    town: &'static str,
    zip: &'static str,
    code: &'static str,
) -> Place {
    Place { state, city, district, town, zip, code }
}

/// Places of the customers.
pub const PLACES: [Place; 10] = [
    place("浙江省", "杭州市", "余杭区", "仓前街道", "311121", "330100"),
    place("广东省", "广州市", "白云区", "三元里街道", "510400", "440100"),
    place("广东省", "深圳市", "龙岗区", "坂田街道", "518129", "440300"),
    place("江苏省", "苏州市", "昆山市", "花桥镇", "215332", "320500"),
    place("四川省", "成都市", "武侯区", "桂溪街道", "610041", "510100"),
    place("北京", "北京市", "朝阳区", "望京街道", "100102", "110100"),
    place("上海", "上海市", "闵行区", "七宝镇", "201101", "310100"),
    place("湖北省", "武汉市", "洪山区", "关山街道", "430074", "420100"),
    place("新疆维吾尔自治区", "乌鲁木齐市", "天山区", "燕儿窝街道", "830002", "650100"),
    place("内蒙古自治区", "呼和浩特市", "赛罕区", "大学西路街道", "010020", "150100"),
];

/// A shop on a platform.
#[derive(Debug)]
pub struct Shop {
    pub id: u64,
    pub code: &'static str,
    pub name: &'static str,
    pub platform: &'static str,
    pub company: &'static str,
}

/// The shops; ids have 19 digits, beyond what a double holds.
pub const SHOPS: [Shop; 5] = [
    Shop {
        id: 1647727244400592896,
        code: "TM001",
        name: "乐画旗舰店",
        platform: "TMALL",
        company: "杭州乐画文化用品有限公司",
    },
    Shop {
        id: 1647727244400592886,
        code: "JD001",
        name: "乐画京东自营店",
        platform: "JD",
        company: "杭州乐画文化用品有限公司",
    },
    Shop {
        id: 1718178122057024641,
        code: "DY003",
        name: "山野农抖音小店",
        platform: "DOUYIN",
        company: "苏州山野农食品有限公司",
    },
    Shop {
        id: 1718178122057024807,
        code: "PDD02",
        name: "清洁管家拼多多店",
        platform: "PDD",
        company: "广州清洁管家日化有限公司",
    },
    Shop {
        id: 1518158299225922689,
        code: "XX-线下",
        name: "线下批发（华东）",
        platform: "OFFLINE",
        company: "杭州乐画文化用品有限公司",
    },
];

/// A warehouse: id, code, name.
pub const WAREHOUSES: [(u64, &str, &str); 4] = [
    (1718178122057024640, "CK-HZ01", "杭州余杭中心仓"),
    (1718178122057024651, "CK-GZ01", "广州白云仓"),
    (1718178122057024662, "CK-CD01", "成都双流云仓"),
    (1718178122057024673, "CK-TH01", "退货仓"),
];

/// A carrier: code, name, prefix of its waybills, kind of transport.
pub const CARRIERS: [(&str, &str, &str, u8); 4] = [
    ("SF", "顺丰速运", "SF14", 1),
    ("ZTO", "中通快递", "7577", 1),
    ("YTO", "圆通速递", "YT90", 1),
    ("DBL", "德邦物流", "DPK3", 3),
];

pub const PEOPLE: [&str; 10] =
    ["张伟", "王芳", "李娜", "刘洋", "陈思雨", "杨子轩", "欧阳明月", "赵铁柱", "周小燕", "阿依古丽·买买提"];

pub const DEPARTMENTS: [&str; 4] = ["电商运营一部", "电商运营二部", "线下渠道部", "客户服务中心"];

pub const BUYERS: [&str; 6] = [
    "杭州小画家艺术培训有限公司",
    "晨光幼儿园（余杭分园）",
    "深圳市创想办公用品经营部",
    "tb_8830***21",
    "江湖小虾米",
    "Café Fañez & Söhne",
];

pub const BANKS: [&str; 3] = [
    "招商银行杭州分行 571900000010001",
    "中国工商银行苏州昆山支行 1102000000000020",
    "建设银行广州白云支行 4400000000000300",
];

/// Memos as people write them: quotes, line ends, emoji, characters beyond the basic plane, and text that
/// would do harm wherever it is pasted into a statement. All are shorter than 255 characters.
pub const MEMOS: [&str; 14] = [
    "客户要求换货，已电话确认，请仓库优先处理",
    "七天无理由退货，包装完好",
    "尺码不合适，退回重发L码；运费由我方承担",
    "漏发一件，补发\n第二行：请核对批次号",
    "买家说：\"颜色与图片不符\"，协商退款10元",
    "O'Neil 的订单，地址写 '3号楼' 后门",
    "'); DROP TABLE sale_return; --",
    "\" OR 1=1; UPDATE trade SET payment=0 WHERE '1'='1",
    "加急🚚今天必须发出🙏🙏",
    "客户姓名𠮷野，生僻字请勿改成吉野",
    "路径 C:\\temp\\单据\\2024 备份",
    "第一行\r\n第二行\t制表符后",
    "破损 30%，已拍照；{{LAST_SYNC_TIME|datetime}} ${HOME} %s <b>加粗</b>",
    "无",
];

/// A sentence that is repeated into memos too long for a column of 255 characters.
pub const LONG_SENTENCE: &str = "客户反馈收到的货品外箱破损且内有渗漏，已要求提供照片并登记快递理赔，";

pub const TAGS: [&str; 5] = ["老客户", "批发,月结", "高退货率", "企业采购", "VIP,生日礼"];

/// Marks on trades: id, name.
pub const FLAGS: [(&str, &str); 4] = [
    ("121312412312312312", "冻结"),
    ("121312412312312313", "加急"),
    ("121312412312312314", "已开票"),
    ("121312412312312312,121312412312312313", "冻结,加急"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_fall_the_same_way_and_spread_evenly() {
        let (a, b) = (Dice::new(1, 7), Dice::new(1, 8));
        assert_eq!(a.roll(3), Dice::new(1, 7).roll(3));
        assert_ne!(a.roll(3), b.roll(3));
        assert_ne!(a.roll(3), a.part(1).roll(3));
        assert_eq!(a.below(1, 0), 0);
        let hits = (0..10_000).filter(|i| Dice::new(9, *i).chance(5, 30)).count();
        assert!((2_800..3_200).contains(&hits), "{hits} of 10000 at 30 percent");
    }

    #[test]
    fn memos_fit_a_column_of_255_characters() {
        assert!(MEMOS.iter().all(|memo| memo.chars().count() < 255));
    }
}
