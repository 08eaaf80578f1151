#!/bin/sh
# How fast trades cross: sandbox in fast mode -> staging -> mapping -> MariaDB, on this machine.
#
#   benches/crossing.sh [TRADES]        default 100000, about 650 MB of JSON
#
# Starts a private MariaDB (or uses DUKOU_TEST_MYSQL_URL), renders all pages beforehand, shows how fast the sandbox serves
# them, then times one run of the release binary: wall and CPU seconds, peak memory, bytes of state per document. What was
# delivered is counted in the database. Everything lives in a temporary folder and is removed.
set -eu
cd "$(dirname "$0")/.."
trades=${1:-100000}
days=${DUKOU_BENCH_DAYS:-10}
work=$(mktemp -d)
sandbox=
cleanup() {
    status=$?
    trap - EXIT INT TERM
    if [ -n "$sandbox" ]; then kill "$sandbox" 2>/dev/null || true; fi
    sh tests/mariadb.sh stop "$work/mariadb" >/dev/null 2>&1 || true
    rm -rf "$work"
    exit "$status"
}
trap cleanup EXIT INT TERM

# mysql://user:password@host:port -> the client's arguments; the password goes by the environment.
sql() {
    server=${1#mysql://}
    credentials=${server%@*}
    address=${server##*@}
    address=${address%%/*}
    MYSQL_PWD=${credentials#*:} mariadb --no-defaults --host="${address%:*}" --port="${address##*:}" \
        --user="${credentials%%:*}" --table --execute="$2"
}

cargo build --release --quiet
dukou=$PWD/target/release/dukou
url=${DUKOU_TEST_MYSQL_URL:-}
if [ -z "$url" ]; then url=$(sh tests/mariadb.sh start "$work/mariadb"); fi
database=dukou_bench

# The shipped pipeline, in a folder of its own, without the vendor's limit of one call a second.
mkdir "$work/pipelines"
cp -r sql "$work/sql"
sed -e 's/^calls_per_second *=.*/calls_per_second = 10000/' -e 's/^table_switches *=.*/table_switches = [1]/' \
    pipelines/jackyun_trades_to_mysql.toml >"$work/pipelines/bench.toml"

"$dukou" --root "$work" sandbox --port 0 --trades "$trades" --days "$days" --clean --fast bench >"$work/env" 2>"$work/sandbox.log" &
sandbox=$!
i=0
until grep -q JACKYUN_URL "$work/env" || [ "$i" -ge 600 ]; do sleep 0.1; i=$((i + 1)); done
. "$work/env"
cat "$work/sandbox.log"
pages=$(sed -n 's/.* records on \([0-9,]*\) pages.*/\1/p' "$work/sandbox.log" | tr -d ,)
curl -sS -w '%{size_download} %{time_total}\n' -o /dev/null "${JACKYUN_URL%/open/*}/sandbox/page/[0-$((pages - 1))]" |
    awk '{ bytes += $1; seconds += $2 } END { printf "served to one reader: %.2f GB/s\n", bytes / seconds / 1e9 }'

sql "$url" "DROP DATABASE IF EXISTS $database; CREATE DATABASE $database; USE $database; $(cat sql/target/lehua_mysql.sql)"
sed -i -e "s/lehua\.sale_return/$database.sale_return/g" "$work/pipelines/bench.toml"
export DUKOU_MYSQL_URL="$url/$database"

to=$(date -u -d "2024-06-01 + $days days" +%Y-%m-%d)
set +e
/usr/bin/time -f '%e s wall, %U s user, %S s system, %M kB peak' -o "$work/time" \
    "$dukou" --root "$work" --data "$work/data" run bench --from 2024-06-01 --to "$to"
echo "exit code $?"
set -e
cat "$work/time"
sql "$url" "SELECT (SELECT count(*) FROM $database.sale_return) AS trades,
    (SELECT count(*) FROM $database.sale_return_detail) AS \`lines\`, (SELECT sum(must_qty) FROM $database.sale_return_detail) AS must_qty,
    (SELECT count(*) FROM $database.dukou_delivery) AS deliveries"
documents=$(sql "$url" "SELECT count(*) FROM $database.dukou_delivery" | tr -dc '0-9\n' | grep -m 1 .)
state=$(du -cb "$work"/data/state.db* | tail -n 1 | cut -f 1)
echo "state: $((state / documents)) bytes per delivered document ($state in all)"
du -sh "$work"/data/staging "$work"/data/exchange | sed "s|$work/||"
