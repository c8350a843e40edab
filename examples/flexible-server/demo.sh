#!/usr/bin/env bash
# The main job on real servers: backs up three databases from a hot standby, loses one of them together with its role,
# brings it back on the primary, compares, deletes the snapshots. Any deviation ends with an exit code other than 0.
#
#   demo.sh FOLDER    FOLDER has the executables karaffe and pod-runner
#
# Needs PostgreSQL's server programs and openssl. Everything is made in a temporary folder and removed at the end;
# servers listen on loopback only.
#
#   STORAGE     where the repository is: file (default), s3 for a bucket of an S3 server (moto) that is started here, or kopia
#               for a kopia server, as Kasten has it: then KOPIA_EXE names a kopia program, and the profile is of type kopia
#   DEMO_ROWS   customers in app1db (default 40000; app2db and app3db get a half and a quarter)
#   DEMO_KEEP   set to keep the temporary folder
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
blueprint=$here/../../blueprints/flexible-bp.yaml
executables=$(cd "$1" && pwd)
rows=${DEMO_ROWS:-40000}
storage=${STORAGE:-file}

work=$(mktemp -d "${TMPDIR:-/tmp}/karaffe-demo.XXXXXX")
chmod 711 "$work"
export KARAFFE_STATE_DIR=$work/state

cleanup() {
    local status=$?
    trap - EXIT INT TERM
    [ -z "${s3_server:-}" ] || { kill "$s3_server" && wait "$s3_server"; } 2> /dev/null || true
    [ -z "${kopia_server:-}" ] || { kill "$kopia_server" && wait "$kopia_server"; } 2> /dev/null || true
    "$here/postgres-pair.sh" stop "$work/servers" || true
    if [ -n "${DEMO_KEEP:-}" ]; then echo "kept: $work" >&2; else rm -rf "$work"; fi
    exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n== %s\n' "$*"; }
fail() { echo "demo: $*" >&2; exit 1; }
grouped() { sed -E ':a; s/([0-9])([0-9]{3})($|,)/\1,\2\3/; ta' <<< "$1"; }

# The value of a key of a Secret of the example, as its manifest spells it (plain or single-quoted).
secret_value() { # file secret key
    sed -n "/^  name: $2\$/,/^---/ s/^  $3: //p" "$here/cluster/$1" | sed "s/^'\(.*\)'\$/\1/; s/''/'/g" | head -1
}

admin_password=$(secret_value kasten-io.yaml flexible-super-admin password)
export KOPIA_PASSWORD
KOPIA_PASSWORD=$(secret_value kasten-io.yaml repository-password password)

say "A PostgreSQL primary and a streaming hot standby, in $work"
PGPAIR_ADMIN_PASSWORD=$admin_password "$here/postgres-pair.sh" start "$work/servers" > "$work/pair"
# shellcheck source=/dev/null
. "$work/pair"
echo "primary $PGPAIR_PRIMARY, standby $PGPAIR_STANDBY, port $PGPAIR_PORT, TLS required and checked"

export PGPORT=$PGPAIR_PORT PGSSLMODE=verify-full PGSSLROOTCERT=$PGPAIR_CA PGOPTIONS='-c client_min_messages=warning'
admin() { # database [psql arguments]
    PGHOST=$PGPAIR_PRIMARY PGUSER=flexadmin PGPASSWORD=$admin_password \
        "$PGPAIR_BIN/psql" -X -q -v ON_ERROR_STOP=1 -d "$@"
}

application() { # role secret-file secret
    local password database
    password=$(secret_value "$2" "$3" password)
    database=$(secret_value "$2" "$3" dbname)
    # Through standard input: no password on a command line.
    admin postgres <<SQL
CREATE ROLE $1 LOGIN PASSWORD '${password//\'/\'\'}';
GRANT $1 TO flexadmin;
CREATE DATABASE $database OWNER $1 CONNECTION LIMIT 50;
ALTER DATABASE $database SET work_mem = '8MB';
REVOKE CONNECT ON DATABASE $database FROM PUBLIC;
GRANT CONNECT ON DATABASE $database TO reporting;
SQL
    PGHOST=$PGPAIR_PRIMARY PGUSER=$1 PGPASSWORD=$password "$PGPAIR_BIN/psql" -X -q -v ON_ERROR_STOP=1 -d "$database" \
        -v rows="$4" -v seed="0.$4" -f "$here/data.sql" > /dev/null
}

say "Three databases with their roles"
admin postgres <<< "CREATE ROLE reporting NOLOGIN; GRANT reporting TO flexadmin;"
application app1 app1.yaml app1 "$rows"
application app2 app2.yaml app2 $((rows / 2))
application app3 app2.yaml app3 $((rows / 4))
admin postgres -A -F ' ' -t -c "SELECT datname, pg_size_pretty(pg_database_size(datname)) FROM pg_database WHERE datname LIKE 'app_db' ORDER BY 1"

# What is on the primary now has to be on the standby before the backup reads it there.
target=$(admin postgres -A -t -c 'SELECT pg_current_wal_lsn()')
for _ in $(seq 100); do
    reached=$(PGHOST=$PGPAIR_STANDBY PGUSER=flexadmin PGPASSWORD=$admin_password "$PGPAIR_BIN/psql" -X -A -t -d postgres \
        -c "SELECT pg_last_wal_replay_lsn() >= '$target'")
    [ "$reached" = t ] && break
    sleep 0.1
done
[ "$reached" = t ] || fail "the standby did not reach $target"

describe() { admin app1db -v role=app1 -f "$here/describe.sql"; }
sequences() { admin app1db -f "$here/sequences.sql"; }
describe > "$work/before"
sequences > "$work/sequences-before"

# A repository behind `kopia server start` with one user, and the Profile that leads there.
start_kopia_server() {
    local kopia=("$KOPIA_EXE" "--config-file=$work/kopia/config" "--log-dir=$work/kopia/log") port
    mkdir "$work/kopia"
    export KOPIA_CHECK_FOR_UPDATES=false
    "${kopia[@]}" repository create filesystem --path="$work/repository" --cache-directory="$work/kopia/cache" \
        --no-check-for-updates &> "$work/kopia/create.log"
    "${kopia[@]}" server users add runner@karaffe-demo --user-password="$KOPIA_PASSWORD" &> "$work/kopia/users.log"
    port=$((20000 + RANDOM % 20000))
    "${kopia[@]}" server start --address="https://127.0.0.1:$port" --tls-generate-cert --tls-generate-rsa-key-size=2048 \
        --tls-cert-file="$work/kopia/server.crt" --tls-key-file="$work/kopia/server.key" \
        --server-control-password="$RANDOM$RANDOM" --no-ui &> "$work/kopia/server.log" &
    kopia_server=$!
    for _ in $(seq 300); do
        grep -q 'SERVER ADDRESS' "$work/kopia/server.log" && break
        sleep 0.1
    done
    repository=kopia+https://127.0.0.1:$port?fingerprint=$(sed -n 's/^SERVER CERT SHA256: //p' "$work/kopia/server.log")
    location=(--repository "$repository" --identity runner@karaffe-demo)
    profile=kasten-io/kopia
    cat > "$work/cluster/kopia.yaml" <<YAML
apiVersion: cr.kanister.io/v1alpha1
kind: Profile
metadata: {name: kopia, namespace: kasten-io}
location: {type: kopia, endpoint: "https://127.0.0.1:$port"}
credential:
  type: kopia
  kopiaServerSecret:
    username: runner
    hostname: karaffe-demo
    userPassphrase: {key: password, secret: {apiVersion: v1, resource: secrets, name: repository-password, namespace: kasten-io}}
    tlsCert: {key: tls.crt, secret: {apiVersion: v1, resource: secrets, name: kopia-certificate, namespace: kasten-io}}
---
apiVersion: v1
kind: Secret
metadata: {name: kopia-certificate, namespace: kasten-io}
stringData:
  tls.crt: |
$(sed 's/^/    /' "$work/kopia/server.crt")
YAML
}

cp -r "$here/cluster" "$work/cluster"
profile=kasten-io/local
case $storage in
file) repository=file://$work/repository ;;
s3)
    say "An S3 server with a bucket"
    moto=$here/../../.build/python/bin/moto_server
    [ -x "$moto" ] || fail "moto is not installed: run 'make tools'"
    s3_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$moto" -H 127.0.0.1 -p "$s3_port" > "$work/s3.log" 2>&1 &
    s3_server=$!
    for _ in $(seq 300); do
        python3 -c "import urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:$s3_port/karaffe-demo', method='PUT'))" \
            2> /dev/null && break
        kill -0 "$s3_server" 2> /dev/null || fail "the S3 server did not start: $(tail -1 "$work/s3.log")"
        sleep 0.1
    done
    # What the phases need to get in is a file, as a pod would have it from a mounted Secret.
    printf '[default]\naws_access_key_id = demo\naws_secret_access_key = demo-secret\n' > "$work/s3-credentials"
    repository="s3://karaffe-demo/repository?endpoint=http://127.0.0.1:$s3_port&credentials=$work/s3-credentials"
    echo "$repository"
    ;;
kopia)
    say "A kopia server, and a profile of type kopia"
    [ -n "${KOPIA_EXE:-}" ] || fail "set KOPIA_EXE to a kopia program"
    start_kopia_server
    ;;
*) fail "STORAGE is '$storage', neither file nor s3 nor kopia" ;;
esac

say "A kopia repository, and the example's cluster"
[ "$storage" != s3 ] || sed -i "s|^  bucket: ../repository\$|  bucket: ${repository//&/\\&}|" "$work/cluster/kasten-io.yaml"
if [ "$storage" = kopia ]; then
    "$executables/pod-runner" repository status "${location[@]}"
else
    location=(--repository "$repository")
    "$executables/pod-runner" repository create "${location[@]}"
fi

results=()
# Runs one action of the blueprint and remembers what it took.
run_action() { # action secret database [arguments]
    local action=$1 secret=$2 database=$3 started ended output logical stored
    shift 3
    say "karaffe run flexible-bp.yaml --action $action --object secret/$secret"
    started=$(date +%s%N)
    "$executables/karaffe" run "$blueprint" --action "$action" --cluster-dir "$work/cluster" --object "secret/$secret" \
        --profile "$profile" --option port="$PGPAIR_PORT" --option sslRootCert="$PGPAIR_CA" \
        --add-host rw.poc.postgres.database.azure.com="$PGPAIR_PRIMARY" \
        --add-host ro.poc.postgres.database.azure.com="$PGPAIR_STANDBY" "$@" || fail "$action of $database failed (exit $?)"
    ended=$(date +%s%N)
    output=$("$executables/karaffe" runs last --json)
    logical=$(sed -nE 's/.*logicalSize\\*":([0-9]+).*/\1/p' <<< "$output" | head -1)
    stored=$(sed -nE 's/.*physicalSize\\*":([0-9]+).*/\1/p' <<< "$output" | head -1)
    [ "$action" = backup ] || { logical=; stored=; }
    last_run=$(sed -nE 's/^ *"id": "([^"]+)".*/\1/p' <<< "$output" | head -1)
    results+=("$(printf '%-8s %-8s %8s %14s %14s' "$database" "$action" \
        "$(awk "BEGIN { printf \"%.2f\", ($ended - $started) / 1e9 }")" "$(grouped "${logical:-}")" "$(grouped "${stored:-}")")")
}

run_action backup app1/app1 app1db; run1=$last_run
run_action backup app2/app2 app2db; run2=$last_run
run_action backup app2/app3 app3db; run3=$last_run
listed=$("$executables/pod-runner" snapshot list "${location[@]}" --json | grep -c '"rootEntry"' || true)
[ "$listed" = 3 ] || fail "the repository lists $listed snapshots, not 3"

say "The loss: database app1db and role app1"
admin postgres <<< "DROP DATABASE app1db WITH (FORCE); DROP ROLE app1;"

run_action restore app1/app1 app1db --from "$run1"

say "Compared: rows, owners, grants, default privileges, sequences, constraints, indexes, triggers, the role"
describe > "$work/after"
diff "$work/before" "$work/after" || fail "app1db is not what it was: see the differences above"
sequences > "$work/sequences-after"
paste -d '|' "$work/sequences-before" "$work/sequences-after" |
    awk -F '|' '$1 != $3 || $4 < $2 || $4 > $2 + 32 { print "sequence " $1 ": " $2 " before, " $4 " after"; bad = 1 } END { exit bad }' ||
    fail "a sequence is not where it was"
echo "equal: $(wc -l < "$work/before") facts, $(grep -c '^rows|' "$work/before") tables"
PGHOST=$PGPAIR_PRIMARY PGUSER=app1 PGPASSWORD=$(secret_value app1.yaml app1 password) "$PGPAIR_BIN/psql" -X -q -v ON_ERROR_STOP=1 \
    -d app1db -c "INSERT INTO example_table (name) VALUES ('after the restore'); ALTER TABLE example_table ADD COLUMN migrated boolean" ||
    fail "role app1 cannot use its database"
echo "role app1 logs in with its Secret's password, writes and alters its tables"

run_action delete app1/app1 app1db --from "$run1"
run_action delete app2/app2 app2db --from "$run2"
run_action delete app2/app3 app3db --from "$run3"
listed=$("$executables/pod-runner" snapshot list "${location[@]}" --json | grep -c '"rootEntry"' || true)
[ "$listed" = 0 ] || fail "the repository still lists $listed snapshots"

say "Done"
printf '%-8s %-8s %8s %14s %14s\n' database action seconds 'dump bytes' 'stored bytes'
printf '%s\n' "${results[@]}"
