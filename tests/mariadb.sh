#!/bin/sh
# A private MariaDB server for the tests.
#
#   tests/mariadb.sh start DIR   starts one with all its files in DIR (which must not exist or be empty), prints its URL
#   tests/mariadb.sh stop DIR    stops it and removes DIR
#
# Loopback only, a free port, a random password, no settings of the machine read, durability as a server has it by default.
set -eu

# Where Debian keeps servers; an ordinary user has it not in the path.
PATH=$PATH:/usr/sbin:/usr/local/sbin

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -eq 2 ] || usage
dir=$2

start() {
    mkdir -p "$dir"
    chmod 700 "$dir"
    dir=$(cd "$dir" && pwd)
    [ -z "$(ls -A "$dir")" ] || { echo "mariadb.sh: $dir is not empty" >&2; exit 1; }
    set --
    if [ "$(id -u)" -eq 0 ]; then set -- --user=root; fi
    if ! mariadb-install-db --no-defaults "$@" --datadir="$dir/data" --auth-root-authentication-method=normal \
        --skip-test-db >"$dir/install.log" 2>&1; then
        cat "$dir/install.log" >&2
        exit 1
    fi
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    cat >"$dir/init.sql" <<SQL
CREATE USER 'dukou'@'127.0.0.1' IDENTIFIED BY '$password';
GRANT ALL PRIVILEGES ON *.* TO 'dukou'@'127.0.0.1' WITH GRANT OPTION;
DELETE FROM mysql.global_priv WHERE User <> 'dukou';
FLUSH PRIVILEGES;
SQL
    for attempt in 1 2 3 4 5; do
        port=$(( 20000 + $(od -An -N2 -tu2 /dev/urandom | tr -d ' ') % 20000 ))
        # Everything of this shell is closed for the server: whoever reads our output must not wait for its end.
        mariadbd --no-defaults "$@" --datadir="$dir/data" --socket="$dir/socket" --pid-file="$dir/pid" \
            --bind-address=127.0.0.1 --port="$port" --skip-log-bin --skip-name-resolve --init-file="$dir/init.sql" \
            --character-set-server=utf8mb4 --max-connections=200 \
            </dev/null >"$dir/server.log" 2>&1 &
        server=$!
        waited=0
        while kill -0 "$server" 2>/dev/null && [ "$waited" -lt 600 ]; do
            if mariadb --no-defaults --host=127.0.0.1 --port="$port" --user=dukou --password="$password" \
                --execute='SELECT 1' >/dev/null 2>&1; then
                rm -f "$dir/init.sql"
                echo "mysql://dukou:$password@127.0.0.1:$port"
                return 0
            fi
            sleep 0.1
            waited=$((waited + 1))
        done
        # Most likely the port was taken.
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        echo "mariadb.sh: attempt $attempt on port $port failed" >&2
    done
    cat "$dir/server.log" >&2
    exit 1
}

stop() {
    if [ -f "$dir/pid" ]; then
        pid=$(cat "$dir/pid")
        kill "$pid" 2>/dev/null || true
        waited=0
        while kill -0 "$pid" 2>/dev/null; do
            [ "$waited" -lt 300 ] || kill -9 "$pid" 2>/dev/null || true
            sleep 0.1
            waited=$((waited + 1))
        done
    fi
    # Only what start made: a wrong argument must not cost a folder.
    if [ -d "$dir/data/mysql" ]; then rm -rf "$dir"; fi
}

case $1 in
    start) start ;;
    stop) stop ;;
    *) usage ;;
esac
