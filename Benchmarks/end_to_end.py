#!/usr/bin/env python3
"""Whole backups and restores of a generated dump; real kopia beside them when KOPIA_EXE names one.

usage: end_to_end.py POD-RUNNER DUMPTEXT

BENCH_BYTES   size of the dump in bytes (1 GiB)
BENCH_ROUNDS  runs of each measurement, of which the median counts (3)
BENCH_DIR     folder with three times that much space (a temporary one)
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

RUNNER, DUMPTEXT = (os.path.abspath(path) for path in sys.argv[1:3])
KOPIA = os.environ.get("KOPIA_EXE")
BYTES = int(os.environ.get("BENCH_BYTES", 1 << 30))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 3))
ENVIRONMENT = dict(os.environ, KOPIA_PASSWORD="benchmark", KOPIA_CHECK_FOR_UPDATES="false")


class Run:
    """One process: wall and CPU seconds, peak memory, standard output."""

    def __init__(self, arguments, source=None, keep_output=True):
        feed = subprocess.Popen(["cat", source], stdout=subprocess.PIPE) if source else None
        with tempfile.TemporaryFile() as log, tempfile.TemporaryFile() as kept:
            start = time.monotonic()
            child = subprocess.Popen(
                arguments, env=ENVIRONMENT, stdin=feed.stdout if feed else subprocess.DEVNULL, stderr=log,
                stdout=kept if keep_output else subprocess.DEVNULL)
            if feed:
                feed.stdout.close()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            self.wall = time.monotonic() - start
            if feed:
                feed.wait()
            kept.seek(0)
            self.output = kept.read().decode()
            if child.returncode != 0:
                log.seek(0)
                sys.exit(f"{' '.join(arguments)}: exit {child.returncode}\n{log.read().decode()}")
        self.cpu = usage.ru_utime + usage.ru_stime
        self.memory = usage.ru_maxrss / 1024


class Karaffe:
    name = "pod-runner"

    def __init__(self, folder):
        self.folder = folder
        self.location = ["--repository", f"file://{folder}/repository"]
        self.snapshot = ""

    def create(self, compression):
        self.compression = compression
        Run([RUNNER, "repository", "create", *self.location])

    def push(self, dump, splitter=None):
        arguments = [RUNNER, "location", "push", *self.location, "--path", "pg/dump.sql"]
        arguments += ["--compression", self.compression] + (["--splitter", splitter] if splitter else [])
        run = Run(arguments + ["-"], source=dump)
        self.snapshot = json.loads(run.output.strip().splitlines()[-1].split(":", 1)[1])
        self.snapshot = json.loads(self.snapshot["value"]) if "value" in self.snapshot else self.snapshot
        return run

    def pull(self):
        return Run(
            [RUNNER, "location", "pull", *self.location, "--path", "pg/dump.sql", "-k",
             self.snapshot.get("snapID") or self.snapshot.get("id"), "-"], keep_output=False)


class Kopia:
    name = "kopia"

    def __init__(self, folder):
        self.folder = folder
        self.command = [
            KOPIA, f"--config-file={folder}/config", f"--log-dir={folder}/log", "--no-progress"]

    def create(self, compression):
        Run(self.command + [
            "repository", "create", "filesystem", f"--path={self.folder}/repository",
            f"--cache-directory={self.folder}/cache", "--no-check-for-updates"])
        if compression != "none":
            Run(self.command + ["policy", "set", "--global", f"--compression={compression}"])

    def push(self, dump, splitter=None):
        run = Run(self.command + [
            "snapshot", "create", "--stdin-file", "dump.sql", "/pg", "--no-auto-maintenance", "--json"], source=dump)
        self.root = json.loads(run.output)["rootEntry"]["obj"]
        return run

    def pull(self):
        return Run(self.command + ["show", f"{self.root}/dump.sql"], keep_output=False)


def stored(folder):
    return sum(
        os.path.getsize(os.path.join(path, name))
        for path, _, names in os.walk(os.path.join(folder, "repository")) for name in names)


def median(runs):
    return tuple(statistics.median(getattr(run, what) for run in runs) for what in ("wall", "cpu", "memory"))


def chunks(program, splitter):
    """The average that a stream is cut at: kopia's default is 4 MiB, ours 128 KiB."""
    return (splitter or ("128K" if program.name == "pod-runner" else "4M")).removeprefix("DYNAMIC-").removesuffix("-BUZHASH")


def row(what, who, length, figures, note=""):
    wall, cpu, memory = figures
    print(f"| {what} | {who} | {length / 1e6 / wall:.0f} | {cpu / (length / 1e9):.2f} | {memory:.0f} | {note} |", flush=True)


def compare(what, ours, theirs):
    wall, cpu, memory = (b / a for a, b in zip(ours, theirs))
    print(f"| {what} | kopia ÷ ours | ×{wall:.2f} | ×{cpu:.2f} | ×{memory:.2f} | |", flush=True)


class ServerProcess:
    """What a server that runs beside a measurement has in common: `process` and its `log`."""

    def cpu(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


def beside(server, steps):
    """Runs of the steps, one after the other; each with the CPU seconds of a server beside it, as `server`."""
    runs = []
    for step in steps:
        before = server.cpu()
        run = step()
        run.server = server.cpu() - before
        runs.append(run)
    return runs


def server_note(runs, length):
    return f"server {statistics.median(run.server for run in runs) / (length / 1e9):.2f} CPU s per GB"


def stream(work, dump, length, programs, compression):
    """A stream in and out again, the programs in turns."""
    pushed, pulled, kept = ({program: [] for program in programs} for _ in range(3))
    for _ in range(ROUNDS):
        for program in programs:
            folder = tempfile.mkdtemp(dir=work)
            run = program(folder)
            run.create(compression)
            pushed[program].append(run.push(dump))
            kept[program].append(stored(folder))
            pulled[program].append(run.pull())
            shutil.rmtree(folder)
    for what, runs in (("stream in", pushed), ("restore", pulled)):
        for program in programs:
            ratio = f"{kept[program][-1] / length:.3f} of it stored" if runs is pushed else ""
            row(f"{what}, {compression}", program.name, length, median(runs[program]), ratio)
        if len(programs) > 1:
            compare(f"{what}, {compression}", median(runs[Karaffe]), median(runs[Kopia]))


def second_day(work, dumps, length):
    """What a second dump adds, by size of chunks: also in shares of what it adds with the first of them, kopia's."""
    largest = {}
    for splitter in ("4M", "128K", "24K"):
        for changed, dump in dumps.items():
            if changed == 0:
                continue
            folder = tempfile.mkdtemp(dir=work)
            run = Karaffe(folder)
            run.create("zstd-fastest")
            first = run.push(dumps[0], splitter)
            before = stored(folder)
            second = run.push(dump, splitter)
            added = stored(folder) - before
            share = added / largest.setdefault(changed, added)
            row(f"second day, {changed / 1e4:g} % of rows changed, chunks of {splitter}", "pod-runner", length,
                median([second]), f"adds {added / length:.4f} of the dump, {share:.3f} of what 4M adds")
            row(f"first day, chunks of {splitter}", "pod-runner", length, median([first]),
                f"{before / length:.3f} of it stored")
            shutil.rmtree(folder)


def main():
    programs = [Karaffe] + ([Kopia] if KOPIA else [])
    work = tempfile.mkdtemp(prefix="karaffe-bench-", dir=os.environ.get("BENCH_DIR"))
    try:
        dumps = {}
        for changed in (0, 100, 1_000, 10_000):
            dumps[changed] = os.path.join(work, f"dump-{changed}.sql")
            with open(dumps[changed], "wb") as file:
                subprocess.run([DUMPTEXT, str(BYTES), str(changed)], stdout=file, check=True)
        length = os.path.getsize(dumps[0])
        print(f"{length / 1e6:.0f} MB, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, median of {ROUNDS}\n")
        print("| what | program | MB/s | CPU s per GB | peak MB | |\n|---|---|---:|---:|---:|---|")
        stream(work, dumps[0], length, programs, "none")
        stream(work, dumps[0], length, programs, "zstd-fastest")
        second_day(work, dumps, length)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
