-- Target tables of the pipelines from 吉客云 trades to MySQL, as a customer's own database has them.
-- dukou does not need this file: it is for the demo, for tests, and for a server that has no such tables yet.
-- Execute it inside the database that the statements name (lehua).

-- One row per trade. The lengths are limits: a longer value is rejected by the server, never cut.
CREATE TABLE IF NOT EXISTS sale_return (
  id              BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  dispatch_id     VARCHAR(64)  NOT NULL COMMENT '发货单号',
  return_status   VARCHAR(16)  NULL     COMMENT '退货状态',
  return_reason   VARCHAR(255) NULL     COMMENT '退货原因',
  receive_cust_id VARCHAR(64)  NULL     COMMENT '收货方',
  receive_phone   VARCHAR(32)  NULL     COMMENT '收货人电话',
  receive_address VARCHAR(255) NULL     COMMENT '收货地址',
  delivery_date   DATETIME     NULL     COMMENT '退货日期',
  `date`          DATETIME     NULL     COMMENT '日期',
  PRIMARY KEY (id),
  KEY dispatch (dispatch_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- One row per goods line; id is the row of sale_return it belongs to.
CREATE TABLE IF NOT EXISTS sale_return_detail (
  detail_id    BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  id           BIGINT UNSIGNED NOT NULL COMMENT '退货单 id',
  goods_id     VARCHAR(64)   NULL COMMENT '货品编码 id',
  must_qty     DECIMAL(18,6) NULL COMMENT '应退数量',
  real_qty     DECIMAL(18,6) NULL COMMENT '实退数量',
  unit_id      VARCHAR(32)   NULL COMMENT '数量单位',
  stock_id     VARCHAR(64)   NULL COMMENT '仓库',
  stock_status VARCHAR(32)   NULL COMMENT '库存状态',
  create_time  DATETIME      NULL COMMENT '创建时间',
  PRIMARY KEY (detail_id),
  KEY sale_return (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- The same for the literal 1:1 flow: one pair of rows per goods line.
CREATE TABLE IF NOT EXISTS sale_return_line LIKE sale_return;
CREATE TABLE IF NOT EXISTS sale_return_line_detail LIKE sale_return_detail;
