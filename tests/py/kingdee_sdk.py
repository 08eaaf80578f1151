"""Drives a simulated Kingdee with the vendor's own SDK (kingdee.cdp.webapi.sdk 8.2.0): python kingdee_sdk.py URL ACCOUNT.

ACCOUNT is JSON: acct_id, username, app_id, app_secret. Prints one line of JSON: what the SDK returned for each call,
under the call's name. Judges nothing; raises if the SDK does.
"""

import json
import sys

from k3cloud_webapi_sdk.main import K3CloudApiSdk

FORM = "SAL_RETURNSTOCK"


def line(material, quantity):
    return {
        "FMaterialId": {"FNumber": material},
        "FRealQty": quantity,
        "FTaxPrice": 10.5,
        "FReturnType": {"FNumber": "THLX01_SYS"},
        "FStockId": {"FNumber": "CK001"},
    }


def model(number, lines, customer="CUST001"):
    return {
        "FBillTypeID": {"FNUMBER": "XSTHD01_SYS"},
        "FBillNo": number,
        "FDate": "2026-11-22 00:00:00",
        "FSaleOrgId": {"FNumber": "100"},
        "FStockOrgId": {"FNumber": "100"},
        "FRetcustId": {"FNumber": customer},
        "FHeadNote": "备注",
        "SubHeadEntity": {"FSettleOrgId": {"FNumber": "100"}, "FSettleCurrId": {"FNumber": "PRE001"}},
        "FEntity": lines,
    }


def query(filter_text, keys="FID,FBillNo,FDocumentStatus,FRetcustId.FNumber"):
    return {"FormId": FORM, "FieldKeys": keys, "FilterString": filter_text, "OrderString": "FBillNo", "Limit": 100}


def main(url, account):
    sdk = K3CloudApiSdk(url)
    sdk.InitConfig(account["acct_id"], account["username"], account["app_id"], account["app_secret"], url, 2052, 0)
    lines = [line("SKU00001", 2), line("SKU00002", 1)]
    three = {"IsVerifyBaseDataField": "true", "NeedReturnFields": ["FBillNo"],
             "Model": [model("PY1", lines), model("PY2", lines, "NOBODY"), model("PY3", lines[:1])]}
    numbers = {"Numbers": ["PY0", "PY1"]}
    calls = [
        ("centers", lambda: sdk.GetDataCenters()),
        ("save", lambda: sdk.Save(FORM, {"Model": model("PY0", lines)})),
        ("save_again", lambda: sdk.Save(FORM, {"Model": model("PY0", lines)})),
        ("batch", lambda: sdk.BatchSave(FORM, three)),
        ("async_batch", lambda: sdk.BatchSaveQuery(FORM, {"Model": [model("PY4", lines)]})),
        ("submit", lambda: sdk.Submit(FORM, numbers)),
        ("audit", lambda: sdk.Audit(FORM, numbers)),
        ("audit_again", lambda: sdk.Audit(FORM, numbers)),
        ("unaudit", lambda: sdk.UnAudit(FORM, {"Numbers": ["PY1"]})),
        ("delete", lambda: sdk.Delete(FORM, {"Numbers": ["PY3"]})),
        ("view", lambda: sdk.View(FORM, {"Number": "PY0"})),
        ("rows", lambda: sdk.ExecuteBillQuery(query("FBillNo in ('PY0','PY1','PY2','PY3','PY4')"))),
        ("lines", lambda: sdk.ExecuteBillQuery(query("FBillNo='PY0'", "FEntity_FSeq,FMaterialId.FNumber,FRealQty"))),
        ("objects", lambda: sdk.BillQuery(query("FBillNo='PY4'", "FBillNo,FDate"))),
        ("bad_query", lambda: sdk.ExecuteBillQuery(query("FNoSuchField='1'"))),
        ("currency", lambda: sdk.ExecuteBillQuery(
            {"FormId": "BD_Currency", "FieldKeys": "FCODE", "FilterString": "FNUMBER='PRE001'"})),
    ]
    print(json.dumps({name: json.loads(call()) for name, call in calls}, ensure_ascii=True))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
