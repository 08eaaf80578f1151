#!/bin/sh
# Runs all tests, with the arguments given to cargo test:   tests/run.sh [cargo test arguments]
#
# The MySQL tests use the server of DUKOU_TEST_MYSQL_URL (its user may create databases and users and set global
# variables). Without it, a private MariaDB is started for this run; if the server is not installed and we are root on
# Debian, it is installed. Tests that read our Parquet with other tools, or talk to the sandbox with a vendor's own SDK,
# use the Python of DUKOU_TEST_PYTHON, python3 if it has pyarrow, duckdb and the SDK, or a throw-away environment.
#
# What cannot run says SKIPPED; with DUKOU_REQUIRE_ALL=1 that is a failure. Nothing started here is left behind.
set -eu
cd "$(dirname "$0")/.."

# Where Debian keeps servers; an ordinary user has it not in the path.
PATH=$PATH:/usr/sbin:/usr/local/sbin

work=$(mktemp -d)
policy=
cleanup() {
    status=$?
    trap - EXIT INT TERM HUP
    sh tests/mariadb.sh stop "$work/mariadb" || status=1
    if [ -n "$policy" ]; then rm -f "$policy"; fi
    rm -rf "$work"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say() { echo "run.sh: $*" >&2; }

skipped() {
    echo "SKIPPED: $*" >&2
    if [ "${DUKOU_REQUIRE_ALL:-}" = 1 ]; then
        say "DUKOU_REQUIRE_ALL=1: a skipped test is a failure"
        exit 1
    fi
}

server_installed() { command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null && command -v mariadb >/dev/null; }

# Debian only; the packaged service is kept from starting, we want no server but our own.
install_server() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || return 1
    say "installing mariadb-server"
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        policy=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mariadb-server mariadb-client; } \
        >"$work/apt.log" 2>&1 || { tail -n 20 "$work/apt.log" >&2; return 1; }
    if [ -n "$policy" ]; then rm -f "$policy"; policy=; fi
}

if [ -n "${DUKOU_TEST_MYSQL_URL:-}" ]; then
    say "using the server of DUKOU_TEST_MYSQL_URL"
elif server_installed || install_server; then
    DUKOU_TEST_MYSQL_URL=$(sh tests/mariadb.sh start "$work/mariadb")
    export DUKOU_TEST_MYSQL_URL
    say "a private MariaDB runs for these tests"
else
    skipped "the MySQL tests: no MariaDB server here, and it can be installed by root on Debian only"
fi

# The official SDK of Kingdee, in the version the tests were written for.
KINGDEE_SDK=kingdee.cdp.webapi.sdk==8.2.0

is_equipped() { "$1" -c 'import pyarrow, duckdb, k3cloud_webapi_sdk.main' >/dev/null 2>&1; }

make_environment() {
    command -v python3 >/dev/null || return 1
    python3 -m venv "$work/python" >"$work/python.log" 2>&1 || return 1
    say "installing pyarrow, duckdb and the SDK of Kingdee into a throw-away environment"
    "$work/python/bin/pip" install --quiet pyarrow duckdb requests "$KINGDEE_SDK" >>"$work/python.log" 2>&1
}

if [ -z "${DUKOU_TEST_PYTHON:-}" ]; then
    if command -v python3 >/dev/null && is_equipped python3; then
        DUKOU_TEST_PYTHON=python3
    elif make_environment && is_equipped "$work/python/bin/python"; then
        DUKOU_TEST_PYTHON=$work/python/bin/python
    else
        skipped "reading Parquet with pyarrow and duckdb, and the SDK of Kingdee: no Python that has them, and none could be made"
    fi
fi
if [ -n "${DUKOU_TEST_PYTHON:-}" ]; then export DUKOU_TEST_PYTHON; fi

cargo test "$@"
