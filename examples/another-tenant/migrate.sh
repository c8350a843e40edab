#!/usr/bin/env bash
# Moves a database to another tenant: a server pair that has never seen the database nor its roles, with another
# administrator's password, reached under the same private names. What travels is the repository, the artifact's text and
# the application's Secret: nothing else.
#
#   migrate.sh FOLDER    FOLDER has the executables karaffe and pod-runner
#
# Needs PostgreSQL's server programs, openssl and python3. Everything is made in a temporary folder and removed at the
# end; servers listen on loopback only.
#
#   MIGRATE_ROWS   customers in app1db (default 20000)
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
server=$here/../flexible-server
blueprint=$here/../../blueprints/flexible-bp.yaml
executables=$(cd "$1" && pwd)
rows=${MIGRATE_ROWS:-20000}

work=$(mktemp -d "${TMPDIR:-/tmp}/karaffe-tenants.XXXXXX")
chmod 711 "$work"

cleanup() {
    local status=$?
    trap - EXIT INT TERM
    for tenant in blue green; do "$server/postgres-pair.sh" stop "$work/$tenant" || true; done
    rm -rf "$work"
    exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n== %s\n' "$*"; }
fail() { echo "migrate: $*" >&2; exit 1; }

# Each tenant has an administrator's password of its own; the application's is the same, because its Secret travels.
declare -A password=([blue]='blue $(admin) it'\''s' [green]='green "admin" \ $1')
application=app1-password
export KOPIA_PASSWORD=example-repository-password

admin() { # tenant database [psql arguments]
    local tenant=$1
    shift
    # shellcheck source=/dev/null
    (. "$work/$tenant.env" && PGHOST=$PGPAIR_PRIMARY PGPORT=$PGPAIR_PORT PGUSER=flexadmin PGPASSWORD=${password[$tenant]} \
        PGSSLMODE=verify-full PGSSLROOTCERT=$PGPAIR_CA PGOPTIONS='-c client_min_messages=warning' \
        "$PGPAIR_BIN/psql" -X -q -v ON_ERROR_STOP=1 -d "$@")
}
as_application() { # tenant [psql arguments]
    local tenant=$1
    shift
    # shellcheck source=/dev/null
    (. "$work/$tenant.env" && PGHOST=$PGPAIR_PRIMARY PGPORT=$PGPAIR_PORT PGUSER=app1 PGPASSWORD=$application \
        PGSSLMODE=verify-full PGSSLROOTCERT=$PGPAIR_CA "$PGPAIR_BIN/psql" -X -q -v ON_ERROR_STOP=1 -d app1db "$@")
}

for tenant in blue green; do
    say "Tenant $tenant: a primary, a standby, and the cluster's manifests"
    PGPAIR_ADMIN_PASSWORD=${password[$tenant]} "$server/postgres-pair.sh" start "$work/$tenant" > "$work/$tenant.env"
    grep -E 'PORT|PRIMARY|STANDBY' "$work/$tenant.env"
    mkdir -p "$work/$tenant-cluster"
    # A Secret with the tenant's administrator, JSON because it quotes anything; the rest is the example's.
    ADMIN=${password[$tenant]} python3 - "$server/cluster" "$work/$tenant-cluster" <<'PY'
import json, os, pathlib, re, sys
source, target = map(pathlib.Path, sys.argv[1:])
for file in source.glob("*.yaml"):
    text = file.read_text()
    documents = [d for d in re.split(r"(?m)^---\n", text) if "name: flexible-super-admin" not in d]
    (target / file.name).write_text("---\n".join(documents))
secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "flexible-super-admin", "namespace": "kasten-io"},
          "stringData": {"username": "flexadmin", "password": os.environ["ADMIN"]}}
(target / "admin.yaml").write_text(json.dumps(secret))
PY
done

run_action() { # tenant action [arguments]
    local tenant=$1 action=$2
    shift 2
    # shellcheck source=/dev/null
    . "$work/$tenant.env"
    KARAFFE_STATE_DIR=$work/$tenant-state "$executables/karaffe" run "$blueprint" --action "$action" \
        --cluster-dir "$work/$tenant-cluster" --object secret/app1/app1 --profile kasten-io/local \
        --option port="$PGPAIR_PORT" --option sslRootCert="$PGPAIR_CA" --add-host rw.poc.postgres.database.azure.com="$PGPAIR_PRIMARY" \
        --add-host ro.poc.postgres.database.azure.com="$PGPAIR_STANDBY" "$@"
}

say "Tenant blue: an application with its database"
admin blue postgres <<SQL
CREATE ROLE reporting NOLOGIN; GRANT reporting TO flexadmin;
CREATE ROLE app1 LOGIN PASSWORD '$application'; GRANT app1 TO flexadmin;
CREATE DATABASE app1db OWNER app1 CONNECTION LIMIT 50;
ALTER DATABASE app1db SET work_mem = '8MB';
REVOKE CONNECT ON DATABASE app1db FROM PUBLIC;
GRANT CONNECT ON DATABASE app1db TO reporting;
SQL
as_application blue -v rows="$rows" -v seed=0.5 -f "$server/data.sql" > /dev/null
admin blue app1db -v role=app1 -f "$server/describe.sql" > "$work/before"

say "One repository for both"
"$executables/pod-runner" repository create --repository "file://$work/repository"

say "Tenant blue: backup, of everything that is committed by now"
run_action blue backup --option waitForPrimary=true
artifact=$(KARAFFE_STATE_DIR=$work/blue-state "$executables/karaffe" runs last --json |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["artifacts"]["pgBackup"]["kopiaSnapshot"])')
echo "artifact: $artifact"

say "Tenant blue is gone"
"$server/postgres-pair.sh" stop "$work/blue"

say "Tenant green: restore, with the artifact's text alone"
run_action green restore --artifact "pgBackup.kopiaSnapshot=$artifact"

say "Compared: rows, owners, grants, default privileges, sequences, constraints, indexes, triggers, the role"
admin green app1db -v role=app1 -f "$server/describe.sql" > "$work/after"
diff "$work/before" "$work/after" || fail "app1db on tenant green is not what it was on blue: see the differences above"
echo "equal: $(wc -l < "$work/before") facts, $(grep -c '^rows|' "$work/before") tables"
as_application green -c "INSERT INTO example_table (name) VALUES ('on the other tenant'); ALTER TABLE example_table ADD COLUMN moved boolean" ||
    fail "role app1 cannot use its database on tenant green"
echo "role app1 logs in with its Secret's password, writes and alters its tables"

say "Done"
