-- 聚水潭 other.inout.query (其他出入库查询): one record per document (io_id), one element of items per line (ioi_id).
-- The fields of the order, in its order, in the shape the vendor really sends; what the order leaves out and the vendor
-- declares stands at the end. Ids are BIGINT because they may outgrow 32 bits. Times are Shanghai wall clock; "" and
-- 0001-01-01 08:00:00 are the vendor's words for "no date" and become null. Quantities come as integers and prices with or
-- without digits after the point: both are exact here. A value that does not fit is null, counted, and whole in _raw.
-- Where the order's names differ: its items.batch, batch_no, product_date … are the top-level array batchs (spelled so), tied to
-- a line by sku_id; its items.io_id 出仓单号 is in each line as well as in the record.
CREATE TABLE inout (
  io_id BIGINT, -- 出仓单号: the document's number, the key
  io_date TIMESTAMP, -- 单据日期
  status VARCHAR, -- 单据状态: Confirmed=生效, WaitConfirm=待审核, Archive=归档, Cancelled=取消, OuterConfirming, Delete
  so_id VARCHAR, -- 线上单号
  type VARCHAR, -- 单据类型: 其它退货, 其它出库, 其它进仓
  f_status VARCHAR, -- 财务状态
  warehouse VARCHAR, -- 仓库名称
  receiver_name VARCHAR, -- 收货人
  receiver_mobile VARCHAR, -- 收货人手机
  receiver_state VARCHAR, -- 收货人省
  receiver_city VARCHAR, -- 收货人市
  receiver_district VARCHAR, -- 收货人区
  receiver_address VARCHAR, -- 收货人地址
  wh_id BIGINT, -- 仓库编号
  modified TIMESTAMP, -- 修改时间
  labels VARCHAR, -- 多标签
  wms_co_id BIGINT, -- 分仓编号
  creator_name VARCHAR, -- 创建人
  items STRUCT( -- 商品合集; null for a document without lines
    io_id BIGINT, -- 出仓单号
    remark VARCHAR, -- 商品备注
    ioi_id BIGINT, -- 子单号
    sku_id VARCHAR, -- 商品编码
    name VARCHAR, -- 商品名称
    properties_value VARCHAR, -- 颜色及规格
    cost_price DECIMAL(18,6), -- 成本单价
    cost_amount DECIMAL(18,6), -- 总成本价
    i_id VARCHAR, -- 款式编码
    sale_price DECIMAL(18,6), -- 单价
    sale_amount DECIMAL(18,6), -- 金额
    qty DECIMAL(18,6), -- 数量
    unit VARCHAR, -- 单位
    batch_id VARCHAR, -- 批次号 of the line itself
    product_date TIMESTAMP, -- 生产日期
    expiration_date TIMESTAMP, -- 有效期至
    supplier_id BIGINT -- 供应商编号
  )[],
  batchs STRUCT( -- 批次集合 (the order's items.batch): only where batch management (批次管理) is on
    batch_no VARCHAR, -- 批次号 (items.batch_no)
    sku_id VARCHAR, -- 商品编码: the line or lines it belongs to
    qty DECIMAL(18,6), -- 数量
    product_date TIMESTAMP, -- 批次日期 (items.product_date)
    supplier_id BIGINT, -- 供应商编号 (items.supplier_id)
    supplier_name VARCHAR -- 供应商名称 (items.supplier_name)
  )[],
  inout_user VARCHAR, -- 出入库人员 (items.inout_user)
  -- Not in the order, declared by the vendor.
  sns STRUCT( -- 序列号: only where serial numbers are on
    sku_id VARCHAR, -- 商品编码
    sn VARCHAR -- 序列号
  )[],
  remark VARCHAR, -- 备注
  created TIMESTAMP, -- 创建时间
  drp_co_name VARCHAR, -- 分销商
  drop_co_name VARCHAR, -- 分销商, as one published client spells drp_co_name
  wave_id BIGINT, -- 波次号
  l_id VARCHAR, -- 物流单号
  lc_id VARCHAR, -- 物流公司编号
  logistics_company VARCHAR, -- 物流公司
  lock_wh_id BIGINT, -- 虚拟仓编号
  lock_wh_name VARCHAR, -- 虚拟仓名称
  ts BIGINT -- 行版本号: the record's row version
);
