#!/usr/bin/env python3
"""Streams into and out of a repository on an S3 server on this machine (rclone's), ours and kopia's in turns.

usage: through_s3.py POD-RUNNER DUMPTEXT

BENCH_BYTES, BENCH_ROUNDS, BENCH_DIR as in end_to_end.py. KOPIA_EXE: a kopia built with S3; ours alone without. `make tools`
installs rclone. Figures are the client's; the S3 server's CPU seconds are beside them.
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from end_to_end import (
    BYTES, DUMPTEXT, ENVIRONMENT, KOPIA, ROUNDS, RUNNER, Karaffe, Kopia, Run, ServerProcess, beside, chunks, compare, median, row, server_note)

BUCKET = "bucket"
KEYS = {"AWS_ACCESS_KEY_ID": "karaffe-benchmark", "AWS_SECRET_ACCESS_KEY": "karaffe-benchmark-secret"}
RCLONE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".build", "python", "bin", "rclone")


class Server(ServerProcess):
    def __init__(self, folder):
        os.makedirs(f"{folder}/data/{BUCKET}")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.log = open(f"{folder}/rclone.log", "w")
        self.process = subprocess.Popen(
            [RCLONE, "serve", "s3", "--auth-key", ",".join(KEYS.values()), "--addr", f"127.0.0.1:{self.port}",
             "--config", f"{folder}/rclone.conf", f"{folder}/data"], stdout=self.log, stderr=self.log)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        self.stop()
        sys.exit("rclone did not start:\n" + open(f"{folder}/rclone.log").read())


class Ours(Karaffe):
    def __init__(self, folder, server):
        super().__init__(folder)
        self.location = ["--repository", f"s3://{BUCKET}/repository?endpoint=http://127.0.0.1:{server.port}&region=us-east-1"]


class Kopias(Kopia):
    def __init__(self, folder, server):
        super().__init__(folder)
        self.server = server

    def create(self, compression):
        Run(self.command + [
            "repository", "create", "s3", f"--bucket={BUCKET}", "--prefix=repository/",
            f"--endpoint=127.0.0.1:{self.server.port}", "--disable-tls", "--region=us-east-1",
            f"--cache-directory={self.folder}/cache", "--no-check-for-updates"])
        if compression != "none":
            Run(self.command + ["policy", "set", "--global", f"--compression={compression}"])


def knows_s3():
    command = [KOPIA, "--disable-file-logging", "repository", "create", "s3", "--help"]
    return bool(KOPIA) and subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def measure(work, dump, program, compression, splitter):
    """A stream in and out again, each in a repository and on a server of its own."""
    folder = tempfile.mkdtemp(dir=work)
    server = Server(folder)
    try:
        client = program(folder, server)
        client.create(compression)
        return beside(server, (lambda: client.push(dump, splitter), client.pull))
    finally:
        server.stop()
        shutil.rmtree(folder)


def main():
    if not os.path.exists(RCLONE):
        sys.exit("rclone is not installed: run 'make tools'")
    ENVIRONMENT.update(KEYS)
    work = tempfile.mkdtemp(prefix="karaffe-bench-", dir=os.environ.get("BENCH_DIR"))
    try:
        dump = os.path.join(work, "dump.sql")
        with open(dump, "wb") as file:
            subprocess.run([DUMPTEXT, str(BYTES), "0"], stdout=file, check=True)
        length = os.path.getsize(dump)
        print(f"{length / 1e6:.0f} MB, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, median of {ROUNDS}\n")
        if not knows_s3():
            print("KOPIA_EXE names no kopia built with S3: ours alone\n")
        print("| what | program | MB/s | CPU s per GB | peak MB | |\n|---|---|---:|---:|---:|---|")
        theirs = [(Kopias, None)] if knows_s3() else []
        for compression in ("none", "zstd-fastest"):
            kinds = [(Ours, None)] + theirs + [(Ours, "DYNAMIC-4M-BUZHASH")] + ([(Ours, "24K")] if compression != "none" else [])
            results = {kind: [] for kind in kinds}
            for _ in range(ROUNDS):
                for kind in kinds:
                    results[kind].append(measure(work, dump, kind[0], compression, kind[1]))
            for index, what in enumerate(("stream in", "restore")):
                for kind in kinds:
                    runs = [rounds[index] for rounds in results[kind]]
                    row(f"on S3: {what}, {compression}, chunks of {chunks(*kind)}", kind[0].name, length, median(runs),
                        server_note(runs, length))
                if theirs:
                    compare(f"on S3: {what}, {compression}", *(
                        median([rounds[index] for rounds in results[kind]]) for kind in kinds[:2]))
    finally:
        shutil.rmtree(work)


main()
