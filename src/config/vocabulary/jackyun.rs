//! Jackyun `oms.trade.fullinfoget`: the declared types of the vendor's documentation (2026-05-12), its documented request,
//! and the names of the order (`hasTotal`, `pageIndex`, `modified_begin`, `shopCode`) that working clients still send.
//!
//! Data only; what is done with it says the parent module.

use super::{ParamKind, Range, Vocabulary};

pub static JACKYUN: Vocabulary = Vocabulary {
    name: "jackyun",
    method: "oms.trade.fullinfoget",
    table: "trade",
    key: "tradeNo",
    version: "gmtModified",
    variables: "JACKYUN",
    // The vendor refuses a wider window (sub-code 0040139996).
    max_window_days: 7,
    // The documentation of 2026 says 200 (1000 in pages of 2023; the safe side is taken).
    max_page_size: 200,
    max_list: usize::MAX,
    pages_from_zero: true,
    calls_per_second: 1.0,
    calls_per_minute: None,
    axes: &[("created", "created"), ("consign", "consign")],
    has_table_switches: true,
    has_refresh_token: false,
    params: PARAMS,
    ranges: RANGES,
    choices: &[],
    aliases: ALIASES,
    refused: &[("scrollId", "", "write scrollId = \"\", or take it out: it is carried from page to page")],
    needs_fields: true,
    record_word: "trade",
    record: TRADE,
    asked: ASKED,
    parts: PARTS,
    numbered: NUMBERED,
};

/// By kind, the request parameters of the method.
const PARAMS: &[(ParamKind, &str)] = &[
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

/// Begin and end of each time, and the axis of a history that takes it over.
const RANGES: &[Range] = &[
    Range { begin: "startModified", end: "endModified", axis: "modified" },
    Range { begin: "startCreated", end: "endCreated", axis: "created" },
    Range { begin: "startConsignTime", end: "endConsignTime", axis: "consign" },
    Range { begin: "startAuditTime", end: "endAuditTime", axis: "" },
    Range { begin: "startCompleteTime", end: "endCompleteTime", axis: "" },
    Range { begin: "startTradeTime", end: "endTradeTime", axis: "" },
    Range { begin: "startPlatCompleteTime", end: "endPlatCompleteTime", axis: "" },
    Range { begin: "startNotifyPickTime", end: "endNotifyPickTime", axis: "" },
    Range { begin: "startBillDate", end: "endBillDate", axis: "" },
    Range { begin: "startSigningTime", end: "endSigningTime", axis: "" },
    Range { begin: "startSettleTime", end: "endSettleTime", axis: "" },
    Range { begin: "startFinReceiptTime", end: "endFinReceiptTime", axis: "" },
    Range { begin: "startConfirmTime", end: "endConfirmTime", axis: "" },
];

/// Names of the order for the vendor's own (the integrator's variables of the same meaning).
const ALIASES: &[(&str, &str)] = &[("modified_begin", "startModified"), ("modified_end", "endModified")];

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
    ("tradeOrderColumnExt", "tradeId"),
    ("tradeOrderGoodsColumnExts", "tradeId subTradeId"),
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

#[cfg(test)]
mod tests {
    use super::super::{JACKYUN, ParamKind};

    #[test]
    fn documented_names_are_known_and_wrong_ones_are_put_right() {
        // The request the vendor documents, and the traps of the order.
        let known = "tradeNo,mainPostid,goodsDetail.goodsNo,columnExt,goodsDetail.outerId,pickUpCode,expense.expenseFee,\
            goodsPlatDiscountFee,customizeGoodsColumn9,goodsDetail.baseUnitSellCount,goodsDetail.compassSourceContentTypem,\
            sourceTradeNo,scrollId,shopcode,shopCode,goodsDelivery.batchNo,goodsDetail.goodsDelivery.batchNo,\
            tradeOrderColumnExt.tradeId,tradeOrderColumnExt.customizeTradeColumn10,tradeOrderPre.frstPaytime";
        for name in known.split(',') {
            assert!(JACKYUN.is_field(name.trim()), "{name}");
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
            assert!(!JACKYUN.is_field(name), "{name}");
            assert!(JACKYUN.field_hint(name).contains(hint), "{name}: {}", JACKYUN.field_hint(name));
        }
    }

    #[test]
    fn parameters_have_kinds_and_near_names() {
        assert_eq!(JACKYUN.param("hasTotal"), Ok(ParamKind::Integer));
        assert_eq!(JACKYUN.param("page_size"), Err("did you mean pageSize?".to_owned()));
        assert_eq!(JACKYUN.param("startmodified"), Err("did you mean startModified?".to_owned()));
        assert!(JACKYUN.param("columnExt").is_err_and(|hint| hint.contains("name it in fields")));
        assert_eq!(JACKYUN.vendor_name("modified_end"), "endModified");
        assert_eq!(JACKYUN.vendor_name("tradeNo"), "tradeNo");
    }
}
