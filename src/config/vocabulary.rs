//! The names the vendors have: request parameters and response fields, so that a wrong one is met by the nearest right one.
//!
//! Takes a name, says whether the vendor knows it. Never judges a value beyond its kind.
//!
//! Jackyun `oms.trade.fullinfoget`: the declared types of the vendor's documentation (2026-05-12), its documented request,
//! and the names of the order (`hasTotal`, `pageIndex`, `modified_begin`, `shopCode`) that working clients still send.

use crate::base::names::{nearest, suggest};

/// The method this connector speaks.
pub const JACKYUN_METHOD: &str = "oms.trade.fullinfoget";
/// The vendor refuses a wider window (sub-code 0040139996).
pub const JACKYUN_MAX_WINDOW_DAYS: u64 = 7;
/// The documentation of 2026 says 200 (1000 in pages of 2023; the safe side is taken).
pub const JACKYUN_MAX_PAGE_SIZE: u32 = 200;
/// Calls per second the vendor allows.
pub const JACKYUN_CALLS_PER_SECOND: f64 = 1.0;

/// What a request parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// `yyyy-MM-dd HH:mm:ss`, or a time template.
    Time,
    Text,
    /// A whole number, as number or text.
    Integer,
    /// The first page: a whole number or `{{PAGINATION_START_PAGE}}`.
    StartPage,
    /// Records per page: a whole number or `{{PAGINATION_PAGE_SIZE}}`.
    PageSize,
    /// A list of numbers or texts; a single text is a list of one.
    List,
    /// The list of response fields.
    Fields,
}

/// By kind, the request parameters of Jackyun's `oms.trade.fullinfoget`.
const JACKYUN_PARAMS: &[(ParamKind, &str)] = &[
    (
        ParamKind::Time,
        "startModified endModified modified_begin modified_end startCreated endCreated startAuditTime endAuditTime \
        startConsignTime endConsignTime startSigningTime endSigningTime startPlatCompleteTime endPlatCompleteTime \
        startNotifyPickTime endNotifyPickTime startCompleteTime endCompleteTime startConfirmTime endConfirmTime \
        startBillDate endBillDate startSettleTime endSettleTime startFinReceiptTime endFinReceiptTime startTradeTime \
        endTradeTime tradeTime",
    ),
    (
        ParamKind::Text,
        "tradeNo sourceTradeNos customerTradeNos tradeDeliveryNo scrollId isDelete mainPostId mainPostIdList \
        logisticId",
    ),
    (ParamKind::PageSize, "pageSize"),
    (ParamKind::StartPage, "pageIndex"),
    (
        ParamKind::Integer,
        "hasTotal tradeStatus tradeType isTableSwitch isBillCheck isReturnPddData isPddQuery currentMaxId",
    ),
    (ParamKind::List, "tradeIds shopIds warehouseIds tradeTypeList logisticIdList tradeStatusList"),
    (ParamKind::Fields, "fields"),
];

/// Names of the order for the vendor's own (the integrator's variables of the same meaning).
pub const JACKYUN_ALIASES: &[(&str, &str)] = &[("modified_begin", "startModified"), ("modified_end", "endModified")];

/// Fields of a trade.
const TRADE: &str = "\
    checkTotal otherFee estimateWeight packageWeight tradeCount goodsTypeCount chargeExchangeRate grossProfit \
    estimateVolume customerDiscount firstPayment finalPayment customerTotalFee customerDiscountFee \
    customerPostFee customerPayment totalFee taxFee receivedPostFee discountFee payment couponFee receivedTotal \
    postFee localPayment localExchangeRate invoiceAmount realFee receiptAmount payType tradeFrom payStatus \
    tradeStatus blackList invoiceType invoiceStatus isBillCheck logisticType tradeType isTableSwitch isDelete \
    apiType shopId tradeId gmtCreate gmtModified confirmTime lastShipTime tradeTime payTime auditTime \
    firstPaytime finalPaytime reviewTime activationTime notifyPickTime consignTime billDate completeTime \
    signingTime platCompleteTime finReceiptTime platConsignTime tradeNo chargeCurrency accountName payNo \
    sellerMemo buyerMemo appendMemo register seller auditor reviewer freezeReason abnormalDescription \
    onlineTradeNo goodslist stockoutNo departName chargeCurrencyCode customerName customerTypeName \
    customerGradeName customerTags customerCode specialReminding country state city district town zip \
    countryCode cityCode payerName payerRegno payerBankAccount payerPhone payerAddress payerBankName invoiceNo \
    invoiceCode preTypedetail orderNo shopName companyName warehouseCode warehouseName warehouseId logisticName \
    logisticCode mainPostid shopcode customerAccount localCurrencyCode buyerOpenUid qq tradeOrderRefundTime \
    assemblyGoodsDetail agentShopName tradeStatusExplain flagIds flagNames sysFlagIds shopTypeCode sourceAfterNo \
    allCompassSourceContentType extraLogisticNo govSubsidy pickUpTime platFlags email goodsDetail \
    tradeOrderPayList goodsSerial otherPaymentFees tradeOrderGoodsColumnExts packageDetail ticketCodeList \
    tradeOrderAssemblyGoodsDtoList tradeOrderColumnExt tradeOrderPre";

/// `goodsDetail.`: a line of the trade.
const GOODS: &str = "\
    sellCount sellPrice sellTotal cost discountTotal taxFee shareFavourableFee estimateWeight discountFee \
    taxRate estimateGoodsVolume customerPrice customerTotal goodsPlatDiscountFee shareFavourableAfterFee \
    divideSellTotal shareOrderDiscountFee shareOrderPlatDiscountFee actualSendCount assessmentCostLocal \
    assessmentGrossProfitLocal needProcessCount refundStatus discountPoint isFit isGift isPresell goodsNo \
    goodsName specName barcode unit goodsMemo cateName brandName goodsTags tradeGoodsNo tradeGoodsName \
    tradeGoodsSpec tradeGoodsUnit sourceSubtradeNo sourceTradeNo platCode platGoodsId platSkuId subTradeId \
    platAuthorId platAuthorName isPlatGift tradeOrderGoodsDiscountInfoDtoList customerTradeNo customerSubtradeNo \
    PlatCustomData assessmentGrossProfitPercent goodsCompassSourceContentType goodsSeller inventoryWarehouseId \
    inventoryWarehouseName specId goodsId outerId apiType tradeId skuImgUrl goodsFlagIds goodsFlagNames \
    goodsDelivery baseUnitSellCount assessmentCost compassSourceContentTypem";

/// `goodsDetail.goodsDelivery.` and `goodsDelivery.`: batches of a line.
const DELIVERY: &str = "\
    sendCount productionDate expirationDate batchNo expireDate productDate";

/// `tradeOrderPayList.`: payments.
const PAY: &str = "\
    chargeType payType chargeCurrency chargeAccount accountName payNo chargeCurrencyCode payment \
    chargeExchangeRate";

/// `tradeOrderPre.`: advance payment.
const PRE: &str = "\
    frstPaytime finalPaytime firstPayment finalPayment preTypedetail";

/// `goodsSerial.`: serial numbers.
const SERIAL: &str = "\
    subTradeId skuId serialNo serialNo2 batchNo";

/// `otherPaymentFees.`, asked for as `expense.`: other payments.
const EXPENSE: &str = "\
    expenseFee expenseItemName";

/// `packageDetail.`: parcels.
const PACKAGE: &str = "\
    isGift sellCount barcode tradeNo buyerMemo isPlatGift logisticNo sellerMemo consignTime logisticCode \
    logisticName sourceTradeNo warehouseName sourceSubtradeNo";

/// Names that are asked for although no field of the answer is called so, and names whose spelling the vendor wavers on.
const ASKED: &str = "\
    columnExt scrollId shopCode expense goodsDelivery pickUpCode goodsPlatDiscountFee sourceTradeNo";

/// Parts of a trade that have fields of their own, with the name before the dot.
const PARTS: &[(&str, &str)] = &[
    ("goodsDetail", GOODS),
    ("goodsDetail.goodsDelivery", DELIVERY),
    ("goodsDelivery", DELIVERY),
    ("tradeOrderPayList", PAY),
    ("tradeOrderPre", PRE),
    ("goodsSerial", SERIAL),
    ("otherPaymentFees", EXPENSE),
    ("expense", EXPENSE),
    ("packageDetail", PACKAGE),
];

/// Customer-defined columns are numbered: the part they belong to ("" for the trade), and what stands before the number.
const NUMBERED: &[(&str, &str)] = &[
    ("tradeOrderColumnExt", "customizeTradeColumn"),
    ("columnExt", "customizeTradeColumn"),
    ("tradeOrderGoodsColumnExts", "customizeGoodsColumn"),
    ("goodsDetail", "customizeGoodsColumn"),
    ("", "customizeGoodsColumn"),
    ("", "customizeTradeColumn"),
];

fn lists(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|n| n == name)
}

/// What the parameter takes, or a sentence that names the nearest right name.
pub fn param(name: &str) -> Result<ParamKind, String> {
    match JACKYUN_PARAMS.iter().find(|(_, known)| lists(known, name)) {
        Some((kind, _)) => Ok(*kind),
        None if is_field(name) => Err(format!("{name} is a field of the answer, not a parameter: name it in fields")),
        None => Err(match nearest(name, param_names()) {
            Some(right) => format!("did you mean {right}?"),
            None => "the vendor would ignore it in silence; take it out".to_owned(),
        }),
    }
}

/// Every request parameter's name.
pub fn param_names() -> impl Iterator<Item = &'static str> + Clone {
    JACKYUN_PARAMS.iter().flat_map(|(_, names)| names.split_whitespace())
}

/// The vendor's own name of a parameter that the order calls otherwise.
pub fn vendor_name(name: &str) -> &str {
    JACKYUN_ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, own)| own)
}

/// Is it a field of the trade itself (no dot)? Only such a one can be a key or a version.
pub fn is_trade_field(name: &str) -> bool {
    lists(TRADE, name)
}

/// May `fields` name it?
pub fn is_field(name: &str) -> bool {
    if is_trade_field(name) || lists(ASKED, name) {
        return true;
    }
    let (part, leaf) = name.rsplit_once('.').unwrap_or(("", name));
    let listed = PARTS.iter().any(|(p, fields)| *p == part && lists(fields, leaf));
    listed || is_extension_id(part, leaf) || NUMBERED.iter().any(|(p, stem)| *p == part && is_numbered(leaf, stem))
}

fn is_extension_id(part: &str, leaf: &str) -> bool {
    match part {
        "tradeOrderColumnExt" => leaf == "tradeId",
        "tradeOrderGoodsColumnExts" => matches!(leaf, "tradeId" | "subTradeId"),
        _ => false,
    }
}

fn is_numbered(leaf: &str, stem: &str) -> bool {
    leaf.strip_prefix(stem).is_some_and(|n| n.len() <= 3 && !n.starts_with('0') && n.parse::<u32>().is_ok())
}

/// The cure for a field the vendor does not have. A leaf in the wrong place is put right: `goodsDetail.customerName` is
/// `customerName`, as published tables print it.
pub fn field_hint(wrong: &str) -> String {
    let (part, leaf) = wrong.rsplit_once('.').unwrap_or(("", wrong));
    if !part.is_empty() && is_trade_field(leaf) {
        return format!("{leaf} is a field of the trade itself: write {leaf}");
    }
    if part.is_empty()
        && let Some((home, _)) = PARTS.iter().find(|(_, fields)| lists(fields, leaf))
    {
        return format!("did you mean {home}.{leaf}?");
    }
    let all: Vec<String> = field_names().collect();
    match nearest(wrong, all.iter().map(String::as_str)) {
        Some(right) => format!("did you mean {right}?"),
        None => "the vendor's documentation knows no such field".to_owned(),
    }
}

/// The cure for a key or version that is no field of the trade.
pub fn trade_field_hint(wrong: &str) -> String {
    match nearest(wrong, TRADE.split_whitespace()) {
        Some(_) => suggest(wrong, TRADE.split_whitespace()),
        None => "take a field of the trade itself, as tradeNo or gmtModified".to_owned(),
    }
}

fn field_names() -> impl Iterator<Item = String> {
    let plain = TRADE.split_whitespace().chain(ASKED.split_whitespace()).map(str::to_owned);
    let parts = PARTS.iter().flat_map(|(part, fields)| fields.split_whitespace().map(move |f| format!("{part}.{f}")));
    let numbered = NUMBERED.iter().map(|(part, stem)| {
        let dot = if part.is_empty() { "" } else { "." };
        format!("{part}{dot}{stem}1")
    });
    plain.chain(parts).chain(numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_names_are_known_and_wrong_ones_are_put_right() {
        // The request the vendor documents, and the traps of the order.
        let known = "tradeNo,mainPostid,goodsDetail.goodsNo,columnExt,goodsDetail.outerId,pickUpCode,expense.expenseFee,\
            goodsPlatDiscountFee,customizeGoodsColumn9,goodsDetail.baseUnitSellCount,goodsDetail.compassSourceContentTypem,\
            sourceTradeNo,scrollId,shopcode,shopCode,goodsDelivery.batchNo,goodsDetail.goodsDelivery.batchNo,\
            tradeOrderColumnExt.tradeId,tradeOrderColumnExt.customizeTradeColumn10,tradeOrderPre.frstPaytime";
        for name in known.split(',') {
            assert!(is_field(name.trim()), "{name}");
        }
        let wrong = [
            ("tradeno", "tradeNo?"),
            ("goodsDetail.sellcount", "goodsDetail.sellCount?"),
            ("goodsDetail.customerName", "write customerName"),
            ("sellCount", "goodsDetail.sellCount?"),
            ("tradeOrderColumnExt.customizeTradeColumn01", "tradeOrderColumnExt.customizeTradeColumn1?"),
            ("zzzzzz", "knows no such field"),
        ];
        for (name, hint) in wrong {
            assert!(!is_field(name), "{name}");
            assert!(field_hint(name).contains(hint), "{name}: {}", field_hint(name));
        }
    }

    #[test]
    fn parameters_have_kinds_and_near_names() {
        assert_eq!(param("hasTotal"), Ok(ParamKind::Integer));
        assert_eq!(param("page_size"), Err("did you mean pageSize?".to_owned()));
        assert_eq!(param("startmodified"), Err("did you mean startModified?".to_owned()));
        assert!(param("columnExt").is_err_and(|hint| hint.contains("name it in fields")));
        assert_eq!(vendor_name("modified_end"), "endModified");
        assert_eq!(vendor_name("tradeNo"), "tradeNo");
    }
}
