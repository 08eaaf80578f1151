-- 聚水潭 其他出入库查询 (other.inout.query, 其它退货) → 金蝶云星空 销售退货单 (SAL_RETURNSTOCK), with joins
--
-- The same documents as jushuitan_returns_to_kingdee.sql, byte for byte, for those who think in rows: inout_items is the record's
-- array items flattened (one row per line, the record's own columns beside), inout_batchs the array batchs. Both have _rid, which
-- says whose they are, and _line, which says at which place. An element's column whose name the record has as well is called
-- items_remark, items_io_id.
-- Try it:  dukou check jushuitan_returns_to_kingdee_flat · dukou preview jushuitan_returns_to_kingdee_flat

WITH line AS (                                 -- 明细: one row per line, or one per batch of it
  SELECT
    i._rid, i._line, b._line AS part,
    nullif(i.sku_id, '')                         AS sku,
    CASE WHEN b._rid IS NULL THEN i.qty ELSE b.qty END AS qty,
    i.sale_price                                 AS price,
    CASE WHEN b._rid IS NULL THEN nullif(i.batch_id, '') ELSE b.batch_no END AS lot,
    coalesce(b.product_date, i.product_date)     AS made,
    i.expiration_date                            AS expires,
    nullif(i.items_remark, '')                   AS note,
    i.io_date, i.wms_co_id, i.so_id,
    -- 源单: only where lookup/outstock.csv knows the 销售出库单 of this line
    o.fid, o.fentryid, o.fbillno
  FROM inout_items i
  LEFT JOIN inout_batchs b ON b._rid = i._rid AND b.sku_id = i.sku_id
  LEFT JOIN outstock o     ON o.line = i.so_id || '/' || i.sku_id
),
entity AS (                                    -- 明细信息: the lines of a record as one list
  SELECT _rid, array_agg({
      FMaterialId:    {FNumber: sku},            -- 物料编码 ← 商品编码
      FBarcode:       sku,                       -- 零售条形码 ← 商品编码: the shop prints it as the bar code
      FRealQty:       qty,                       -- 实退数量 ← 数量 (of the batch)
      FTAXPRICE:      price,                     -- 含税单价 ← 单价
      FIsFree:        price = 0,                 -- 是否赠品: Kingdee takes a price of 0 only in a free line
      FEntryTaxRate:  CAST($tax_rate AS DECIMAL(9,2)), -- 税率%
      FReturnType:    {FNumber: 'THLX01_SYS'},   -- 退货类型: 退货
      FOwnerTypeId:   'BD_OwnerOrg',             -- 货主类型: 业务组织
      FOwnerId:       {FNumber: $org},           -- 货主
      FStockId:       {FNumber: lookup('stock', 'fnumber', wms_co_id)}, -- 仓库 ← 分仓编号
      FLot:           {FNumber: lot},            -- 批号 ← 批次号
      FProduceDate:   CAST(made AS DATE),        -- 生产日期 ← 批次日期
      FDeliveryDate:  io_date,                   -- 退货日期 ← 单据日期
      FNote:          note,                      -- 备注 ← 商品备注
      FSRCBILLTYPEID: CASE WHEN fid IS NOT NULL THEN 'SAL_OUTSTOCK' END, -- 源单类型
      FSRCBILLNO:     fbillno,                   -- 源单编号
      FORDERNO:       nullif(so_id, ''),         -- 订单单号 ← 线上单号
      FExpiryDate:    CAST(expires AS DATE),     -- 有效期至
      FEntity_Link:   CASE WHEN fid IS NOT NULL THEN [{
        FEntity_Link_FRuleId:     'OutStock-SalReturnStock', -- 转换规则
        FEntity_Link_FSTableName: 'T_SAL_OUTSTOCKENTRY',     -- 源单表
        FEntity_Link_FSBillId:    fid,                       -- 源单内码
        FEntity_Link_FSId:        fentryid                   -- 源单分录内码
      }] END
    } ORDER BY _line, part)                    AS lines,
    bool_or(price IS NULL)                     AS unpriced
  FROM line
  GROUP BY _rid                                -- one record, so no scope = "all" is needed
),
sku AS (                                       -- 商品: how often a record has it, and how many
  SELECT _rid, sku_id, count(*) AS lines, sum(qty) AS qty FROM inout_items GROUP BY _rid, sku_id
),
batch AS (                                     -- 批次 of a product
  SELECT _rid, sku_id, sum(qty) AS qty FROM inout_batchs GROUP BY _rid, sku_id
),
amiss AS (                                     -- what does not fit between the two
  SELECT b._rid,
    bool_or(s.lines > 1)                       AS doubled,
    bool_or(s._rid IS NULL)                    AS alone,
    bool_or(b.qty IS DISTINCT FROM s.qty)      AS uneven
  FROM batch b
  LEFT JOIN sku s ON s._rid = b._rid AND s.sku_id = b.sku_id
  GROUP BY b._rid
),
effective AS (
  SELECT *, coalesce(nullif(trim(drp_co_name), ''), nullif(trim(drop_co_name), ''), warehouse) AS customer_name
  FROM inout
  WHERE status IN ('Confirmed', 'Archive')     -- 生效 and 归档; the others are left out and counted as unmapped
)
SELECT
  r._rid                     AS _rid,          -- 来源行: which staged record this document comes from (required)
  'XT' || r.io_id            AS _key,          -- 出仓单号: the business key; a return is delivered once under it

  CASE                                         -- 拒绝原因: refuse with a reason, so that it shows in the report
    WHEN lookup('customer', 'fnumber', customer_name, NULL) IS NULL
      THEN '无此退货客户 no such customer in lookup/customer.csv: ' || coalesce(customer_name, '(空)')
    WHEN e.unpriced
      THEN '单价不是数字 sale_price is not a number' -- or absent, in at least one line
    WHEN a.doubled
      THEN '同一批次商品有多行 a batch-managed sku in several lines: which batch belongs to which is not told'
    WHEN a.alone
      THEN '批次无对应明细 a batch without a line'
    WHEN a.uneven
      THEN '批次数量与明细不符 batch quantities do not add up to the line'
  END                        AS _reject,

  {FNUMBER: 'XSTHD01_SYS'}   AS "FBillTypeID", -- 单据类型: 标准销售退货单
  'XT' || r.io_id            AS "FBillNo",     -- 单据编号 ← 出仓单号
  {FNumber: $org}            AS "FSaleOrgId",  -- 销售组织
  CAST(r.io_date AS DATE)    AS "FDate",       -- 日期 ← 单据日期
  {FNumber: $org}            AS "FStockOrgId", -- 库存组织
  {FNumber: lookup('customer', 'fnumber', customer_name)} AS "FRetcustId", -- 退货客户 ← 分销商, 或仓库名称
  nullif(r.remark, '')       AS "FHeadNote",   -- 备注
  {FNumber: lookup('salesman', 'fnumber', nullif(r.creator_name, ''))} AS "FSalesManID", -- 销售员 ← 创建人
  {FNumber: lookup('clerk', 'fnumber', r.creator_name, NULL)} AS "F_XC_Base", -- 跟单员 ← 创建人; NULL: not everybody is one
  {FNumber: lookup('operator', 'fnumber', r.wms_co_id, NULL)} AS "F_XC_Base1", -- 运营员 ← 分仓编号

  {                                            -- 财务信息
    FSettleOrgId:  {FNumber: $org},            -- 结算组织
    FSettleCurrId: {FNumber: 'PRE001'}         -- 结算币别: 人民币
  }                          AS "SubHeadEntity",

  e.lines                    AS "FEntity"      -- 明细信息

FROM effective r
LEFT JOIN entity e ON e._rid = r._rid
LEFT JOIN amiss a  ON a._rid = r._rid
