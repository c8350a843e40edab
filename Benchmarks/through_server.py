#!/usr/bin/env python3
"""Streams through a kopia repository server on this machine, ours and kopia's own client in turns. Needs KOPIA_EXE.

usage: through_server.py POD-RUNNER DUMPTEXT

BENCH_BYTES, BENCH_ROUNDS, BENCH_DIR as in end_to_end.py. Figures are the client's; the server's CPU seconds are beside them.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from end_to_end import (
    BYTES, DUMPTEXT, ENVIRONMENT, KOPIA, ROUNDS, RUNNER, Run, ServerProcess, beside, chunks, compare, median, row, server_note)

USER, HOST = "runner", "client"


class Server(ServerProcess):
    """A repository of its own, behind `kopia server start`."""

    def __init__(self, folder):
        self.folder = folder
        self.kopia = [KOPIA, f"--config-file={folder}/server.config", f"--log-dir={folder}/log", "--no-progress"]
        Run(self.kopia + ["repository", "create", "filesystem", f"--path={folder}/repository",
                          f"--cache-directory={folder}/cache", "--no-check-for-updates"])
        Run(self.kopia + ["server", "users", "add", f"{USER}@{HOST}", "--user-password=benchmark"])
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = "127.0.0.1:%d" % free.getsockname()[1]
        self.log = open(f"{folder}/server.log", "w")
        self.process = subprocess.Popen(
            self.kopia + ["server", "start", f"--address=https://{self.address}", "--tls-generate-cert",
                          f"--tls-cert-file={folder}/server.crt", f"--tls-key-file={folder}/server.key",
                          "--tls-generate-rsa-key-size=2048", "--server-control-password=control", "--no-ui"],
            env=ENVIRONMENT, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        text = ""
        while "SERVER ADDRESS" not in text:
            if self.process.poll() is not None:
                sys.exit(f"the server did not start:\n{text}")
            time.sleep(0.05)
            text = open(f"{folder}/server.log").read()
        self.fingerprint = text.split("SERVER CERT SHA256: ")[1].split()[0]


class Ours:
    name = "pod-runner"

    def __init__(self, server):
        self.location = ["--repository", f"kopia+https://{server.address}?fingerprint={server.fingerprint}",
                         "--identity", f"{USER}@{HOST}"]

    def push(self, dump, splitter):
        run = Run([RUNNER, "location", "push", *self.location, "--path", "pg/dump.sql", "--compression", "zstd-fastest",
                   *(["--splitter", splitter] if splitter else []), "-"], source=dump)
        self.artifact = json.loads(run.output.strip().splitlines()[-1].split(":", 1)[1])["value"]
        return run

    def pull(self):
        return Run([RUNNER, "location", "pull", *self.location, "--path", "pg/dump.sql", "-k", self.artifact, "-"],
                   keep_output=False)


class Kopias:
    name = "kopia"

    def __init__(self, server):
        self.command = [KOPIA, f"--config-file={server.folder}/client.config", f"--log-dir={server.folder}/log",
                        "--no-progress"]
        Run(self.command + [
            "repository", "connect", "server", f"--url=https://{server.address}",
            f"--server-cert-fingerprint={server.fingerprint}", f"--override-username={USER}",
            f"--override-hostname={HOST}", f"--cache-directory={server.folder}/client-cache", "--no-check-for-updates"])
        Run(self.command + ["policy", "set", f"{USER}@{HOST}:/pg", "--compression=zstd-fastest"])

    def push(self, dump, splitter):
        run = Run(self.command + ["snapshot", "create", "--stdin-file", "dump.sql", "/pg", "--json"], source=dump)
        self.root = json.loads(run.output)["rootEntry"]["obj"]
        return run

    def pull(self):
        return Run(self.command + ["show", f"{self.root}/dump.sql"], keep_output=False)


def measure(work, dumps, program, splitter):
    """First day, second day, restore; the server's CPU beside each."""
    folder = tempfile.mkdtemp(dir=work)
    server = Server(folder)
    try:
        client = program(server)
        return beside(server, (
            lambda: client.push(dumps[0], splitter), lambda: client.push(dumps[1000], splitter), client.pull))
    finally:
        server.stop()
        shutil.rmtree(folder)


def main():
    if not KOPIA:
        sys.exit("set KOPIA_EXE to a kopia program")
    work = tempfile.mkdtemp(prefix="karaffe-bench-", dir=os.environ.get("BENCH_DIR"))
    try:
        dumps = {}
        for changed in (0, 1_000):
            dumps[changed] = os.path.join(work, f"dump-{changed}.sql")
            with open(dumps[changed], "wb") as file:
                subprocess.run([DUMPTEXT, str(BYTES), str(changed)], stdout=file, check=True)
        length = os.path.getsize(dumps[0])
        print(f"{length / 1e6:.0f} MB, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, median of {ROUNDS}\n")
        print("| what | program | MB/s | CPU s per GB | peak MB | |\n|---|---|---:|---:|---:|---|")
        kinds = [(Ours, None), (Kopias, None), (Ours, "DYNAMIC-4M-BUZHASH"), (Ours, "64K"), (Ours, "24K")]
        results = {kind: [] for kind in kinds}
        for _ in range(ROUNDS):
            for kind in kinds:
                results[kind].append(measure(work, dumps, *kind))
        for index, what in enumerate(("first day", "second day, 0.1 % of rows changed", "restore")):
            for kind in kinds:
                runs = [rounds[index] for rounds in results[kind]]
                row(f"through a server: {what}, chunks of {chunks(*kind)}", kind[0].name, length, median(runs),
                    server_note(runs, length))
            compare(f"through a server: {what}", *(
                median([rounds[index] for rounds in results[kind]]) for kind in kinds[:2]))
    finally:
        shutil.rmtree(work)


main()
