-- 金蝶云星空 销售退货单 (SAL_RETURNSTOCK): what a document for Save and BatchSave may hold. `dukou check` holds a mapping against it
-- before anything is sent, and a document that breaks it is blocked, not sent.
--
--   NOT NULL      必录: required; in a line, for every line. An object whose members are all null counts as null.
--   VARCHAR(n)    at most n characters
--   DATE          yyyy-MM-dd; TIMESTAMP (长日期) yyyy-MM-dd HH:mm:ss; text that holds such a date is as good
--   STRUCT(FNumber …)  基础资料: base data go by their number, in an object
--   Letter case   Kingdee reads keys in any letter case. A mapping uses the spelling of this file, which for the fields of the
--                 order is the order's; the spelling of Kingdee's own templates stands beside it.
--   Order         Kingdee fires its field events in the order of the bytes. A list of objects (an entry, 单据体) stands where this
--                 file has it: what is declared before it must come before it. So SubHeadEntity comes before FEntity: the other
--                 way round a save was seen to fail with 含税单价不能小于等于0.
--
-- Options (FormId, Operation, IsAutoSubmitAndAudit, IsVerifyBaseDataField, SubSystemId), which the order lists under
-- SubHeadEntity, are no fields: they stand in [sink] and [sink.options] of the pipeline.
CREATE TABLE SAL_RETURNSTOCK (
  FID BIGINT, -- 单据内码: absent or 0 in a new document
  FBillTypeID STRUCT(FNUMBER VARCHAR(80) NOT NULL), -- 单据类型: XSTHD01_SYS 标准销售退货单, XSTHD06_SYS 现销退货单
  FBillNo VARCHAR(80) NOT NULL, -- 单据编号: required by dukou, because it is the key of the delivery
  FSaleOrgId STRUCT(FNumber VARCHAR(80) NOT NULL) NOT NULL, -- 销售组织
  FDate DATE NOT NULL, -- 日期
  FStockOrgId STRUCT(FNumber VARCHAR(80) NOT NULL) NOT NULL, -- 库存组织
  FRetcustId STRUCT(FNumber VARCHAR(80) NOT NULL) NOT NULL, -- 退货客户
  FHeadNote VARCHAR, -- 备注
  FSalesManID STRUCT(FNumber VARCHAR(80) NOT NULL), -- 销售员 (FSalesManId): the salesman's number, not the employee's

  -- 自定义字段 custom fields: they exist only where somebody made them. Declare here those of your account set.
  F_XC_Base STRUCT(FNumber VARCHAR(80) NOT NULL), -- 跟单员
  F_XC_Base1 STRUCT(FNumber VARCHAR(80) NOT NULL), -- 运营员
  -- End of the custom fields.

  FSaledeptid STRUCT(FNumber VARCHAR(80) NOT NULL), -- 销售部门
  FReturnReason STRUCT(FNumber VARCHAR(80) NOT NULL), -- 退货原因
  FHeadLocId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 交货地点
  FSaleGroupId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 销售组
  FTransferBizType STRUCT(FNumber VARCHAR(80) NOT NULL), -- 跨组织业务类型: OverOrgSal
  FCorrespondOrgId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 对应组织
  FStockDeptId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 库存部门
  FStockerGroupId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 库存组
  FStockerId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 仓管员
  FReceiveCustId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 收货方
  FReceiveAddress VARCHAR, -- 收货方地址
  FSettleCustId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 结算方
  FReceiveCusContact STRUCT(FNAME VARCHAR(80) NOT NULL), -- 收货方联系人: by name
  FPayCustId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 付款方
  FOwnerTypeIdHead VARCHAR, -- 货主类型
  FOwnerIdHead STRUCT(FNumber VARCHAR(80) NOT NULL), -- 货主
  FIsTotalServiceOrCost BOOLEAN, -- 整单服务或费用

  SubHeadEntity STRUCT( -- 财务信息: an object, beside FEntity and before it
    FSettleOrgId STRUCT(FNumber VARCHAR(80) NOT NULL) NOT NULL, -- 结算组织
    FSettleCurrId STRUCT(FNumber VARCHAR(80) NOT NULL) NOT NULL, -- 结算币别: PRE001 人民币
    FLocalCurrId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 本位币
    FExchangeTypeId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 汇率类型: HLTX01_SYS
    FExchangeRate DECIMAL(23,10), -- 汇率
    FSettleTypeId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 结算方式
    FChageCondition STRUCT(FNumber VARCHAR(80) NOT NULL), -- 收款条件
    FPriceListId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 价目表
    FDiscountListId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 折扣表
    FThirdBillNo VARCHAR, -- 第三方单据编号
    FThirdBillId VARCHAR, -- 第三方单据ID
    FThirdSrcType VARCHAR -- 第三方来源
  ),

  FEntity STRUCT( -- 明细信息: one element per line
    FENTRYID BIGINT, -- 分录内码: absent or 0 in a new line
    FRowType VARCHAR, -- 产品类型: Standard, Service
    FMapId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 客户物料编码
    FMaterialId STRUCT(FNumber VARCHAR(80) NOT NULL) NOT NULL, -- 物料编码
    FBarcode VARCHAR, -- 零售条形码
    FUnitID STRUCT(FNumber VARCHAR(80) NOT NULL), -- 库存单位: absent, it is taken from the material
    FInventoryQty DECIMAL(23,10), -- 即时库存
    FMustqty DECIMAL(23,10), -- 应退数量
    FRealQty DECIMAL(23,10) NOT NULL, -- 实退数量
    FParentMatId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 父项产品
    FPrice DECIMAL(23,10), -- 单价
    FTAXPRICE DECIMAL(23,10), -- 含税单价 (FTaxPrice): 0 only in a free line
    FIsFree BOOLEAN, -- 是否赠品
    FTaxCombination STRUCT(FNumber VARCHAR(80) NOT NULL), -- 税组合
    FEntryTaxRate DECIMAL(23,10), -- 税率%
    FBOMId STRUCT(FNumber VARCHAR(80) NOT NULL), -- BOM版本
    FReturnType STRUCT(FNumber VARCHAR(80) NOT NULL), -- 退货类型: THLX01_SYS 退货, THLX02_SYS 退货补货
    FOwnerTypeId VARCHAR, -- 货主类型: BD_OwnerOrg
    FOwnerId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 货主
    FStockId STRUCT(FNumber VARCHAR(80) NOT NULL) NOT NULL, -- 仓库
    FStockstatusId STRUCT(FNumber VARCHAR(80) NOT NULL), -- 库存状态: KCZT01_SYS 可用
    FLot STRUCT(FNumber VARCHAR(80) NOT NULL), -- 批号: only of a material with batch control
    FProduceDate DATE, -- 生产日期
    FDeliveryDate TIMESTAMP, -- 退货日期 (长日期)
    FMtoNo VARCHAR, -- 计划跟踪号
    FNote VARCHAR, -- 备注
    FDiscountRate DECIMAL(23,10), -- 折扣率%
    FSalUnitID STRUCT(FNumber VARCHAR(80) NOT NULL), -- 销售单位
    FSalUnitQty DECIMAL(23,10), -- 销售数量
    FSalBaseQty DECIMAL(23,10), -- 销售基本数量
    FPriceBaseQty DECIMAL(23,10), -- 计价基本数量
    FSOEntryId BIGINT, -- 销售订单分录内码
    FThirdEntryId VARCHAR, -- 第三方分录ID
    FARNOTJOINQTY DECIMAL(23,10), -- 未关联应收数量
    FIsReturnCheck BOOLEAN, -- 是否退货检验
    FSRCBILLTYPEID VARCHAR, -- 源单类型 (FSrcBillTypeID): SAL_OUTSTOCK 销售出库单
    FSRCBILLNO VARCHAR, -- 源单编号 (FSrcBillNo)
    FORDERNO VARCHAR, -- 订单单号 (FOrderNo)
    FExpiryDate DATE, -- 有效期至
    -- FAuxpropId 辅助属性 and FStocklocId 仓位 have members whose names differ from installation to installation
    -- (FAUXPROPID__FF100001, FSTOCKLOCID__FF100001): declare them here where they are used.
    FTaxDetailSubEntity STRUCT( -- 税务明细子单据体
      FTaxRate DECIMAL(23,10) NOT NULL -- 税率%
    )[],
    FSerialSubEntity STRUCT( -- 序列号子单据体
      FSerialNo VARCHAR NOT NULL, -- 序列号
      FSerialNote VARCHAR -- 备注
    )[],
    FEntity_Link STRUCT( -- 关联关系表: ties the line to the line it returns
      FEntity_Link_FRuleId VARCHAR NOT NULL, -- 转换规则: OutStock-SalReturnStock, SalReturnNotice-SalReturnStock
      FEntity_Link_FSTableName VARCHAR NOT NULL, -- 源单表: T_SAL_OUTSTOCKENTRY, T_SAL_RETURNNOTICEENTRY
      FEntity_Link_FSBillId VARCHAR NOT NULL, -- 源单内码
      FEntity_Link_FSId VARCHAR NOT NULL, -- 源单分录内码
      FEntity_Link_FSTableId VARCHAR, -- 源单表内码: 0
      FEntity_Link_FFlowId VARCHAR, -- 业务流程图
      FEntity_Link_FFlowLineId DECIMAL(23,10), -- 推进路线
      FEntity_Link_FBaseUnitQty DECIMAL(23,10), -- 基本单位数量
      FEntity_Link_FBaseUnitQtyOld DECIMAL(23,10), -- 原始携带量 of it
      FEntity_Link_FSalBaseQty DECIMAL(23,10), -- 销售基本数量
      FEntity_Link_FSalBaseQtyOld DECIMAL(23,10), -- 原始携带量 of it
      FEntity_Link_FAuxUnitQty DECIMAL(23,10), -- 辅助单位数量
      FEntity_Link_FAuxUnitQtyOld DECIMAL(23,10) -- 原始携带量 of it
    )[]
  )[] NOT NULL
);
