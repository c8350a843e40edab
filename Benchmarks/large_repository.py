#!/usr/bin/env python3
"""Opening and listing a repository of many contents and snapshots; real kopia beside it when KOPIA_EXE names one.

usage: large_repository.py POD-RUNNER LARGEREPOSITORY

BENCH_CONTENTS   contents of file data (1,000,000)
BENCH_SNAPSHOTS  snapshots (10,000)
BENCH_ROUNDS     runs of each measurement, of which the median counts (3)
BENCH_DIR        folder with about 1 GB of space (a temporary one); what was generated there is used again
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

RUNNER, GENERATOR = (os.path.abspath(path) for path in sys.argv[1:3])
KOPIA = os.environ.get("KOPIA_EXE")
CONTENTS = int(os.environ.get("BENCH_CONTENTS", 1_000_000))
SNAPSHOTS = int(os.environ.get("BENCH_SNAPSHOTS", 10_000))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 3))
ENVIRONMENT = dict(os.environ, KOPIA_PASSWORD="benchmark", KOPIA_CHECK_FOR_UPDATES="false", TZ="UTC")


def run(arguments):
    """Wall seconds, CPU seconds, peak MB and output of one process."""
    with tempfile.TemporaryFile() as kept, tempfile.TemporaryFile() as log:
        start = time.monotonic()
        child = subprocess.Popen(arguments, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=kept, stderr=log)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - start
        if child.returncode != 0:
            log.seek(0)
            sys.exit(f"{' '.join(arguments)}: exit {child.returncode}\n{log.read().decode()}")
        kept.seek(0)
        return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, kept.read().decode()


def measure(name, arguments, before=lambda: None):
    rounds = []
    for _ in range(ROUNDS):
        before()
        rounds.append(run(arguments))
    wall, cpu, memory = (statistics.median(r[i] for r in rounds) for i in range(3))
    print(f"| {name} | {wall:.2f} | {cpu:.2f} | {memory:.0f} |", flush=True)
    return rounds[-1][3]


def generate(folder):
    repository = f"{folder}/large-{CONTENTS}-{SNAPSHOTS}"
    if os.path.isdir(repository):
        return repository
    part = repository + ".part"
    shutil.rmtree(part, ignore_errors=True)
    run([RUNNER, "repository", "create", "--repository", f"file://{part}"])
    wall, cpu, _, _ = run([GENERATOR, part, str(CONTENTS), str(SNAPSHOTS)])
    print(f"generated in {wall:.0f} s ({cpu:.0f} s CPU)", file=sys.stderr)
    os.rename(part, repository)
    return repository


def main(folder):
    repository = generate(folder)
    location = ["--repository", f"file://{repository}"]
    print(f"{CONTENTS:,} contents of data, {SNAPSHOTS:,} snapshots, median of {ROUNDS}\n")
    print("| what | wall s | CPU s | peak MB |\n|---|---:|---:|---:|")
    listed = measure("pod-runner: open, list (JSON)", [RUNNER, "snapshot", "list", "--json"] + location)
    first = listed.split('"id":"')[1][:32]
    measure("pod-runner: open, show one", [RUNNER, "snapshot", "show", first] + location)
    if not KOPIA:
        return
    state = f"{folder}/kopia-state"
    base = [KOPIA, f"--config-file={state}/repository.config", f"--log-dir={state}/logs", "--no-progress"]

    def connect():
        shutil.rmtree(state, ignore_errors=True)
        run(base + ["repository", "connect", "filesystem", f"--path={repository}", f"--cache-directory={state}/cache",
                    "--readonly", "--no-check-for-updates", "--override-hostname=large", "--override-username=runner"])

    kopia = base + ["snapshot", "list", "--all", "--json"]
    theirs = measure("kopia: open, list (JSON), empty cache", kopia, connect)
    measure("kopia: open, list (JSON), warm cache", kopia)
    shutil.rmtree(state, ignore_errors=True)
    if theirs.count('"id":"') != listed.count('"id":"'):
        sys.exit("the two lists are not the same")


if "BENCH_DIR" in os.environ:
    main(os.environ["BENCH_DIR"])
else:
    with tempfile.TemporaryDirectory(prefix="karaffe-large-") as scratch:
        main(scratch)
