#!/usr/bin/env bash
# Starts a PostgreSQL primary and a streaming hot standby of it: two loopback addresses, one port, TLS required, as on a
# flexible server with a read replica. Everything lives in one folder; nothing of the machine is changed.
#
#   postgres-pair.sh start FOLDER   makes FOLDER (which must not exist), starts both servers, prints shell assignments
#   postgres-pair.sh stop FOLDER    stops both servers; the folder stays
#
# Prints on start:
#   PGPAIR_PRIMARY=127.0.0.1 PGPAIR_STANDBY=127.0.0.2 PGPAIR_PORT=… PGPAIR_SOCKETS=… PGPAIR_CA=… PGPAIR_BIN=…
#
# Roles made: `postgres` (superuser, only through the socket folder, no password there), `flexadmin` (password in
# FOLDER/admin-password, taken from $PGPAIR_ADMIN_PASSWORD when set): may create roles and databases and, as a member of
# `azure_pg_admin`, read all data, but is no superuser, as the administrator of a flexible server.
#
# PGPAIR_BIN names the folder of the server programs; without it the newest under /usr/lib/postgresql are taken.
#
# PostgreSQL refuses to run as root: when root calls, both servers run as the user `postgres`, else as the caller.
set -euo pipefail
umask 022
PATH=$PATH:/usr/sbin:/sbin  # runuser

fail() { echo "postgres-pair: $*" >&2; exit 1; }

find_bin() { # folder
    if [ -x "$1/programs/bin/pg_ctl" ]; then echo "$1/programs/bin"; return; fi
    if [ -n "${PGPAIR_BIN:-}" ]; then echo "$PGPAIR_BIN"; return; fi
    local candidate
    for candidate in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V -r); do
        if [ -x "$candidate/initdb" ]; then echo "$candidate"; return; fi
    done
    fail "no PostgreSQL server found under /usr/lib/postgresql; install the package postgresql"
}

# Runs a server program as somebody who is not root.
as_server_user() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# A port that is free on both addresses. The kernel hands one out; a race with another process is possible but makes the
# start fail loudly, not silently.
free_port() {
    python3 - <<'PY' 2>/dev/null || echo $((20000 + RANDOM % 20000))
import socket
while True:
    first = socket.socket(); first.bind(("127.0.0.1", 0)); port = first.getsockname()[1]
    second = socket.socket()
    try:
        second.bind(("127.0.0.2", port))
    except OSError:
        continue
    print(port)
    break
PY
}

start() {
    local folder=$1 bin port
    [ ! -e "$folder" ] || fail "$folder exists already; give a folder that does not"
    bin=$(find_bin "$folder")
    port=${PGPAIR_PORT:-$(free_port)}
    mkdir -p "$folder"
    chmod 711 "$folder"
    folder=$(cd "$folder" && pwd)
    mkdir "$folder/sockets"
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$folder/server.key" -out "$folder/server.crt" -days 2 \
        -subj /CN=flexible-server -addext 'subjectAltName=DNS:localhost,DNS:rw.poc.postgres.database.azure.com,DNS:ro.poc.postgres.database.azure.com,IP:127.0.0.1,IP:127.0.0.2,DNS:127.0.0.1,DNS:127.0.0.2' 2>/dev/null
    if [ -n "${PGPAIR_ADMIN_PASSWORD:-}" ]; then
        printf %s "$PGPAIR_ADMIN_PASSWORD" > "$folder/admin-password"
    else
        head -c 18 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' > "$folder/admin-password"
    fi
    head -c 18 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' > "$folder/replication-password"
    chmod 600 "$folder/server.key"
    if [ "$(id -u)" = 0 ]; then
        id postgres >/dev/null 2>&1 || fail "there is no user postgres to run the servers; install the package postgresql"
        chown postgres: "$folder" "$folder/sockets" "$folder/server.key" "$folder/server.crt"
    fi
    chmod 600 "$folder/admin-password" "$folder/replication-password"
    # Programs in a folder that is closed to the servers' user are copied.
    if ! as_server_user test -x "$bin/initdb"; then
        cp -a "$(dirname "$bin")" "$folder/programs"
        chmod -R a+rX "$folder/programs"
        bin=$folder/programs/bin
    fi
    # A standby loads libpq, and must not get another version's.
    if [ -e "$bin/../lib/libpq.so.5" ]; then export LD_LIBRARY_PATH=$bin/../lib; fi

    as_server_user "$bin/initdb" -D "$folder/primary" -U postgres --auth-local=trust --auth-host=scram-sha-256 -E UTF8 \
        --locale=C.UTF-8 --no-sync --no-instructions > "$folder/initdb.log" 2>&1 || fail "initdb failed: $(tail -3 "$folder/initdb.log")"
    as_server_user tee -a "$folder/primary/postgresql.conf" > /dev/null <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$folder/sockets'
ssl = on
ssl_cert_file = '$folder/server.crt'
ssl_key_file = '$folder/server.key'
fsync = off
wal_level = replica
max_wal_senders = 8
hot_standby_feedback = on
max_standby_streaming_delay = 30s
shared_buffers = 64MB
CONF
    as_server_user tee "$folder/primary/pg_hba.conf" > /dev/null <<HBA
local   all         postgres                 trust
hostssl replication replicator 127.0.0.0/8   scram-sha-256
hostssl all         all        127.0.0.0/8   scram-sha-256
HBA
    as_server_user "$bin/pg_ctl" -D "$folder/primary" -l "$folder/primary.log" -w -t 60 start > /dev/null ||
        fail "the primary did not start: $(tail -5 "$folder/primary.log")"
    # The passwords go through standard input, never on a command line; quotes in them are doubled.
    local admin_password
    admin_password=$(cat "$folder/admin-password")
    as_server_user "$bin/psql" -h "$folder/sockets" -p "$port" -U postgres -d postgres -X -q -v ON_ERROR_STOP=1 > /dev/null <<SQL
CREATE ROLE replicator REPLICATION LOGIN PASSWORD '$(cat "$folder/replication-password")';
CREATE ROLE azure_pg_admin NOLOGIN CREATEDB CREATEROLE IN ROLE pg_read_all_data, pg_signal_backend, pg_monitor;
CREATE ROLE flexadmin LOGIN CREATEDB CREATEROLE PASSWORD '${admin_password//\'/\'\'}' IN ROLE azure_pg_admin;
SQL
    PGPASSWORD=$(cat "$folder/replication-password") as_server_user "$bin/pg_basebackup" \
        -d "host=127.0.0.1 port=$port user=replicator sslmode=verify-full sslrootcert=$folder/server.crt" \
        -D "$folder/standby" -R -X stream -C -S standby --no-sync -c fast > "$folder/basebackup.log" 2>&1 ||
        fail "the standby could not be made: $(tail -3 "$folder/basebackup.log")"
    as_server_user tee -a "$folder/standby/postgresql.conf" > /dev/null <<CONF
listen_addresses = '127.0.0.2'
unix_socket_directories = ''
CONF
    as_server_user "$bin/pg_ctl" -D "$folder/standby" -l "$folder/standby.log" -w -t 60 start > /dev/null ||
        fail "the standby did not start: $(tail -5 "$folder/standby.log")"
    cat <<OUT
PGPAIR_PRIMARY=127.0.0.1
PGPAIR_STANDBY=127.0.0.2
PGPAIR_PORT=$port
PGPAIR_SOCKETS=$folder/sockets
PGPAIR_CA=$folder/server.crt
PGPAIR_BIN=$bin
OUT
}

stop() {
    local folder=$1 bin server
    bin=$(find_bin "$folder")
    for server in standby primary; do
        if [ -f "$folder/$server/postmaster.pid" ]; then
            as_server_user "$bin/pg_ctl" -D "$folder/$server" -m immediate -w -t 30 stop > /dev/null || true
        fi
    done
}

case "${1:-}:${2:-}" in
    start:?*) start "$2" ;;
    stop:?*) stop "$2" ;;
    *) echo "usage: postgres-pair.sh start|stop FOLDER" >&2; exit 2 ;;
esac
