-- 吉客云 oms.trade.fullinfoget (销售单查询): one record per trade, one element of goodsDetail per line (subTradeId).
-- Names are those of the answer: shopcode is lower case although it is asked for as shopCode.
-- Nesting follows the request's `fields`; types follow the vendor's declared types: Long BIGINT, BigDecimal DECIMAL, Date
-- TIMESTAMP (Shanghai wall clock). Ids declared String stay VARCHAR. Rates and costs are averages: ten digits after the point.
-- tradeOrderAssemblyGoodsDtoList is declared String and shown as an object, ticketCodeList is declared Array and shown as text:
-- both shapes are read. A value that does not fit is null, counted, and whole in _raw.
CREATE TABLE trade (
  checkTotal DECIMAL(18,6), -- 对账金额
  tradeNo VARCHAR, -- 订单编号
  postFee DECIMAL(18,6), -- 实际邮资
  otherFee DECIMAL(18,6), -- 其它费用
  chargeCurrency VARCHAR, -- 结算币种
  accountName VARCHAR, -- 收款账户
  payType INTEGER, -- 支付方式
  payNo VARCHAR, -- 支付单号
  sellerMemo VARCHAR, -- 备注
  buyerMemo VARCHAR, -- 买家备注
  goodsDetail STRUCT( -- 货品详情
    goodsNo VARCHAR, -- 货品编号
    goodsName VARCHAR, -- 货品名称
    specName VARCHAR, -- 规格名称
    barcode VARCHAR, -- 条码
    sellCount DECIMAL(18,6), -- 数量
    unit VARCHAR, -- 单位
    sellPrice DECIMAL(18,6), -- 单价
    sellTotal DECIMAL(18,6), -- 总金额
    cost DECIMAL(24,10), -- 货品成本
    discountTotal DECIMAL(18,6), -- 优惠金额
    discountPoint INTEGER, -- 抵扣积分
    taxFee DECIMAL(18,6), -- 税额
    shareFavourableFee DECIMAL(18,6), -- 分摊金额
    estimateWeight DECIMAL(18,6), -- 预估重量
    goodsMemo VARCHAR, -- 货品备注
    cateName VARCHAR, -- 货品类别
    brandName VARCHAR, -- 品牌
    goodsTags VARCHAR, -- 货品标签
    isFit INTEGER, -- 组合装标记
    isGift INTEGER, -- 赠品标记
    discountFee DECIMAL(18,6), -- 优惠
    taxRate DECIMAL(18,6), -- 税率
    estimateGoodsVolume DECIMAL(18,6), -- 预估体积(单个货品)
    isPresell INTEGER, -- 是否预售货品标记1是0否
    customerPrice DECIMAL(18,6), -- 终端销售单价
    customerTotal DECIMAL(18,6), -- 终端销售金额
    tradeGoodsNo VARCHAR, -- 交易编号
    tradeGoodsName VARCHAR, -- 交易名称
    tradeGoodsSpec VARCHAR, -- 交易规格
    tradeGoodsUnit VARCHAR, -- 交易单位
    sourceTradeNo VARCHAR, -- 网店订单号
    sourceSubtradeNo VARCHAR, -- 网店子订单好
    platCode VARCHAR, -- 平台代码
    platGoodsId VARCHAR, -- 平台商品id
    subTradeId VARCHAR, -- 商品明细id(唯一)
    goodsPlatDiscountFee DECIMAL(18,6),
    shareFavourableAfterFee DECIMAL(18,6),
    divideSellTotal DECIMAL(18,6),
    shareOrderDiscountFee DECIMAL(18,6),
    shareOrderPlatDiscountFee DECIMAL(18,6),
    actualSendCount DECIMAL(18,6),
    assessmentCostLocal DECIMAL(18,6),
    assessmentGrossProfitLocal DECIMAL(18,6),
    needProcessCount DECIMAL(18,6),
    refundStatus INTEGER,
    platSkuId VARCHAR,
    platAuthorId VARCHAR,
    platAuthorName VARCHAR,
    isPlatGift VARCHAR,
    tradeOrderGoodsDiscountInfoDtoList VARCHAR,
    customerTradeNo VARCHAR,
    customerSubtradeNo VARCHAR,
    PlatCustomData VARCHAR,
    assessmentGrossProfitPercent VARCHAR,
    goodsCompassSourceContentType VARCHAR,
    goodsSeller VARCHAR,
    inventoryWarehouseId VARCHAR,
    inventoryWarehouseName VARCHAR,
    specId VARCHAR,
    goodsId VARCHAR,
    outerId VARCHAR,
    apiType VARCHAR,
    tradeId VARCHAR,
    skuImgUrl VARCHAR,
    goodsFlagIds VARCHAR,
    goodsFlagNames VARCHAR,
    baseUnitSellCount DECIMAL(18,6),
    assessmentCost DECIMAL(18,6),
    goodsDelivery STRUCT(
      sendCount DECIMAL(18,6),
      productionDate VARCHAR,
      expirationDate VARCHAR,
      batchNo VARCHAR,
      expireDate VARCHAR,
      productDate VARCHAR
    )[]
  )[],
  appendMemo VARCHAR, -- 追加备注
  tradeFrom INTEGER, -- 订单来源
  register VARCHAR, -- 登记人
  seller VARCHAR, -- 业务员
  auditor VARCHAR, -- 审核人
  reviewer VARCHAR, -- 复核人
  estimateWeight DECIMAL(18,6),
  packageWeight DECIMAL(18,6), -- 包裹重量
  tradeCount DECIMAL(18,6), -- 订单总数量
  goodsTypeCount DECIMAL(18,6), -- 商品样数
  freezeReason VARCHAR, -- 冻结原因
  abnormalDescription VARCHAR, -- 问题单具体描述
  onlineTradeNo VARCHAR, -- 网店订单号
  goodslist VARCHAR, -- 货品摘要
  gmtCreate TIMESTAMP, -- 创建时间
  gmtModified TIMESTAMP, -- 最后修改时间
  stockoutNo VARCHAR, -- 出库单号
  confirmTime TIMESTAMP, -- 确认时间
  departName VARCHAR, -- 部门名称
  lastShipTime TIMESTAMP, -- 承诺发货时间
  payStatus INTEGER, -- 付款状态:未付款、部分付款、已付款
  chargeCurrencyCode VARCHAR, -- 结算币种编码
  chargeExchangeRate DECIMAL(24,10), -- 结算汇率
  tradeStatus INTEGER, -- 订单状态
  grossProfit DECIMAL(18,6), -- 毛利
  estimateVolume DECIMAL(18,6), -- 订单预估体积
  customerName VARCHAR, -- 客户名称
  customerTypeName VARCHAR, -- 客户类型
  customerGradeName VARCHAR, -- 客户等级
  customerTags VARCHAR, -- 客户标签
  customerCode VARCHAR, -- 客户编号
  customerDiscount DECIMAL(18,6), -- 折扣
  specialReminding VARCHAR, -- 特别提醒
  blackList INTEGER, -- 黑名单
  tradeTime TIMESTAMP, -- 下单时间
  country VARCHAR, -- 国家
  state VARCHAR, -- 省
  city VARCHAR, -- 城市
  district VARCHAR, -- 区县
  town VARCHAR, -- 街道
  zip VARCHAR, -- 邮编
  payTime TIMESTAMP, -- 支付时间
  countryCode VARCHAR, -- 国家编码
  cityCode VARCHAR, -- 城市编码
  invoiceType INTEGER, -- 发票类型
  payerName VARCHAR, -- 购方名称
  payerRegno VARCHAR, -- 购方税号
  payerBankAccount VARCHAR, -- 购方开户行及帐号
  payerPhone VARCHAR, -- 购方电话
  auditTime TIMESTAMP, -- 审核时间
  payerAddress VARCHAR, -- 购方地址
  invoiceNo VARCHAR, -- 发票号码
  invoiceCode VARCHAR, -- 发票代码
  invoiceStatus INTEGER,
  payerBankName VARCHAR,
  preTypedetail VARCHAR,
  firstPayment DECIMAL(18,6),
  finalPayment DECIMAL(18,6),
  firstPaytime TIMESTAMP,
  finalPaytime TIMESTAMP,
  reviewTime TIMESTAMP,
  activationTime TIMESTAMP,
  customerTotalFee DECIMAL(18,6),
  customerDiscountFee DECIMAL(18,6),
  notifyPickTime TIMESTAMP,
  consignTime TIMESTAMP,
  orderNo VARCHAR,
  customerPostFee DECIMAL(18,6),
  shopId BIGINT,
  shopName VARCHAR,
  tradeOrderPayList STRUCT(
    chargeType INTEGER,
    chargeCurrency VARCHAR,
    chargeAccount VARCHAR,
    accountName VARCHAR,
    payType INTEGER,
    payNo VARCHAR,
    payment DECIMAL(18,6),
    chargeCurrencyCode VARCHAR,
    chargeExchangeRate DECIMAL(24,10)
  )[],
  customerPayment DECIMAL(18,6),
  companyName VARCHAR,
  tradeOrderColumnExt STRUCT(
    tradeId BIGINT,
    customizeTradeColumn1 VARCHAR,
    customizeTradeColumn2 VARCHAR,
    customizeTradeColumn3 VARCHAR,
    customizeTradeColumn4 VARCHAR,
    customizeTradeColumn5 VARCHAR,
    customizeTradeColumn6 VARCHAR,
    customizeTradeColumn7 VARCHAR,
    customizeTradeColumn8 VARCHAR,
    customizeTradeColumn9 VARCHAR,
    customizeTradeColumn10 VARCHAR,
    customizeTradeColumn23 VARCHAR
  ),
  isBillCheck INTEGER,
  warehouseCode VARCHAR,
  warehouseName VARCHAR,
  logisticName VARCHAR,
  tradeId BIGINT,
  billDate TIMESTAMP,
  logisticType INTEGER,
  mainPostid VARCHAR,
  tradeType INTEGER,
  totalFee DECIMAL(18,6),
  taxFee DECIMAL(18,6),
  receivedPostFee DECIMAL(18,6),
  discountFee DECIMAL(18,6),
  payment DECIMAL(18,6),
  couponFee DECIMAL(18,6),
  receivedTotal DECIMAL(18,6),
  isDelete INTEGER,
  flagIds VARCHAR,
  flagNames VARCHAR,
  shopcode VARCHAR,
  -- Documented by the vendor; comes back only when the pipeline adds it to `fields`.
  localPayment DECIMAL(18,6),
  localExchangeRate DECIMAL(24,10),
  invoiceAmount DECIMAL(18,6),
  realFee DECIMAL(18,6),
  receiptAmount DECIMAL(18,6),
  isTableSwitch INTEGER,
  apiType INTEGER,
  completeTime TIMESTAMP,
  signingTime TIMESTAMP,
  platCompleteTime TIMESTAMP,
  finReceiptTime TIMESTAMP,
  platConsignTime TIMESTAMP,
  warehouseId VARCHAR,
  logisticCode VARCHAR,
  customerAccount VARCHAR,
  localCurrencyCode VARCHAR,
  buyerOpenUid VARCHAR,
  qq VARCHAR,
  tradeOrderRefundTime VARCHAR,
  assemblyGoodsDetail VARCHAR,
  agentShopName VARCHAR,
  tradeStatusExplain VARCHAR,
  sysFlagIds VARCHAR,
  shopTypeCode VARCHAR,
  sourceAfterNo VARCHAR,
  allCompassSourceContentType VARCHAR,
  extraLogisticNo VARCHAR,
  govSubsidy VARCHAR,
  pickUpTime VARCHAR,
  platFlags VARCHAR,
  email VARCHAR,
  tradeOrderPre STRUCT(
    frstPaytime TIMESTAMP,
    finalPaytime TIMESTAMP,
    firstPayment DECIMAL(18,6),
    finalPayment DECIMAL(18,6),
    preTypedetail VARCHAR
  ),
  goodsSerial STRUCT(
    subTradeId BIGINT,
    skuId BIGINT,
    serialNo VARCHAR,
    serialNo2 VARCHAR,
    batchNo VARCHAR
  )[],
  otherPaymentFees STRUCT(
    expenseFee DECIMAL(18,6),
    expenseItemName VARCHAR
  )[],
  packageDetail STRUCT(
    isGift INTEGER,
    sellCount DECIMAL(18,6),
    barcode VARCHAR,
    tradeNo VARCHAR,
    buyerMemo VARCHAR,
    isPlatGift VARCHAR,
    logisticNo VARCHAR,
    sellerMemo VARCHAR,
    consignTime VARCHAR,
    logisticCode VARCHAR,
    logisticName VARCHAR,
    sourceTradeNo VARCHAR,
    warehouseName VARCHAR,
    sourceSubtradeNo VARCHAR
  )[],
  tradeOrderGoodsColumnExts STRUCT(
    tradeId VARCHAR,
    subTradeId VARCHAR,
    customizeGoodsColumn1 VARCHAR,
    customizeGoodsColumn2 VARCHAR,
    customizeGoodsColumn3 VARCHAR,
    customizeGoodsColumn4 VARCHAR,
    customizeGoodsColumn5 VARCHAR,
    customizeGoodsColumn6 VARCHAR,
    customizeGoodsColumn7 VARCHAR,
    customizeGoodsColumn8 VARCHAR,
    customizeGoodsColumn9 VARCHAR,
    customizeGoodsColumn10 VARCHAR
  )[],
  tradeOrderAssemblyGoodsDtoList STRUCT(
    tradeId BIGINT,
    subTradeId BIGINT,
    goodsId BIGINT,
    specId BIGINT,
    goodsNo VARCHAR,
    goodsName VARCHAR,
    specName VARCHAR,
    unit VARCHAR,
    sellCount DECIMAL(18,6),
    baseUnitSellCount DECIMAL(18,6),
    sellPrice DECIMAL(18,6),
    sellTotal DECIMAL(18,6),
    shareFavourableAfterFee DECIMAL(18,6),
    assemblyGoodsDelivery STRUCT(
      tradeId BIGINT,
      subTradeId BIGINT,
      specId BIGINT,
      batchNo VARCHAR,
      productDate VARCHAR,
      expireDate VARCHAR
    )[]
  )[],
  ticketCodeList VARCHAR[]
);
