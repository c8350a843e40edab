#!/usr/bin/env python3
"""Backups of a real PostgreSQL: against `pg_dump > /dev/null`, and what daily backups store.

    postgres.py POD_RUNNER [--megabytes 1024] [--rounds 5] [--days 10] [--rows 300000]

Starts the primary and the standby of examples/flexible-server on loopback, in a temporary folder. Times are medians of
rounds in turns; CPU is user and system time of the program and its children, the server's not included.
"""
import argparse, json, os, pathlib, re, resource, shutil, statistics, subprocess, sys, tempfile, time

HERE = pathlib.Path(__file__).resolve().parent
PAIR = HERE.parent / "examples/flexible-server/postgres-pair.sh"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pod_runner")
    parser.add_argument("--megabytes", type=int, default=1024, help="of the dump that is timed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--rows", type=int, default=300_000, help="of the table that changes daily, about 330 bytes each")
    return parser.parse_args()


class Servers:
    def __init__(self, folder):
        self.folder = folder
        environment = os.environ | {"PGPAIR_ADMIN_PASSWORD": "benchmark"}
        text = subprocess.run([PAIR, "start", f"{folder}/pair"], env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
        self.values = dict(re.findall(r"(\w+)=(\S+)", text))

    def stop(self):
        subprocess.run([PAIR, "stop", f"{self.folder}/pair"], check=True)

    def environment(self, database, host="PGPAIR_STANDBY"):
        return os.environ | {
            "PGHOST": self.values[host], "PGPORT": self.values["PGPAIR_PORT"], "PGUSER": "flexadmin", "PGPASSWORD": "benchmark",
            "PGDATABASE": database, "PGSSLMODE": "require", "KOPIA_PASSWORD": "benchmark",
        }

    def sql(self, text, database="postgres"):
        environment = self.environment(database, "PGPAIR_PRIMARY")
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"], input=text, env=environment, check=True, text=True, stdout=subprocess.DEVNULL)


ROWS = """
CREATE TABLE orders (id bigint PRIMARY KEY, customer integer, status text, amount numeric(12, 2), created timestamptz,
                     updated timestamptz, details jsonb, note text);
INSERT INTO orders
SELECT n, (random() * 100000)::int, (ARRAY['new', 'paid', 'sent', 'done'])[n % 4 + 1], (random() * 1000)::numeric(12, 2),
       timestamptz '2026-01-01 00:00Z' + n * interval '7 seconds', timestamptz '2026-01-01 00:00Z' + n * interval '9 seconds',
       jsonb_build_object('a', md5(n::text), 'b', md5((n + 1)::text), 'c', md5((n * 7)::text)), CASE WHEN n % 5 = 0 THEN md5((n * 3)::text) END
FROM generate_series({first}, {last}) n;
"""


def measure(command, environment):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE if command[0] != "sh" else subprocess.DEVNULL, stderr=subprocess.PIPE)
    seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode != 0:
        sys.exit(f"{command[0]} failed: {result.stderr.decode()}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    output = (result.stdout or b"").decode()
    line = next((line for line in output.splitlines() if line.startswith("###Phase-output###")), None)
    value = json.loads(json.loads(line.split(": ", 1)[1])["value"]) if line else None
    return seconds, cpu, value


def against_pg_dump(servers, options, folder):
    servers.sql("CREATE DATABASE timed")
    last = options.megabytes * 1_000_000 // 330
    servers.sql(ROWS.format(first=1, last=last), "timed")
    servers.sql("VACUUM ANALYZE orders", "timed")
    time.sleep(2)
    environment = servers.environment("timed")
    plain, backups, sizes = [], [], []
    for number in range(options.rounds):
        plain.append(measure(["sh", "-c", "pg_dump > /dev/null"], environment))
        repository = f"file://{folder}/timed-{number}"
        subprocess.run([options.pod_runner, "repository", "create", "--repository", repository], env=environment, check=True, stderr=subprocess.DEVNULL)
        backups.append(measure([options.pod_runner, "backup", "--repository", repository], environment))
        sizes.append(backups[-1][2])
        shutil.rmtree(f"{folder}/timed-{number}")
    median = lambda runs, column: statistics.median(run[column] for run in runs)
    size = sizes[-1]["logicalSize"]
    print(f"\n| {size / 1e6:.0f} MB dump, {options.rounds} rounds in turns | wall s | CPU s |\n|---|---|---|")
    for name, runs in [("pg_dump > /dev/null", plain), ("pod-runner backup, into an empty repository", backups)]:
        print(f"| {name} | {median(runs, 0):.2f} | {median(runs, 1):.2f} |")
    ratio = statistics.median(b[0] / p[0] for b, p in zip(backups, plain))
    print(f"| ratio of wall, median of rounds | {ratio:.2f} | |")
    servers.sql("DROP DATABASE timed WITH (FORCE)")


def days(servers, options, folder):
    print(f"\n| {options.rows} rows, bytes stored a day (median of {options.days}) | default chunks | 4 MiB chunks | ratio |\n|---|---|---|---|")
    for share in (0.001, 0.01):
        database = f"daily{int(share * 1000)}"
        servers.sql(f"CREATE DATABASE {database}")
        servers.sql(ROWS.format(first=1, last=options.rows), database)
        environment = servers.environment(database)
        stored = {"default": [], "DYNAMIC-4M-BUZHASH": []}
        for splitter in stored:
            subprocess.run([options.pod_runner, "repository", "create", "--repository", f"file://{folder}/{database}-{splitter}"], env=environment, check=True, stderr=subprocess.DEVNULL)
        for day in range(options.days + 1):
            if day:
                servers.sql(
                    f"SELECT setseed({day / 100}); UPDATE orders SET status = 'day{day}', updated = now() WHERE random() < {share}; VACUUM orders", database)
            time.sleep(1)
            for splitter, sizes in stored.items():
                command = [options.pod_runner, "backup", "--repository", f"file://{folder}/{database}-{splitter}",
                           "--wait-for-primary", servers.values["PGPAIR_PRIMARY"]]
                if splitter != "default":
                    command += ["--splitter", splitter]
                sizes.append(measure(command, environment)[2]["physicalSize"])
        ours, theirs = (statistics.median(sizes[1:]) for sizes in stored.values())
        print(f"| {share * 100:g} % of rows updated at random (first: {stored['default'][0]:,} and {stored['DYNAMIC-4M-BUZHASH'][0]:,}) | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.2f} |", flush=True)


def main():
    options = arguments()
    options.pod_runner = str(pathlib.Path(options.pod_runner).resolve())
    folder = tempfile.mkdtemp(prefix="karaffe-bench-")
    os.chmod(folder, 0o711)
    servers = Servers(folder)
    try:
        against_pg_dump(servers, options, folder)
        days(servers, options, folder)
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)


main()
