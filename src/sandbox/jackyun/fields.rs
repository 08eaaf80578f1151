//! The fields of a trade, of a goods line and of a payment, each with the way its value is written.
//!
//! Takes a trade, gives JSON values through the pen; never decides which fields are asked for (see `render`).
//! Names, types and nesting are those of the vendor's declared types; odd spellings (`shopcode`, `mainPostid`,
//! `frstPaytime`, `PlatCustomData`) are the vendor's. What is recorded as mixed (ids, decimals, missing values) is
//! mixed here; fields a flow lives on (numbers, times, warehouse, unit, count) are always there unless planted bad.

use super::trade::{Flaw, Line, Trade};
use crate::sandbox::data::{BANKS, BUYERS, DEPARTMENTS, FLAGS, LONG_SENTENCE, MEMOS, PEOPLE, TAGS};
use crate::sandbox::json::Pen;

/// How a field of a trade is written.
#[derive(Clone, Copy)]
pub enum Write {
    Value(fn(&mut Pen, &Trade)),
    /// The array of goods lines.
    Lines,
    /// The array of payments.
    Payments,
}

/// A field of a trade.
pub struct Field {
    pub name: &'static str,
    pub write: Write,
}

/// A field of a goods line.
pub struct LineField {
    pub name: &'static str,
    pub write: fn(&mut Pen, &Trade, &Line),
}

const fn f(name: &'static str, write: fn(&mut Pen, &Trade)) -> Field {
    Field { name, write: Write::Value(write) }
}

const fn l(name: &'static str, write: fn(&mut Pen, &Trade, &Line)) -> LineField {
    LineField { name, write }
}

/// Every declared field of a trade, in the order of an answer.
pub const TRADE: &[Field] = &[
    f("tradeNo", trade_no),
    f("orderNo", order_no),
    f("onlineTradeNo", online_no),
    f("tradeId", |p, t| p.id(t.dice, t.id())),
    f("tradeStatus", |p, t| p.int(i64::from(t.status))),
    f("tradeStatusExplain", |p, t| p.text(status_text(t.status))),
    f("tradeType", |p, t| p.int(i64::from(t.kind))),
    f("tradeFrom", |p, _| p.int(1)),
    f("shopId", |p, t| p.id(t.dice, t.shop.id)),
    f("shopName", |p, t| p.text(t.shop.name)),
    f("shopcode", |p, t| p.text(t.shop.code)),
    f("shopTypeCode", |p, t| p.text(t.shop.platform)),
    f("agentShopName", |p, t| p.maybe(t.dice, 90, t.shop.name)),
    f("companyName", |p, t| p.text(t.shop.company)),
    f("departName", |p, t| p.maybe(t.dice, 20, t.dice.word(p.salt, &DEPARTMENTS))),
    f("warehouseId", |p, t| p.id(t.dice, t.warehouse.0)),
    f("warehouseCode", |p, t| p.text(t.warehouse.1)),
    f("warehouseName", |p, t| p.text(t.warehouse.2)),
    f("logisticCode", |p, t| p.text(t.carrier.0)),
    f("logisticName", |p, t| p.text(t.carrier.1)),
    f("logisticType", |p, t| p.int(i64::from(t.carrier.3))),
    f("mainPostid", |p, t| p.plain(format_args!("{}{:012}", t.carrier.2, t.dice.below(p.salt, 1_000_000_000_000)))),
    f("extraLogisticNo", |p, t| p.maybe(t.dice, 95, "787870000123,345345000456")),
    f("stockoutNo", |p, t| p.plain(format_args!("CK{:012}", 240_000_000_000 + u64::from(t.index)))),
    f("gmtCreate", |p, t| p.time(t.times.created)),
    f("gmtModified", |p, t| p.time(t.times.modified)),
    f("tradeTime", |p, t| p.time(t.times.traded)),
    f("payTime", |p, t| p.time(t.times.traded + 45)),
    f("confirmTime", |p, t| p.time(t.times.created)),
    f("auditTime", |p, t| p.time(t.times.audited)),
    f("reviewTime", |p, t| p.maybe_time(t.dice, 30, t.times.audited)),
    f("activationTime", |p, t| p.maybe_time(t.dice, 60, t.times.audited)),
    f("notifyPickTime", |p, t| p.maybe_time(t.dice, 10, t.times.audited)),
    f("consignTime", |p, t| p.time(t.times.consigned)),
    f("platConsignTime", |p, t| p.maybe_time(t.dice, 30, t.times.consigned)),
    f("completeTime", |p, t| completed(p, t, |p| p.text(""))),
    f("platCompleteTime", |p, t| completed(p, t, Pen::null)),
    f("signingTime", |p, t| completed(p, t, Pen::absent)),
    f("finReceiptTime", |p, t| p.maybe_time(t.dice, 70, t.times.consigned)),
    f("lastShipTime", |p, t| p.time(t.times.traded + 48 * 3600)),
    f("billDate", |p, t| p.time(t.times.consigned)),
    f("pickUpTime", |p, t| p.maybe(t.dice, 95, "14:00-18:00")),
    f("tradeOrderRefundTime", |p, t| p.maybe_time(t.dice, 90, t.times.consigned)),
    f("checkTotal", |p, t| p.decimal(t.dice, t.payment())),
    f("totalFee", |p, t| p.decimal(t.dice, t.total)),
    f("payment", |p, t| p.decimal(t.dice, t.payment())),
    f("discountFee", |p, t| p.decimal(t.dice, t.discount)),
    f("receivedTotal", |p, t| p.decimal(t.dice, t.payment())),
    f("receivedPostFee", |p, t| p.decimal(t.dice, t.postage)),
    f("postFee", |p, t| p.maybe_decimal(t.dice, 20, t.postage)),
    f("otherFee", |p, t| p.maybe_decimal(t.dice, 30, 0)),
    f("taxFee", |p, t| p.maybe_decimal(t.dice, 15, t.payment() * 13 / 113)),
    f("couponFee", |p, t| p.maybe_decimal(t.dice, 25, t.discount / 2)),
    f("realFee", |p, t| p.decimal(t.dice, t.payment())),
    f("receiptAmount", |p, t| p.maybe_decimal(t.dice, 20, t.payment())),
    f("invoiceAmount", |p, t| p.maybe_decimal(t.dice, 50, t.payment())),
    f("localPayment", |p, t| p.maybe_decimal(t.dice, 20, t.payment())),
    f("localExchangeRate", |p, t| p.maybe_decimal(t.dice, 20, 100)),
    f("localCurrencyCode", |p, _| p.text("CNY")),
    f("grossProfit", |p, t| p.maybe_decimal(t.dice, 10, t.payment() - t.total * 7 / 10)),
    f("customerTotalFee", |p, t| p.maybe_decimal(t.dice, 20, t.total)),
    f("customerDiscountFee", |p, t| p.maybe_decimal(t.dice, 20, t.discount)),
    f("customerPostFee", |p, t| p.maybe_decimal(t.dice, 20, t.postage)),
    f("customerPayment", |p, t| p.maybe_decimal(t.dice, 20, t.payment())),
    f("customerDiscount", |p, t| p.maybe_decimal(t.dice, 20, 100)),
    f("firstPayment", |p, t| p.maybe_decimal(t.dice, 60, 0)),
    f("finalPayment", |p, t| p.maybe_decimal(t.dice, 60, 0)),
    f("firstPaytime", |p, t| p.maybe_time(t.dice, 90, t.times.traded)),
    f("finalPaytime", |p, t| p.maybe_time(t.dice, 90, t.times.traded + 60)),
    f("preTypedetail", |p, t| p.maybe(t.dice, 95, "定金预售")),
    f("tradeCount", |p, t| p.decimal(t.dice, t.lines.iter().map(|line| line.count).sum())),
    f("goodsTypeCount", |p, t| p.int(t.lines.len() as i64)),
    f("estimateWeight", |p, t| p.maybe_decimal(t.dice, 10, 35_000 * t.lines.len() as i64)),
    f("packageWeight", |p, t| p.maybe_decimal(t.dice, 30, 36_250 * t.lines.len() as i64)),
    f("estimateVolume", |p, t| p.maybe_decimal(t.dice, 40, 1_250 * t.lines.len() as i64)),
    f("chargeCurrency", |p, _| p.text("人民币")),
    f("chargeCurrencyCode", |p, _| p.text("CNY")),
    f("chargeExchangeRate", |p, t| p.decimal(t.dice, 100)),
    f("accountName", |p, t| p.maybe(t.dice, 15, "支付宝企业账号（乐画）")),
    f("payType", |p, _| p.int(1)),
    f("payNo", |p, t| p.plain(format_args!("20240605220014{:014}", t.dice.below(p.salt, 100_000_000_000_000)))),
    f("payStatus", |p, _| p.int(9)),
    f("sellerMemo", seller_memo),
    f("buyerMemo", |p, t| p.maybe(t.dice, 25, t.dice.word(p.salt, &MEMOS))),
    f("appendMemo", |p, t| p.maybe(t.dice, 20, t.dice.word(p.salt, &MEMOS))),
    f("specialReminding", |p, t| p.maybe(t.dice, 50, "易碎品，请加气泡膜并贴防撞标签；客户要求送货前电话联系")),
    f("freezeReason", |p, t| p.maybe(t.dice, 96, "客户申请退款，冻结待处理")),
    f("abnormalDescription", |p, t| p.maybe(t.dice, 95, "地址疑似不全：请核实门牌号")),
    f("register", |p, t| p.maybe(t.dice, 20, t.dice.word(p.salt, &PEOPLE))),
    f("seller", |p, t| p.maybe(t.dice, 30, t.dice.word(p.salt, &PEOPLE))),
    f("auditor", |p, t| p.maybe(t.dice, 10, t.dice.word(p.salt, &PEOPLE))),
    f("reviewer", |p, t| p.maybe(t.dice, 40, t.dice.word(p.salt, &PEOPLE))),
    f("customerName", |p, t| p.text(t.dice.word(p.salt, &BUYERS))),
    f("customerCode", |p, t| {
        if !p.missing(t.dice, 8) {
            p.plain(format_args!("KH{:06}", t.dice.below(p.salt, 40_000)));
        }
    }),
    f("customerAccount", |p, t| p.maybe(t.dice, 30, t.dice.word(p.salt, &BUYERS))),
    f("customerTypeName", |p, t| p.maybe(t.dice, 40, "零售客户")),
    f("customerGradeName", |p, t| p.maybe(t.dice, 50, "黄金会员")),
    f("customerTags", |p, t| p.maybe(t.dice, 60, t.dice.word(p.salt, &TAGS))),
    f("buyerOpenUid", |p, t| p.plain(format_args!("AAE{:020x}", t.dice.roll(p.salt)))),
    f("qq", |p, _| p.text("--")),
    f("email", |p, t| p.maybe(t.dice, 90, "1234@example.com")),
    f("blackList", |p, _| p.int(0)),
    f("country", |p, t| p.maybe(t.dice, 20, "中国")),
    f("countryCode", |p, t| p.maybe(t.dice, 30, "CN")),
    f("state", |p, t| p.text(t.place.state)),
    f("city", |p, t| p.text(t.place.city)),
    f("cityCode", |p, t| p.maybe(t.dice, 30, t.place.code)),
    f("district", |p, t| p.maybe(t.dice, 3, t.place.district)),
    f("town", |p, t| p.maybe(t.dice, 25, t.place.town)),
    f("zip", |p, t| p.maybe(t.dice, 35, t.place.zip)),
    f("invoiceType", |p, t| p.int(t.dice.below(p.salt, 3) as i64)),
    f("invoiceStatus", |p, t| p.int(t.dice.below(p.salt, 2) as i64)),
    f("invoiceNo", |p, t| {
        if !p.missing(t.dice, 60) {
            p.plain(format_args!("24332000000{:09}", t.dice.below(p.salt, 1_000_000_000)));
        }
    }),
    f("invoiceCode", |p, t| p.maybe(t.dice, 70, "033002400111")),
    f("payerName", |p, t| p.maybe(t.dice, 25, t.dice.word(p.salt, &BUYERS))),
    f("payerRegno", |p, t| p.maybe(t.dice, 30, "91330110MA2XXXXX00")),
    f("payerBankName", |p, t| p.maybe(t.dice, 30, "招商银行杭州分行")),
    f("payerBankAccount", |p, t| p.maybe(t.dice, 30, t.dice.word(p.salt, &BANKS))),
    f("payerPhone", |p, t| p.maybe(t.dice, 45, "0571-8800****")),
    f("payerAddress", payer_address),
    f("isBillCheck", |p, t| p.int(t.dice.below(p.salt, 2) as i64)),
    f("isTableSwitch", |p, _| p.int(1)),
    f("isDelete", |p, _| p.int(0)),
    f("apiType", |p, _| p.int(1196)),
    f("flagIds", |p, t| flags(p, t, |flag| flag.0)),
    f("flagNames", |p, t| flags(p, t, |flag| flag.1)),
    f("sysFlagIds", |p, t| p.maybe(t.dice, 80, "12311212313123123")),
    f("platFlags", |p, t| p.maybe(t.dice, 85, "国补,SOP")),
    f("govSubsidy", |p, _| p.text("-")),
    f("sourceAfterNo", |p, t| p.maybe(t.dice, 90, "JY02293293")),
    f("allCompassSourceContentType", |p, t| p.maybe(t.dice, 80, " \"直播间,短视频,其他\"")),
    f("goodslist", goods_list),
    f("assemblyGoodsDetail", |p, _| p.text("[]")),
    f("ticketCodeList", |p, t| p.maybe(t.dice, 90, " [\"32746523\",\"23452546\"]")),
    f("tradeOrderColumnExt", column_ext),
    f("tradeOrderPre", pre_sale),
    f("otherPaymentFees", |p, _| p.raw(r#"[{"expenseItemName":"-","expenseFee":12}]"#)),
    f("tradeOrderAssemblyGoodsDtoList", |p, _| p.null()),
    f("goodsSerial", |p, t| per_line(p, t, serial)),
    f("packageDetail", |p, t| per_line(p, t, package)),
    f("tradeOrderGoodsColumnExts", |p, t| per_line(p, t, goods_columns)),
    Field { name: "tradeOrderPayList", write: Write::Payments },
    Field { name: "goodsDetail", write: Write::Lines },
];

/// Every declared field of a goods line, in the order of an answer.
pub const LINE: &[LineField] = &[
    l("subTradeId", |p, t, l| p.id(l.dice, t.line_id(l))),
    l("tradeId", |p, t, _| p.id(t.dice, t.id())),
    l("goodsNo", |p, _, l| p.text(l.goods.no)),
    l("goodsId", |p, _, l| p.id(l.dice, 1_611_460_754_588_860_000 + l.goods.price as u64)),
    l("goodsName", |p, _, l| p.text(l.goods.name)),
    l("specName", |p, _, l| p.text(l.goods.spec)),
    l("specId", |p, _, l| p.id(l.dice, 1_611_460_754_588_870_000 + l.goods.price as u64)),
    l("barcode", |p, _, l| p.plain(format_args!("69{:011}", l.goods.price * 7_919))),
    l("unit", |p, _, l| p.text(l.goods.unit)),
    l("sellCount", |p, _, l| if l.bad_count { p.text("两件") } else { p.decimal(l.dice, l.count) }),
    l("sellPrice", |p, _, l| p.decimal(l.dice, l.price)),
    l("sellTotal", |p, _, l| p.decimal(l.dice, l.total())),
    l("cost", |p, _, l| p.maybe_decimal(l.dice, 10, l.price * 7 / 10)),
    l("discountTotal", |p, _, l| p.maybe_decimal(l.dice, 20, l.total() / 20)),
    l("discountPoint", |p, _, _| p.int(0)),
    l("discountFee", |p, _, l| p.maybe_decimal(l.dice, 20, l.total() / 20)),
    l("taxFee", |p, _, l| p.maybe_decimal(l.dice, 20, l.total() * 13 / 113)),
    l("taxRate", |p, _, l| p.maybe_decimal(l.dice, 10, 1_300)),
    l("shareFavourableFee", |p, _, l| p.maybe_decimal(l.dice, 20, l.total() / 30)),
    l("shareFavourableAfterFee", |p, _, l| p.decimal(l.dice, l.total() - l.total() / 30)),
    l("divideSellTotal", |p, _, l| p.decimal(l.dice, l.total())),
    l("customerPrice", |p, _, l| p.maybe_decimal(l.dice, 20, l.price)),
    l("customerTotal", |p, _, l| p.maybe_decimal(l.dice, 20, l.total())),
    l("estimateWeight", |p, _, l| p.maybe_decimal(l.dice, 20, 35_000)),
    l("estimateGoodsVolume", |p, _, l| p.maybe_decimal(l.dice, 40, 1_250)),
    l("goodsPlatDiscountFee", |p, _, l| p.maybe_decimal(l.dice, 50, 0)),
    l("shareOrderDiscountFee", |p, _, l| p.maybe_decimal(l.dice, 50, 0)),
    l("shareOrderPlatDiscountFee", |p, _, l| p.maybe_decimal(l.dice, 50, 0)),
    l("actualSendCount", |p, _, l| p.decimal(l.dice, l.count)),
    l("needProcessCount", |p, _, l| p.maybe_decimal(l.dice, 50, 0)),
    l("assessmentCostLocal", |p, _, l| p.maybe_decimal(l.dice, 30, l.price * 6 / 10)),
    l("assessmentGrossProfitLocal", |p, _, l| p.maybe_decimal(l.dice, 30, l.price * 4 / 10)),
    l("assessmentGrossProfitPercent", |p, _, l| {
        p.plain(format_args!("{}.{:02}%", l.dice.below(p.salt, 90), l.dice.below(p.salt + 1, 100)));
    }),
    l("goodsMemo", |p, _, l| p.maybe(l.dice, 10, l.dice.word(p.salt, &MEMOS))),
    l("cateName", |p, _, l| p.text(l.goods.category)),
    l("brandName", |p, _, l| p.maybe(l.dice, 5, l.goods.brand)),
    l("goodsTags", |p, _, l| p.maybe(l.dice, 20, "热销,可退换,支持七天无理由,极速发货,赠运费险")),
    l("isFit", |p, _, _| p.int(0)),
    l("isGift", |p, _, l| p.int(i64::from(l.dice.chance(p.salt, 7)))),
    l("isPlatGift", |p, _, _| p.text("0")),
    l("isPresell", |p, _, _| p.int(0)),
    l("refundStatus", |p, _, _| p.int(0)),
    l("tradeGoodsNo", |p, _, l| p.maybe(l.dice, 5, l.goods.no)),
    l("tradeGoodsName", |p, _, l| p.plain(format_args!("【官方旗舰】{} {} 正品包邮", l.goods.name, l.goods.spec))),
    l("tradeGoodsSpec", |p, _, l| p.plain(format_args!("规格:{};包装:标准快递箱", l.goods.spec))),
    l("tradeGoodsUnit", |p, _, l| p.text(l.goods.unit)),
    l("sourceTradeNo", |p, t, _| source_no(p, t)),
    l("sourceSubtradeNo", |p, t, l| p.plain(format_args!("{:022}{:02}", u64::from(t.index), l.number))),
    l("customerTradeNo", |p, t, l| p.maybe(l.dice, 90, t.shop.code)),
    l("customerSubtradeNo", |p, t, l| p.maybe(l.dice, 90, t.shop.code)),
    l("platCode", |p, t, l| p.maybe(l.dice, 15, t.shop.platform)),
    l("platGoodsId", |p, _, l| p.plain(format_args!("6{:011}", l.goods.price * 104_729))),
    l("platSkuId", |p, _, l| p.plain(format_args!("5{:012}", l.goods.price * 1_299_709))),
    l("platAuthorId", |p, _, l| p.maybe(l.dice, 90, "7012345678901234567")),
    l("platAuthorName", |p, _, l| p.maybe(l.dice, 90, "小雅的好物分享🌟")),
    l("PlatCustomData", |p, _, l| p.maybe(l.dice, 95, "{\"sop\":\"1\"}")),
    l("tradeOrderGoodsDiscountInfoDtoList", |p, _, l| p.maybe(l.dice, 90, "[]")),
    l("goodsCompassSourceContentType", |p, _, l| p.maybe(l.dice, 80, "直播间")),
    l("goodsSeller", |p, _, l| p.maybe(l.dice, 60, l.dice.word(p.salt, &PEOPLE))),
    l("inventoryWarehouseId", |p, t, _| p.id(t.dice, t.warehouse.0)),
    l("inventoryWarehouseName", |p, t, _| p.text(t.warehouse.2)),
    l("outerId", |p, _, l| p.text(l.goods.no)),
    l("apiType", |p, _, _| p.text("1196")),
    l("skuImgUrl", |p, _, l| p.maybe(l.dice, 50, "https://img.example.com/sku/1.jpg")),
    l("goodsFlagIds", |p, _, l| p.maybe(l.dice, 90, FLAGS[1].0)),
    l("goodsFlagNames", |p, _, l| p.maybe(l.dice, 90, FLAGS[1].1)),
    l("goodsDelivery", |p, t, l| {
        p.raw("[{");
        p.member("batchNo", 0, |p| p.text("DEFAULT"));
        p.member("sendCount", 0, |p| p.decimal(l.dice, l.count));
        p.member("productionDate", 0, |p| p.time(t.times.created - 90 * 86_400));
        p.raw("}]");
    }),
];

/// Every declared field of a payment.
pub const PAYMENT: &[Field] = &[
    f("chargeType", |p, _| p.int(1)),
    f("chargeCurrency", |p, _| p.text("人民币")),
    f("chargeAccount", |p, t| p.maybe(t.dice, 30, "zhifubao@lehua.example.com")),
    f("accountName", |p, t| p.maybe(t.dice, 15, "支付宝企业账号（乐画）")),
    f("payType", |p, _| p.int(1)),
    f("payNo", |p, t| p.plain(format_args!("20240605220014{:014}", t.dice.below(p.salt, 100_000_000_000_000)))),
    f("payment", |p, t| p.decimal(t.dice, t.payment())),
    f("chargeCurrencyCode", |p, _| p.text("CNY")),
    f("chargeExchangeRate", |p, t| p.decimal(t.dice, 100)),
];

/// The time of completion, or what stands for it while there is none.
fn completed(p: &mut Pen, t: &Trade, otherwise: fn(&mut Pen)) {
    match t.times.completed {
        Some(at) => p.time(at),
        None => otherwise(p),
    }
}

fn status_text(status: u16) -> &'static str {
    match status {
        5010 => "已取消",
        5020 => "被合并",
        6000 => "已发货",
        _ => "已完成",
    }
}

fn trade_no(p: &mut Pen, t: &Trade) {
    p.raw("\"");
    p.raw(&t.no);
    p.raw("\"");
}

fn order_no(p: &mut Pen, t: &Trade) {
    match t.flaw {
        Some(Flaw::NoOrderNo) if t.dice.chance(p.salt, 50) => p.null(),
        Some(Flaw::NoOrderNo) => p.absent(),
        _ => p.plain(format_args!("FH{:012}", 240_000_000_000 + u64::from(t.index))),
    }
}

/// A merged order's successor names both numbers.
fn online_no(p: &mut Pen, t: &Trade) {
    p.raw("\"");
    p.raw(&t.online_no);
    if let Some(merged) = &t.merged {
        p.raw(",");
        p.raw(merged);
    }
    p.raw("\"");
}

fn source_no(p: &mut Pen, t: &Trade) {
    p.raw("\"");
    p.raw(&t.online_no);
    p.raw("\"");
}

fn seller_memo(p: &mut Pen, t: &Trade) {
    if t.flaw == Some(Flaw::LongMemo) {
        let length = 300 + t.dice.below(p.salt, 100) as usize;
        let memo: String = LONG_SENTENCE.chars().cycle().take(length).collect();
        p.text(&memo);
    } else {
        p.maybe(t.dice, 25, t.dice.word(p.salt, &MEMOS));
    }
}

fn payer_address(p: &mut Pen, t: &Trade) {
    if !p.missing(t.dice, 20) {
        let place = t.place;
        let number = t.dice.below(p.salt, 300) + 1;
        p.plain(format_args!("{}{}{}{}文一西路{number}号", place.state, place.city, place.district, place.town));
    }
}

fn flags(p: &mut Pen, t: &Trade, part: fn(&(&'static str, &'static str)) -> &'static str) {
    // Ids and names must be about the same flags, so both use the same salt.
    let salt = 900;
    if t.dice.chance(salt, 60) { p.raw("\"\"") } else { p.text(part(t.dice.pick(salt + 1, &FLAGS))) }
}

fn goods_list(p: &mut Pen, t: &Trade) {
    p.raw("\"");
    for (at, line) in t.lines.iter().enumerate() {
        p.raw(if at == 0 { "" } else { "；" });
        p.raw(line.goods.name);
        p.raw("(");
        p.raw(line.goods.spec);
        p.raw(")");
    }
    p.raw("\"");
}

fn column_ext(p: &mut Pen, t: &Trade) {
    const NAMES: [&str; 11] = [
        "customizeTradeColumn1",
        "customizeTradeColumn2",
        "customizeTradeColumn3",
        "customizeTradeColumn4",
        "customizeTradeColumn5",
        "customizeTradeColumn6",
        "customizeTradeColumn7",
        "customizeTradeColumn8",
        "customizeTradeColumn9",
        "customizeTradeColumn10",
        "customizeTradeColumn23",
    ];
    let salt = p.salt;
    p.raw("{");
    p.member("tradeId", salt, |p| p.id(t.dice, t.id()));
    for (name, offset) in NAMES.iter().zip(0x1_0000..) {
        p.member(name, salt + offset, |p| p.maybe(t.dice, 20, t.dice.word(p.salt, &TAGS)));
    }
    p.raw("}");
}

fn pre_sale(p: &mut Pen, t: &Trade) {
    if t.dice.chance(p.salt, 90) {
        return p.null();
    }
    p.raw("{");
    p.member("frstPaytime", 0, |p| p.time(t.times.traded));
    p.member("finalPaytime", 0, |p| p.time(t.times.traded + 60));
    p.member("firstPayment", 0, |p| p.decimal(t.dice, t.payment() / 10));
    p.member("finalPayment", 0, |p| p.decimal(t.dice, t.payment() - t.payment() / 10));
    p.member("preTypedetail", 0, |p| p.text("定金预售"));
    p.raw("}");
}

/// An array with one object for each goods line.
fn per_line(p: &mut Pen, t: &Trade, members: fn(&mut Pen, &Trade, &Line)) {
    p.raw("[");
    for line in &t.lines {
        p.comma();
        p.raw("{");
        members(p, t, line);
        p.raw("}");
    }
    p.raw("]");
}

fn serial(p: &mut Pen, t: &Trade, line: &Line) {
    p.member("serialNo", 0, |p| p.plain(format_args!("SN{:016x}", line.dice.roll(1))));
    p.member("serialNo2", 0, |p| p.text(""));
    p.member("batchNo", 0, |p| p.text("DEFAULT"));
    p.member("subTradeId", 0, |p| p.id(line.dice, t.line_id(line)));
    p.member("skuId", 0, |p| p.id(line.dice, 1_611_460_754_588_870_000 + line.goods.price as u64));
}

fn package(p: &mut Pen, t: &Trade, line: &Line) {
    p.member("tradeNo", 0, |p| trade_no(p, t));
    p.member("barcode", 0, |p| p.plain(format_args!("69{:011}", line.goods.price * 7_919)));
    p.member("sellCount", 0, |p| p.decimal(line.dice, line.count));
    p.member("isGift", 0, |p| p.int(0));
    p.member("isPlatGift", 0, |p| p.text("0"));
    p.member("logisticCode", 0, |p| p.text(t.carrier.0));
    p.member("logisticName", 0, |p| p.text(t.carrier.1));
    p.member("warehouseName", 0, |p| p.text(t.warehouse.2));
    p.member("consignTime", 0, |p| p.time(t.times.consigned));
    p.member("sourceTradeNo", 0, |p| source_no(p, t));
}

fn goods_columns(p: &mut Pen, t: &Trade, line: &Line) {
    p.member("subTradeId", 0, |p| p.id(line.dice, t.line_id(line)));
    p.member("tradeId", 0, |p| p.id(t.dice, t.id()));
    p.member("customizeGoodsColumn1", 0, |p| p.text("货品自定义字段1"));
    p.member("customizeGoodsColumn10", 0, |p| p.text(""));
}
