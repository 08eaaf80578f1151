"""Opens a staged Parquet file with pyarrow and with DuckDB, as any outside reader would, and prints what both found.

    python read_staged.py FILE [DECIMAL_COLUMN [LIST_COLUMN [LIST_DECIMAL_FIELD]]]

One JSON line: rows, the sum of a decimal column, the lengths of a list column added up, the sum of a decimal field over
the list's elements, and the least and greatest `_line`. Decimals are printed as text. Fails when the two readers disagree.
Needs pyarrow and duckdb from PyPI.
"""

import json
import sys
from decimal import Decimal

import duckdb
import pyarrow.parquet as pq


def with_pyarrow(path, decimal, array, field):
    table = pq.read_table(path, columns=[decimal, array])
    lists = [e for e in table.column(array).to_pylist() if e is not None]
    elements = [element for one in lists for element in one]
    lines = [element["_line"] for element in elements]
    values = [v for v in table.column(decimal).to_pylist() if v is not None]
    return {
        "rows": table.num_rows,
        "decimal_sum": str(sum(values, Decimal(0))),
        "list_lengths": len(elements),
        "list_decimal_sum": str(sum((e[field] for e in elements if e[field] is not None), Decimal(0))),
        "line_min": min(lines, default=None),
        "line_max": max(lines, default=None),
        "decimal_type": str(table.schema.field(decimal).type),
    }


def with_duckdb(path, decimal, array, field):
    def name(text):
        return '"' + text.replace('"', '""') + '"'

    connection = duckdb.connect()
    rows, total = connection.execute(
        f"SELECT count(*), coalesce(sum({name(decimal)}), 0) FROM read_parquet($1)", [path]
    ).fetchone()
    lengths, list_sum, low, high = connection.execute(
        f"SELECT count(*), coalesce(sum(e.{name(field)}), 0), min(e._line), max(e._line)"
        f" FROM (SELECT unnest({name(array)}) AS e FROM read_parquet($1))",
        [path],
    ).fetchone()
    return {
        "rows": rows,
        "decimal_sum": str(total),
        "list_lengths": lengths,
        "list_decimal_sum": str(list_sum),
        "line_min": low,
        "line_max": high,
    }


def main():
    path = sys.argv[1]
    decimal, array, field = (sys.argv[2:5] + ["payment", "goodsDetail", "sellCount"][len(sys.argv[2:5]):])
    arrow = with_pyarrow(path, decimal, array, field)
    duck = with_duckdb(path, decimal, array, field)
    for what, value in duck.items():
        same = Decimal(value) == Decimal(arrow[what]) if what.endswith("_sum") else value == arrow[what]
        if not same:
            sys.exit(f"{path}: {what} is {arrow[what]} for pyarrow and {value} for DuckDB")
    print(json.dumps({"readers": {"pyarrow": True, "duckdb": True}, **arrow}, ensure_ascii=False))


if __name__ == "__main__":
    main()
