-- 聚水潭 其他出入库查询 (other.inout.query, 其它退货) → 金蝶云星空 销售退货单 (SAL_RETURNSTOCK)
--
-- One row of this SELECT is one document (一张退货单一份单据): its columns, in this order, are the fields of Model. Columns that
-- begin with _ are read by dukou and not sent. {…} is an object, […] a list; what is null is left out, and so is an object of
-- nothing but nulls ({FNumber: NULL} of a material without a batch).
-- SubHeadEntity stands before FEntity because Kingdee works through the fields in their order.
-- jushuitan_returns_to_kingdee_flat.sql makes the same documents with joins; choose the style you prefer.
-- Try it:  dukou check jushuitan_returns_to_kingdee · dukou preview jushuitan_returns_to_kingdee

WITH effective AS (
  SELECT *,
    -- 退货客户: the distributor, and for a return without one the house customer of the warehouse. A published client spells
    -- the field drop_co_name.
    coalesce(nullif(trim(drp_co_name), ''), nullif(trim(drop_co_name), ''), warehouse) AS customer_name,
    -- 批次管理: the lines of which batchs tells the batches; the two are tied by 商品编码 alone.
    array_filter(items, i -> array_any_match(batchs, b -> b['sku_id'] = i['sku_id'])) AS batched
  FROM inout
  WHERE status IN ('Confirmed', 'Archive')     -- 生效 and 归档; the others are left out and counted as unmapped
)
SELECT
  _rid,                                        -- 来源行: which staged record this document comes from (required)
  'XT' || io_id              AS _key,          -- 出仓单号: the business key; a return is delivered once under it

  CASE                                         -- 拒绝原因: refuse with a reason, so that it shows in the report
    WHEN lookup('customer', 'fnumber', customer_name, NULL) IS NULL
      THEN '无此退货客户 no such customer in lookup/customer.csv: ' || coalesce(customer_name, '(空)')
    WHEN array_any_match(items, i -> i['sale_price'] IS NULL)
      THEN '单价不是数字 sale_price is not a number' -- or absent, in at least one line
    WHEN array_any_match(batched, i -> array_length(array_filter(items, j -> j['sku_id'] = i['sku_id'])) > 1)
      THEN '同一批次商品有多行 a batch-managed sku in several lines: which batch belongs to which is not told'
    WHEN array_any_match(batchs, b -> NOT coalesce(array_any_match(items, i -> i['sku_id'] = b['sku_id']), false))
      THEN '批次无对应明细 a batch without a line'
    WHEN array_any_match(batched, i ->         -- array_sum counts in binary; the CAST brings back the exact number
           CAST(array_sum(array_transform(array_filter(batchs, b -> b['sku_id'] = i['sku_id']), b -> b['qty']))
                AS DECIMAL(18,6)) IS DISTINCT FROM i['qty'])
      THEN '批次数量与明细不符 batch quantities do not add up to the line'
  END                        AS _reject,

  {FNUMBER: 'XSTHD01_SYS'}   AS "FBillTypeID", -- 单据类型: 标准销售退货单
  'XT' || io_id              AS "FBillNo",     -- 单据编号 ← 出仓单号
  {FNumber: $org}            AS "FSaleOrgId",  -- 销售组织
  CAST(io_date AS DATE)      AS "FDate",       -- 日期 ← 单据日期
  {FNumber: $org}            AS "FStockOrgId", -- 库存组织
  {FNumber: lookup('customer', 'fnumber', customer_name)} AS "FRetcustId", -- 退货客户 ← 分销商, 或仓库名称
  nullif(remark, '')         AS "FHeadNote",   -- 备注
  {FNumber: lookup('salesman', 'fnumber', nullif(creator_name, ''))} AS "FSalesManID", -- 销售员 ← 创建人
  {FNumber: lookup('clerk', 'fnumber', creator_name, NULL)} AS "F_XC_Base", -- 跟单员 ← 创建人; NULL: not everybody is one
  {FNumber: lookup('operator', 'fnumber', wms_co_id, NULL)} AS "F_XC_Base1", -- 运营员 ← 分仓编号

  {                                            -- 财务信息
    FSettleOrgId:  {FNumber: $org},            -- 结算组织
    FSettleCurrId: {FNumber: 'PRE001'}         -- 结算币别: 人民币
  }                          AS "SubHeadEntity",

  -- 明细信息: the inner list holds the parts of a line, one for each of its batches or the line whole; flatten makes them lines.
  flatten(array_transform(items, i -> array_transform(
    CASE WHEN array_any_match(batchs, b -> b['sku_id'] = i['sku_id'])
      THEN array_transform(array_filter(batchs, b -> b['sku_id'] = i['sku_id']), b -> {
        lot: b['batch_no'], qty: b['qty'], made: coalesce(b['product_date'], i['product_date'])})
      ELSE [{lot: nullif(i['batch_id'], ''), qty: i['qty'], made: i['product_date']}]
    END,
    p -> {
      FMaterialId:    {FNumber: nullif(i['sku_id'], '')}, -- 物料编码 ← 商品编码
      FBarcode:       nullif(i['sku_id'], ''), -- 零售条形码 ← 商品编码: the shop prints it as the bar code
      FRealQty:       p['qty'],                -- 实退数量 ← 数量 (of the batch)
      FTAXPRICE:      i['sale_price'],         -- 含税单价 ← 单价
      FIsFree:        i['sale_price'] = 0,     -- 是否赠品: Kingdee takes a price of 0 only in a free line
      FEntryTaxRate:  CAST($tax_rate AS DECIMAL(9,2)), -- 税率%
      FReturnType:    {FNumber: 'THLX01_SYS'}, -- 退货类型: 退货
      FOwnerTypeId:   'BD_OwnerOrg',           -- 货主类型: 业务组织
      FOwnerId:       {FNumber: $org},         -- 货主
      FStockId:       {FNumber: lookup('stock', 'fnumber', wms_co_id)}, -- 仓库 ← 分仓编号
      FLot:           {FNumber: p['lot']},     -- 批号 ← 批次号
      FProduceDate:   CAST(p['made'] AS DATE), -- 生产日期 ← 批次日期
      FDeliveryDate:  io_date,                 -- 退货日期 ← 单据日期
      FNote:          nullif(i['remark'], ''), -- 备注 ← 商品备注
      -- 源单: only where lookup/outstock.csv knows the 销售出库单 of this line; the fourth argument says that most have none.
      FSRCBILLTYPEID: CASE WHEN lookup('outstock', 'fid', so_id || '/' || i['sku_id'], NULL) IS NOT NULL
                        THEN 'SAL_OUTSTOCK' END, -- 源单类型
      FSRCBILLNO:     lookup('outstock', 'fbillno', so_id || '/' || i['sku_id'], NULL), -- 源单编号
      FORDERNO:       nullif(so_id, ''),       -- 订单单号 ← 线上单号
      FExpiryDate:    CAST(i['expiration_date'] AS DATE), -- 有效期至
      FEntity_Link:   CASE WHEN lookup('outstock', 'fid', so_id || '/' || i['sku_id'], NULL) IS NOT NULL THEN [{
        FEntity_Link_FRuleId:     'OutStock-SalReturnStock', -- 转换规则
        FEntity_Link_FSTableName: 'T_SAL_OUTSTOCKENTRY',     -- 源单表
        FEntity_Link_FSBillId:    lookup('outstock', 'fid', so_id || '/' || i['sku_id'], NULL),      -- 源单内码
        FEntity_Link_FSId:        lookup('outstock', 'fentryid', so_id || '/' || i['sku_id'], NULL)  -- 源单分录内码
      }] END
    }
  )))                        AS "FEntity"

FROM effective
