-- 吉客云 销售单查询 (oms.trade.fullinfoget) → MySQL 执行操作-v1: sale_return + sale_return_detail
--
-- One row of this SELECT is one document (一张销售单一份单据): its columns, in this order, fill the placeholders <{name: }> of
-- main_sql; each element of the list extend_params_1 fills those of extend_sql_1 once (1:n 一单多行).
-- Columns that begin with _ are read by dukou and not sent. Names are case-sensitive, as the vendor writes them.
-- Try it:  dukou check jackyun_trades_to_mysql · dukou preview jackyun_trades_to_mysql

SELECT
  _rid,                                        -- 来源行: which staged record this document comes from (required)
  tradeNo           AS _key,                   -- 订单编号: the business key; a trade is delivered once under it

  CASE                                         -- 拒绝原因: refuse with a reason, so that it shows in the report
    WHEN tradeStatus = 5010
      THEN '订单已取消 cancelled'
    WHEN array_any_match(goodsDetail, g -> g['sellCount'] IS NULL)
      THEN 'sellCount is not a number'         -- 数量不是数字 (or absent) in at least one line
  END               AS _reject,

  orderNo           AS dispatch_id,            -- 发货单号
  '1'               AS return_status,          -- 退货状态
  sellerMemo        AS return_reason,          -- 退货原因 ← 备注
  customerCode      AS receive_cust_id,        -- 收货方 ← 客户编号
  ''                AS receive_phone,          -- 收货人电话: left empty by the order
  payerAddress      AS receive_address,        -- 收货地址 ← 购方地址
  consignTime       AS delivery_date,          -- 退货日期 ← 发货时间 (NULL while the trade is not sent)
  consignTime       AS date,                   -- date ← 发货时间

  array_transform(goodsDetail, g -> {          -- 货品详情: one element per line; fields of the trade are visible inside
    goods_id:     g['goodsNo'],                -- 货品编码id ← 货品编号
    must_qty:     g['sellCount'],              -- 应退数量 ← 数量
    real_qty:     g['sellCount'],              -- 实退数量 ← 数量
    unit_id:      g['unit'],                   -- 数量单位 ← 单位
    stock_id:     warehouseCode,               -- 仓库 ← 仓库编号 (of the trade)
    stock_status: tradeStatus,                 -- 库存状态 ← 订单状态 (of the trade)
    create_time:  consignTime                  -- date ← 发货时间 (of the trade)
  })                AS extend_params_1         -- lastInsertId (:lastInsertId) is filled in by the sink

FROM trade
-- 5020 已合并: a merged trade goes under its successor. Left out here, it is counted as unmapped and can be listed.
WHERE tradeStatus IS DISTINCT FROM 5020
