-- 吉客云 销售单查询 (oms.trade.fullinfoget) → MySQL 执行操作-v1, as the order is printed: 1:1 扩展
--
-- trade_goodsDetail is the trade's array goodsDetail (货品详情) flattened: one row per line, with the trade's own columns beside.
-- So each line becomes a document of its own: one row of the main table and, because extend_params_1 is one object and not a
-- list, one row of the extension table.
-- Try it:  dukou check jackyun_trade_lines_to_mysql · dukou preview jackyun_trade_lines_to_mysql

SELECT
  _rid,                                        -- 来源行: which staged record this document comes from (required)
  tradeNo || '-' || CAST(subTradeId AS VARCHAR) AS _key,  -- 订单编号-商品明细id: identifies a line for ever, its position does not

  CASE                                         -- 拒绝原因: refuse with a reason, so that it shows in the report
    WHEN tradeStatus = 5010 THEN '订单已取消 cancelled'
    WHEN sellCount IS NULL  THEN 'sellCount is not a number'
  END               AS _reject,

  orderNo           AS dispatch_id,            -- 发货单号
  '1'               AS return_status,          -- 退货状态
  sellerMemo        AS return_reason,          -- 退货原因 ← 备注
  customerCode      AS receive_cust_id,        -- 收货方 ← 客户编号
  ''                AS receive_phone,          -- 收货人电话: left empty by the order
  payerAddress      AS receive_address,        -- 收货地址 ← 购方地址
  consignTime       AS delivery_date,          -- 退货日期 ← 发货时间
  consignTime       AS date,                   -- date ← 发货时间

  {                                            -- 1:1扩展参数
    lastInsertId: ':lastInsertId',             -- id: the sink puts the main row's id here
    goods_id:     goodsNo,                     -- 货品编码id ← 货品编号
    must_qty:     sellCount,                   -- 应退数量 ← 数量
    real_qty:     sellCount,                   -- 实退数量 ← 数量
    unit_id:      unit,                        -- 数量单位 ← 单位
    stock_id:     warehouseCode,               -- 仓库 ← 仓库编号
    stock_status: tradeStatus,                 -- 库存状态 ← 订单状态
    create_time:  consignTime                  -- date ← 发货时间
  }                 AS extend_params_1

FROM trade_goodsDetail
-- 5020 已合并: a merged trade goes under its successor. Left out here, it is counted as unmapped and can be listed.
WHERE tradeStatus IS DISTINCT FROM 5020
