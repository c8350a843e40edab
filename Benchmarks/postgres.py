#!/usr/bin/env python3
"""Backups of a real PostgreSQL: against `pg_dump > /dev/null`, and what daily backups store.

    postgres.py POD_RUNNER [--megabytes 1024] [--rounds 5] [--days 10] [--rows 300000]
    postgres.py POD_RUNNER --once --megabytes 20480       one backup of a large database: does memory stay flat?
    postgres.py POD_RUNNER --databases 200                one `backup --all-databases` of many small ones

Starts the primary and the standby of examples/flexible-server on loopback, in a temporary folder. Times are medians of
rounds in turns; CPU is user and system time of the program and its children, the server's not included; memory is the
peak resident size of pod-runner. The large database compresses to about a tenth on the servers' disks: 20 GiB take about
3 GB there, twice, up to 3 GB of WAL, and 1 GB in the repository.
"""
import argparse, json, os, pathlib, re, shutil, statistics, subprocess, sys, tempfile, threading, time

HERE = pathlib.Path(__file__).resolve().parent
PAIR = HERE.parent / "examples/flexible-server/postgres-pair.sh"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pod_runner")
    parser.add_argument("--megabytes", type=int, default=1024, help="of the dump that is timed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--rows", type=int, default=300_000, help="of the table that changes daily, about 330 bytes each")
    parser.add_argument("--once", action="store_true", help="one backup of --megabytes, no rounds, memory watched")
    parser.add_argument("--databases", type=int, default=0, help="back up so many small databases in one run")
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


# About 8 kB a row, of which a sixteenth is new: PostgreSQL compresses it, pg_dump writes all of it.
LARGE = """
CREATE TABLE large (id bigint PRIMARY KEY, body text);
INSERT INTO large
SELECT n, repeat((SELECT string_agg(md5((n * 16 + k)::text), '') FROM generate_series(1, 16) k), 16) FROM generate_series({first}, {last}) n;
"""
LARGE_ROW = 8200


class Run:
    """What a program took. `residents` are (seconds, bytes), sampled while it ran."""

    def __init__(self, command, environment, every=None):
        start = time.monotonic()
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            child = subprocess.Popen(command, env=environment, stdout=output, stderr=errors)
            self.residents, done = [], threading.Event()
            watcher = threading.Thread(target=self.watch, args=(child.pid, start, every, done))
            if every:
                watcher.start()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            done.set()
            if every:
                watcher.join()
            output.seek(0), errors.seek(0)
            if child.returncode != 0:
                sys.exit(f"{command[0]} failed: {errors.read().decode()[-4000:]}")
            text = output.read().decode() if command[0] != "sh" else ""
        self.seconds, self.cpu, self.peak = time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
        lines = [line for line in text.splitlines() if line.startswith("###Phase-output###")]
        self.value = json.loads(json.loads(lines[-1].split(": ", 1)[1])["value"]) if lines else None

    def watch(self, process, start, every, done):
        page = os.sysconf("SC_PAGE_SIZE")
        while not done.wait(every):
            try:
                resident = int(pathlib.Path(f"/proc/{process}/statm").read_text().split()[1]) * page
            except (OSError, IndexError):
                return
            self.residents.append((time.monotonic() - start, resident))


def repository(options, environment, path):
    command = [options.pod_runner, "repository", "create", "--repository", f"file://{path}"]
    subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
    return f"file://{path}"


def against_pg_dump(servers, options, folder):
    servers.sql("CREATE DATABASE timed")
    last = options.megabytes * 1_000_000 // 330
    servers.sql(ROWS.format(first=1, last=last), "timed")
    servers.sql("VACUUM ANALYZE orders", "timed")
    time.sleep(2)
    environment = servers.environment("timed")
    plain, backups = [], []
    for number in range(options.rounds):
        plain.append(Run(["sh", "-c", "pg_dump > /dev/null"], environment))
        place = repository(options, environment, f"{folder}/timed-{number}")
        backups.append(Run([options.pod_runner, "backup", "--repository", place], environment))
        shutil.rmtree(f"{folder}/timed-{number}")
    median = lambda runs, name: statistics.median(getattr(run, name) for run in runs)
    size = backups[-1].value["logicalSize"]
    print(f"\n| {size / 1e6:.0f} MB dump, {options.rounds} rounds in turns | wall s | CPU s | peak MB |\n|---|---:|---:|---:|")
    print(f"| pg_dump > /dev/null | {median(plain, 'seconds'):.2f} | {median(plain, 'cpu'):.2f} | |")
    print(
        f"| pod-runner backup, into an empty repository | {median(backups, 'seconds'):.2f} | {median(backups, 'cpu'):.2f} | {median(backups, 'peak') / 1e6:.0f} |")
    ratio = statistics.median(b.seconds / p.seconds for b, p in zip(backups, plain))
    print(f"| ratio of wall, median of rounds (contract: at most 1.10) | {ratio:.2f} | | |", flush=True)
    servers.sql("DROP DATABASE timed WITH (FORCE)")


def once(servers, options, folder):
    """A first backup, whose chunks are cut for the size on disk, and a second, cut for the size of the first one's dump."""
    servers.sql("CREATE DATABASE large")
    rows, step = options.megabytes * (1 << 20) // LARGE_ROW, 100_000
    create, insert = LARGE.strip().split("\n", 1)
    servers.sql(create, "large")
    for first in range(1, rows + 1, step):
        servers.sql(insert.format(first=first, last=min(first + step - 1, rows)), "large")
    environment = servers.environment("large")
    disk = shutil.disk_usage(folder)
    place = repository(options, environment, f"{folder}/large")
    print(f"\n| backup | dump GB | stored GB | wall s | MB/s | CPU s | peak MB | resident MB at the end of each tenth |\n|---|---:|---:|---:|---:|---:|---:|---|")
    for name in ("first", "second, unchanged"):
        run = Run([options.pod_runner, "backup", "--repository", place, "--wait-for-primary", servers.values["PGPAIR_PRIMARY"]], environment, every=0.05)
        tenths = [[bytes for seconds, bytes in run.residents if seconds <= run.seconds * n / 10][-1:] or [0] for n in range(1, 11)]
        size, stored = run.value["logicalSize"], run.value["physicalSize"]
        print(
            f"| {name} | {size / 1e9:.1f} | {stored / 1e9:.2f} | {run.seconds:.1f} | {size / 1e6 / run.seconds:.0f} | {run.cpu:.1f} | {run.peak / 1e6:.0f} | "
            f"{', '.join(f'{value / 1e6:.0f}' for [value] in tenths)} |", flush=True)
    print(f"\ndisk free with the database in place: {disk.free / 1e9:.1f} GB")


def many(servers, options, folder):
    servers.sql("CREATE DATABASE small")
    servers.sql(ROWS.format(first=1, last=1000), "small")
    servers.sql("\n".join(f"CREATE DATABASE small_{n:03} TEMPLATE small;" for n in range(1, options.databases)))
    environment = servers.environment("postgres")
    place = repository(options, environment, f"{folder}/many")
    print(f"\n| {options.databases} databases of 1,000 rows, one run | wall s | a database, ms | CPU s | peak MB | stored MB |\n|---|---:|---:|---:|---:|---:|")
    for name in ("first", "second, unchanged"):
        run = Run([options.pod_runner, "backup", "--repository", place, "--all-databases", "--wait-for-primary", servers.values["PGPAIR_PRIMARY"]], environment)
        if len(run.value) != options.databases:
            sys.exit(f"{options.databases} databases were made, {len(run.value)} backed up")
        stored = sum(each["kopiaSnapshot"]["physicalSize"] for each in run.value)
        print(
            f"| {name} | {run.seconds:.1f} | {run.seconds / options.databases * 1000:.0f} | {run.cpu:.1f} | {run.peak / 1e6:.0f} | {stored / 1e6:.1f} |", flush=True)


def days(servers, options, folder):
    print(f"\n| {options.rows} rows, bytes stored a day (median of {options.days}) | default chunks | 4 MiB chunks | ratio |\n|---|---|---|---|")
    for share in (0.001, 0.01):
        database = f"daily{int(share * 1000)}"
        servers.sql(f"CREATE DATABASE {database}")
        servers.sql(ROWS.format(first=1, last=options.rows), database)
        environment = servers.environment(database)
        stored = {"default": [], "DYNAMIC-4M-BUZHASH": []}
        for splitter in stored:
            repository(options, environment, f"{folder}/{database}-{splitter}")
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
                sizes.append(Run(command, environment).value["physicalSize"])
        ours, theirs = (statistics.median(sizes[1:]) for sizes in stored.values())
        print(f"| {share * 100:g} % of rows updated at random (first: {stored['default'][0]:,} and {stored['DYNAMIC-4M-BUZHASH'][0]:,}) | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.2f} |", flush=True)


def main():
    options = arguments()
    options.pod_runner = str(pathlib.Path(options.pod_runner).resolve())
    folder = tempfile.mkdtemp(prefix="karaffe-bench-")
    os.chmod(folder, 0o711)
    servers = Servers(folder)
    try:
        if options.once:
            once(servers, options, folder)
        elif options.databases:
            many(servers, options, folder)
        else:
            against_pg_dump(servers, options, folder)
            days(servers, options, folder)
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)


main()
