#!/usr/bin/env python3
"""Backups and restores of a real PostgreSQL: against `pg_dump > /dev/null` and against psql; what daily backups store.

    postgres.py POD_RUNNER [--megabytes 1024] [--rounds 5] [--days 10] [--rows 300000]
    postgres.py POD_RUNNER --once --megabytes 20480       one backup of a large database: does memory stay flat?
    postgres.py POD_RUNNER --databases 200                one `backup --all-databases` of many small ones
    postgres.py POD_RUNNER --restore [--megabytes 1024] [--rounds 5] [--jobs 1,2,4]     restores, against psql

Starts the primary and the standby of examples/flexible-server on loopback, in a temporary folder. Times are medians of
rounds in turns; CPU is user and system time of the program and its children, the server's not included; memory is the
peak resident size of pod-runner. The large database compresses to about a tenth on the servers' disks: 20 GiB take about
3 GB there, twice, up to 3 GB of WAL, and 1 GB in the repository.
"""
import argparse, json, os, pathlib, re, shutil, signal, statistics, subprocess, sys, tempfile, threading, time

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
    parser.add_argument("--restore", action="store_true", help="restores of a database of --megabytes")
    parser.add_argument("--jobs", default="1,2,4", help="of the restores, a comma between")
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

    def stop_standby(self):
        """Otherwise it takes a share of these cores, and without its slot the primary would keep all WAL for it."""
        lock = pathlib.Path(f"{self.folder}/pair/standby/postmaster.pid")
        os.kill(int(lock.read_text().split()[0]), signal.SIGINT)
        while lock.exists():
            time.sleep(0.1)
        drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active"
        superuser = ["psql", "-X", "-A", "-t", "-h", self.values["PGPAIR_SOCKETS"], "-p", self.values["PGPAIR_PORT"], "-U", "postgres", "-c"]
        while subprocess.run([*superuser, drop], check=True, stdout=subprocess.PIPE, text=True).stdout.count("\n") == 0:
            time.sleep(0.1)

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


# About 680 bytes of dump for an order with its lines and events; `orders` is their number.
SHOP = """
CREATE TABLE customers (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, name text, address jsonb, created timestamptz);
CREATE TABLE products (id integer PRIMARY KEY, sku text NOT NULL UNIQUE, title text, price numeric(10, 2));
CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint NOT NULL REFERENCES customers, status text NOT NULL, amount numeric(12, 2),
                     created timestamptz, details jsonb, note text);
CREATE TABLE lines (order_id bigint REFERENCES orders, position smallint, product integer NOT NULL REFERENCES products, quantity integer,
                    price numeric(10, 2), PRIMARY KEY (order_id, position));
CREATE TABLE events (id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, kind text, at timestamptz, payload jsonb);
INSERT INTO customers
SELECT n, md5(n::text) || '@example.org', md5((n + 1)::text), jsonb_build_object('street', md5((n + 2)::text), 'city', md5((n + 3)::text)),
       timestamptz '2020-01-01 00:00Z' + n * interval '97 seconds'
FROM generate_series(1::bigint, {orders} / 4) n;
INSERT INTO products SELECT n, 'sku-' || md5(n::text), md5((n + 1)::text), n % 10000 / 100.0 FROM generate_series(1, 20000) n;
INSERT INTO orders
SELECT n, n * 7919 % ({orders} / 4) + 1, (ARRAY['new', 'paid', 'sent', 'done'])[n % 4 + 1], n % 100000 / 100.0,
       timestamptz '2020-01-01 00:00Z' + n * interval '27 seconds',
       jsonb_build_object('a', md5(n::text), 'b', md5((n + 1)::text), 'c', md5((n * 7)::text)), CASE WHEN n % 5 = 0 THEN md5((n * 3)::text) END
FROM generate_series(1::bigint, {orders}) n;
INSERT INTO lines SELECT n, k, (n * 31 % 20000 + 1)::integer, n % 9 + 1, n % 9973 / 100.0 FROM generate_series(1::bigint, {orders}) n, generate_series(1, 3) k;
INSERT INTO events
SELECT n, n * 13 % {orders} + 1, (ARRAY['placed', 'paid', 'packed'])[n % 3 + 1], timestamptz '2020-01-01 00:00Z' + n * interval '18 seconds',
       jsonb_build_object('from', md5(n::text), 'to', md5((n + 5)::text), 'agent', md5((n * 11)::text), 'trace', md5((n * 17)::text))
FROM generate_series(1::bigint, {orders} * 3 / 2) n;
CREATE INDEX ON customers (created); CREATE INDEX ON orders (customer); CREATE INDEX ON orders (status, created);
CREATE INDEX ON lines (product); CREATE INDEX ON events (order_id); CREATE INDEX ON events (at);
"""


class Phases:
    """Seconds of each phase of a restore, looked for ten times a second: the step in the journal, and while that is "load" or
    there is none, as with psql, what the sessions do."""

    SAMPLE = """
        SELECT 'sample', extract(epoch FROM clock_timestamp()),
               (SELECT substring(shobj_description(oid, 'pg_database') FROM '"step":"([^"]*)"') FROM pg_database
                WHERE datname LIKE '{name}\\_\\_restore\\_%'),
               (SELECT string_agg(left(query, 5), ' ') FROM pg_stat_activity WHERE datname LIKE '{name}%' AND state = 'active')
        \\watch 0.1
        """

    def __init__(self, servers, name):
        command = ["psql", "-X", "-A", "-t"]
        self.child = subprocess.Popen(
            command, env=servers.environment("postgres", "PGPAIR_PRIMARY"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seconds, self.reader = {}, threading.Thread(target=self.read)
        self.child.stdin.write(self.SAMPLE.format(name=name))
        self.child.stdin.close()
        self.reader.start()

    def read(self):
        before = None
        for line in self.child.stdout:
            parts = line.rstrip("\n").split("|")
            if parts[0] != "sample":
                continue
            now, step, queries = float(parts[1]), parts[2], parts[3].split()
            phase = step if step and step != "load" else "rows" if "COPY" in queries else "indexes" if step or queries else ""
            if before:
                self.seconds[phase] = self.seconds.get(phase, 0) + now - before
            before = now

    def stop(self):
        self.child.terminate()
        self.reader.join()
        self.child.wait()
        return self.seconds


def restores(servers, options, folder):
    servers.sql("CREATE DATABASE shop")
    servers.sql(SHOP.format(orders=options.megabytes * 1_000_000 // 680), "shop")
    servers.sql("VACUUM customers, products, orders, lines, events", "shop")
    environment = servers.environment("fresh", "PGPAIR_PRIMARY")
    place = repository(options, environment, f"{folder}/shop")
    backup = Run([options.pod_runner, "backup", "--repository", place], environment | {"PGDATABASE": "shop"}).value
    servers.stop_standby()
    jobs = options.jobs.split(",")
    pipe = 'set -o pipefail; "$0" snapshot cat --repository "$1" "$2" backup.sql | psql -X -q -v ON_ERROR_STOP=1 -o /dev/null'
    commands = {"psql": ["bash", "-c", pipe, options.pod_runner, place, backup["id"]]}
    for each in jobs:
        commands[each] = [options.pod_runner, "restore", "--repository", place, "--kopia-snapshot", backup["id"], "--jobs", each]
    runs, phases, analyzed = {name: [] for name in commands}, {name: [] for name in commands}, []
    for _ in range(options.rounds):
        for name, command in commands.items():
            if name == "psql":
                servers.sql("CREATE DATABASE fresh TEMPLATE template0")
            watch = Phases(servers, "fresh")
            runs[name].append(Run(command, environment))
            phases[name].append(watch.stop())
            if name == "psql":
                analyzed.append(Run(["vacuumdb", "-q", "--analyze-only", "-j", "2", "fresh"], environment))
            servers.sql("DROP DATABASE fresh WITH (FORCE)")

    def row(title, runs, phases, shown):
        median = lambda name: statistics.median(getattr(run, name) for run in runs)
        seconds = [f"{statistics.median(each.get(name, 0) for each in phases):.1f}" if name in shown else "" for name in ("rows", "indexes", "analyze", "verify")]
        print(f"| {title} | {median('seconds'):.1f} | {median('cpu'):.1f} | {median('peak') / 1e6:.0f} | {' | '.join(seconds)} |", flush=True)

    print(f"\n| {backup['logicalSize'] / 1e6:.0f} MB dump, {options.rounds} rounds in turns | wall s | clients' CPU s | peak MB | rows, s | indexes and keys, s | ANALYZE, s | comparing, s |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    row("snapshot cat \\| psql", runs["psql"], phases["psql"], ("rows", "indexes"))
    for run, more in zip(runs["psql"], analyzed):
        run.seconds, run.cpu = run.seconds + more.seconds, run.cpu + more.cpu
    row("the same, then vacuumdb --analyze-only -j 2", runs["psql"], [{"analyze": run.seconds} for run in analyzed], ("analyze",))
    for each in jobs:
        row(f"restore --jobs {each}", runs[each], phases[each], ("rows", "indexes", "analyze", "verify"))


def main():
    options = arguments()
    options.pod_runner = str(pathlib.Path(options.pod_runner).resolve())
    folder = tempfile.mkdtemp(prefix="karaffe-bench-")
    os.chmod(folder, 0o711)
    servers = Servers(folder)
    try:
        if options.once:
            once(servers, options, folder)
        elif options.restore:
            restores(servers, options, folder)
        elif options.databases:
            many(servers, options, folder)
        else:
            against_pg_dump(servers, options, folder)
            days(servers, options, folder)
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)


main()
