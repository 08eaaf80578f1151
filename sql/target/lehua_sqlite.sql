-- Target tables of the pipelines from 吉客云 trades to SQLite: the same tables and the same limits as lehua_mysql.sql.
-- Executed on a file that is attached as lehua.
--
-- Quantities are TEXT, not NUMERIC: SQLite keeps a NUMERIC with decimals as a binary float, and money and quantities never
-- pass through a float. The checks see to it that the text is a number; SUM(must_qty) adds floats, so add them with
-- decimal arithmetic (the sqlite3 shell has decimal_sum) where every digit counts.

CREATE TABLE IF NOT EXISTS lehua.sale_return (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  dispatch_id     TEXT NOT NULL CONSTRAINT dispatch_id_length     CHECK (length(dispatch_id) <= 64),      -- 发货单号
  return_status   TEXT          CONSTRAINT return_status_length   CHECK (length(return_status) <= 16),    -- 退货状态
  return_reason   TEXT          CONSTRAINT return_reason_length   CHECK (length(return_reason) <= 255),   -- 退货原因
  receive_cust_id TEXT          CONSTRAINT receive_cust_id_length CHECK (length(receive_cust_id) <= 64),  -- 收货方
  receive_phone   TEXT          CONSTRAINT receive_phone_length   CHECK (length(receive_phone) <= 32),    -- 收货人电话
  receive_address TEXT          CONSTRAINT receive_address_length CHECK (length(receive_address) <= 255), -- 收货地址
  delivery_date   TEXT          CONSTRAINT delivery_date_is_time  CHECK (delivery_date IS NULL OR datetime(delivery_date) IS NOT NULL),
  "date"          TEXT          CONSTRAINT date_is_time           CHECK ("date" IS NULL OR datetime("date") IS NOT NULL)
);
CREATE INDEX IF NOT EXISTS lehua.sale_return_dispatch ON sale_return (dispatch_id);

CREATE TABLE IF NOT EXISTS lehua.sale_return_detail (
  detail_id    INTEGER PRIMARY KEY AUTOINCREMENT,
  id           INTEGER NOT NULL,                                                                          -- 退货单 id
  goods_id     TEXT CONSTRAINT goods_id_length     CHECK (length(goods_id) <= 64),                        -- 货品编码 id
  must_qty     TEXT CONSTRAINT must_qty_is_number  CHECK (must_qty NOT GLOB '*[^-0-9.]*' AND must_qty GLOB '*[0-9]*'), -- 应退数量
  real_qty     TEXT CONSTRAINT real_qty_is_number  CHECK (real_qty NOT GLOB '*[^-0-9.]*' AND real_qty GLOB '*[0-9]*'), -- 实退数量
  unit_id      TEXT CONSTRAINT unit_id_length      CHECK (length(unit_id) <= 32),                         -- 数量单位
  stock_id     TEXT CONSTRAINT stock_id_length     CHECK (length(stock_id) <= 64),                        -- 仓库
  stock_status TEXT CONSTRAINT stock_status_length CHECK (length(stock_status) <= 32),                    -- 库存状态
  create_time  TEXT CONSTRAINT create_time_is_time CHECK (create_time IS NULL OR datetime(create_time) IS NOT NULL)
);
CREATE INDEX IF NOT EXISTS lehua.sale_return_detail_id ON sale_return_detail (id);

-- The same for the literal 1:1 flow: one pair of rows per goods line.
CREATE TABLE IF NOT EXISTS lehua.sale_return_line (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  dispatch_id     TEXT NOT NULL CONSTRAINT dispatch_id_length     CHECK (length(dispatch_id) <= 64),
  return_status   TEXT          CONSTRAINT return_status_length   CHECK (length(return_status) <= 16),
  return_reason   TEXT          CONSTRAINT return_reason_length   CHECK (length(return_reason) <= 255),
  receive_cust_id TEXT          CONSTRAINT receive_cust_id_length CHECK (length(receive_cust_id) <= 64),
  receive_phone   TEXT          CONSTRAINT receive_phone_length   CHECK (length(receive_phone) <= 32),
  receive_address TEXT          CONSTRAINT receive_address_length CHECK (length(receive_address) <= 255),
  delivery_date   TEXT          CONSTRAINT delivery_date_is_time  CHECK (delivery_date IS NULL OR datetime(delivery_date) IS NOT NULL),
  "date"          TEXT          CONSTRAINT date_is_time           CHECK ("date" IS NULL OR datetime("date") IS NOT NULL)
);
CREATE INDEX IF NOT EXISTS lehua.sale_return_line_dispatch ON sale_return_line (dispatch_id);

CREATE TABLE IF NOT EXISTS lehua.sale_return_line_detail (
  detail_id    INTEGER PRIMARY KEY AUTOINCREMENT,
  id           INTEGER NOT NULL,
  goods_id     TEXT CONSTRAINT goods_id_length     CHECK (length(goods_id) <= 64),
  must_qty     TEXT CONSTRAINT must_qty_is_number  CHECK (must_qty NOT GLOB '*[^-0-9.]*' AND must_qty GLOB '*[0-9]*'),
  real_qty     TEXT CONSTRAINT real_qty_is_number  CHECK (real_qty NOT GLOB '*[^-0-9.]*' AND real_qty GLOB '*[0-9]*'),
  unit_id      TEXT CONSTRAINT unit_id_length      CHECK (length(unit_id) <= 32),
  stock_id     TEXT CONSTRAINT stock_id_length     CHECK (length(stock_id) <= 64),
  stock_status TEXT CONSTRAINT stock_status_length CHECK (length(stock_status) <= 32),
  create_time  TEXT CONSTRAINT create_time_is_time CHECK (create_time IS NULL OR datetime(create_time) IS NOT NULL)
);
CREATE INDEX IF NOT EXISTS lehua.sale_return_line_detail_id ON sale_return_line_detail (id);
