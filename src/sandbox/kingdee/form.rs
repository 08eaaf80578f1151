//! The form SAL_RETURNSTOCK (销售退货单): its entities, their fields, and which of them are required.
//!
//! Gives the field a key means at a level of a document, in whatever letter case it is written. Field list as collected
//! from public code that writes this form; captions of fields that no message names are their keys.

use super::base::Book;

/// The form's id and name.
pub const FORM: &str = "SAL_RETURNSTOCK";
pub const FORM_NAME: &str = "销售退货单";
/// The table of its heads, in messages.
pub const TABLE: &str = "T_SAL_RETURNSTOCK";
/// The keys of its entities.
pub const FINANCE: &str = "SubHeadEntity";
pub const ENTRY: &str = "FEntity";
pub const ENTRY_NAME: &str = "明细信息";

/// Where a field belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Directly in the model.
    Head,
    /// In `SubHeadEntity`, an object beside the lines.
    Finance,
    /// In each line.
    Entry,
}

impl Level {
    pub const ALL: [Level; 3] = [Level::Head, Level::Finance, Level::Entry];

    /// Its name in messages.
    pub fn entity(self) -> &'static str {
        match self {
            Level::Head => "BillHead",
            Level::Finance => FINANCE,
            Level::Entry => ENTRY,
        }
    }

    fn fields(self) -> &'static [Field] {
        match self {
            Level::Head => HEAD,
            Level::Finance => FINANCES,
            Level::Entry => LINE,
        }
    }

    /// The field a key means here.
    pub fn field(self, key: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.key.eq_ignore_ascii_case(key))
    }

    /// The fields that must have a value.
    pub fn required(self) -> impl Iterator<Item = &'static Field> {
        self.fields().iter().filter(|field| field.required)
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A number as such or as text.
    Number,
    /// A boolean as such or as text.
    Flag,
    /// `yyyy-MM-dd`, with or without a time.
    Date,
    Base(Book),
    /// Rows or objects of their own, kept as they come.
    Nested,
}

/// A field of the form.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    pub key: &'static str,
    pub caption: &'static str,
    pub kind: Kind,
    pub required: bool,
}

const fn field(key: &'static str, kind: Kind) -> Field {
    Field { key, caption: key, kind, required: false }
}

const fn base(key: &'static str, book: Book) -> Field {
    field(key, Kind::Base(book))
}

const fn required(key: &'static str, caption: &'static str, kind: Kind) -> Field {
    Field { key, caption, kind, required: true }
}

/// The field at its level, wherever in the form it belongs.
pub fn find(key: &str) -> Option<(Level, &'static Field)> {
    Level::ALL.into_iter().find_map(|level| Some((level, level.field(key)?)))
}

/// All fields, for QueryBusinessInfo.
pub fn all() -> impl Iterator<Item = (Level, &'static Field)> {
    Level::ALL.into_iter().flat_map(|level| level.fields().iter().map(move |field| (level, field)))
}

/// Keys that are parts of the structure or numbers the ERP gives: known everywhere, never stored as fields.
pub fn is_structural(key: &str) -> bool {
    ["FID", "FEntryId", "FSeq", FINANCE, ENTRY].iter().any(|known| known.eq_ignore_ascii_case(key))
}

static HEAD: &[Field] = &[
    Field { caption: "单据类型", ..base("FBillTypeID", Book::BillTypes) },
    Field { caption: "单据编号", ..field("FBillNo", Kind::Text) },
    required("FDate", "日期", Kind::Date),
    required("FSaleOrgId", "销售组织", Kind::Base(Book::Organisations)),
    required("FRetcustId", "退货客户", Kind::Base(Book::Customers)),
    base("FSaledeptid", Book::Open),
    base("FReturnReason", Book::Open),
    base("FHeadLocId", Book::Open),
    base("FSaleGroupId", Book::Open),
    base("FSalesGroupID", Book::Open),
    base("FTransferBizType", Book::Open),
    base("FCorrespondOrgId", Book::Organisations),
    Field { caption: "销售员", ..base("FSalesManId", Book::Salesmen) },
    required("FStockOrgId", "库存组织", Kind::Base(Book::Organisations)),
    base("FStockDeptId", Book::Open),
    base("FStockerGroupId", Book::Open),
    base("FStockerId", Book::Open),
    Field { caption: "备注", ..field("FHeadNote", Kind::Text) },
    base("FReceiveCustId", Book::Customers),
    field("FReceiveAddress", Kind::Text),
    base("FSettleCustId", Book::Customers),
    base("FReceiveCusContact", Book::Open),
    base("FPayCustId", Book::Customers),
    field("FOwnerTypeIdHead", Kind::Text),
    base("FOwnerIdHead", Book::Organisations),
    field("FIsTotalServiceOrCost", Kind::Flag),
    field("FScanBox", Kind::Text),
    field("FCDateOffsetUnit", Kind::Text),
    field("FCDateOffsetValue", Kind::Number),
    // Of the customer whose flow this is: 跟单员 and 运营员.
    Field { caption: "跟单员", ..base("F_XC_Base", Book::Open) },
    Field { caption: "运营员", ..base("F_XC_Base1", Book::Open) },
];

static FINANCES: &[Field] = &[
    Field { caption: "结算组织", ..base("FSettleOrgId", Book::Organisations) },
    Field { caption: "结算币别", ..base("FSettleCurrId", Book::Currencies) },
    base("FLocalCurrId", Book::Currencies),
    base("FExchangeTypeId", Book::ExchangeTypes),
    field("FExchangeRate", Kind::Number),
    base("FSettleTypeId", Book::Open),
    base("FChageCondition", Book::Open),
    base("FPriceListId", Book::Open),
    base("FDiscountListId", Book::Open),
    field("FThirdBillNo", Kind::Text),
    field("FThirdBillId", Kind::Text),
    field("FThirdSrcType", Kind::Text),
];

static LINE: &[Field] = &[
    field("FRowType", Kind::Text),
    base("FMapId", Book::Open),
    required("FMaterialId", "物料编码", Kind::Base(Book::Materials)),
    field("FAuxpropId", Kind::Nested),
    base("FUnitID", Book::Units),
    field("FInventoryQty", Kind::Number),
    field("FMustqty", Kind::Number),
    required("FRealQty", "实退数量", Kind::Number),
    base("FParentMatId", Book::Materials),
    field("FPrice", Kind::Number),
    Field { caption: "含税单价", ..field("FTaxPrice", Kind::Number) },
    Field { caption: "是否赠品", ..field("FIsFree", Kind::Flag) },
    base("FTaxCombination", Book::Open),
    Field { caption: "税率%", ..field("FEntryTaxRate", Kind::Number) },
    base("FBOMId", Book::Open),
    Field { caption: "退货类型", ..base("FReturnType", Book::ReturnTypes) },
    Field { caption: "货主类型", ..field("FOwnerTypeId", Kind::Text) },
    Field { caption: "货主", ..base("FOwnerId", Book::Organisations) },
    Field { caption: "生产日期", ..field("FProduceDate", Kind::Date) },
    Field { caption: "有效期至", ..field("FExpiryDate", Kind::Date) },
    required("FStockId", "仓库", Kind::Base(Book::Stocks)),
    field("FStocklocId", Kind::Nested),
    base("FStockstatusId", Book::StockStatuses),
    Field { caption: "退货日期", ..field("FDeliveryDate", Kind::Date) },
    field("FMtoNo", Kind::Text),
    Field { caption: "备注", ..field("FNote", Kind::Text) },
    field("FDiscountRate", Kind::Number),
    field("FPriceDiscount", Kind::Number),
    field("FAuxUnitQty", Kind::Number),
    base("FExtAuxUnitId", Book::Units),
    field("FExtAuxUnitQty", Kind::Number),
    field("FSalCostPrice", Kind::Number),
    field("FISCONSUMESUM", Kind::Text),
    Field { caption: "批号", ..base("FLot", Book::Open) },
    base("FSalUnitID", Book::Units),
    field("FSalUnitQty", Kind::Number),
    field("FSalBaseQty", Kind::Number),
    field("FPriceBaseQty", Kind::Number),
    field("FPriceUnitQty", Kind::Number),
    field("FBASEARQTY", Kind::Number),
    field("FAmount", Kind::Number),
    field("FProjectNo", Kind::Text),
    field("FQualifyType", Kind::Text),
    base("FEOwnerSupplierId", Book::Open),
    field("FIsOverLegalOrg", Kind::Flag),
    base("FESettleCustomerId", Book::Customers),
    field("FSOEntryId", Kind::Number),
    field("FThirdEntryId", Kind::Text),
    base("FPriceListEntry", Book::Open),
    field("FARNOTJOINQTY", Kind::Number),
    field("FIsReturnCheck", Kind::Flag),
    Field { caption: "源单类型", ..field("FSrcBillTypeID", Kind::Text) },
    Field { caption: "源单编号", ..field("FSrcBillNo", Kind::Text) },
    Field { caption: "订单单号", ..field("FOrderNo", Kind::Text) },
    Field { caption: "零售条形码", ..field("FBarcode", Kind::Text) },
    field("FTaxDetailSubEntity", Kind::Nested),
    field("FSerialSubEntity", Kind::Nested),
    field("FEntity_Link", Kind::Nested),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_one_field_in_any_letter_case() {
        assert_eq!(Level::Entry.field("FTAXPRICE").map(|field| field.key), Some("FTaxPrice"));
        assert_eq!(find("fsalesmanid").map(|(level, field)| (level, field.key)), Some((Level::Head, "FSalesManId")));
        assert_eq!(Level::Head.field("FMaterialId"), None);
        let keys: Vec<String> = all().map(|(_, field)| field.key.to_lowercase()).collect();
        let once: std::collections::HashSet<&String> = keys.iter().collect();
        assert_eq!(keys.len(), once.len(), "a key stands twice");
    }

    #[test]
    fn every_field_that_the_order_names_is_known() {
        for key in
            "FBillTypeID FBillNo FSaleOrgId FDate FStockOrgId FRetcustId FHeadNote FSalesManID F_XC_Base F_XC_Base1 \
                    FMaterialId FBarcode FRealQty FTAXPRICE FIsFree FEntryTaxRate FReturnType FOwnerTypeId FOwnerId \
                    FStockId FLot FProduceDate FDeliveryDate FNote FSRCBILLTYPEID FSRCBILLNO FORDERNO FExpiryDate \
                    FEntity_Link FSettleOrgId FSettleCurrId"
                .split_whitespace()
        {
            assert!(find(key).is_some(), "{key}");
        }
    }
}
