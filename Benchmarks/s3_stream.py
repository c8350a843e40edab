#!/usr/bin/env python3
"""Pushes a long generated stream to an S3 server that counts and forgets, and watches pod-runner's memory.

usage: s3_stream.py POD-RUNNER

BENCH_S3_BYTES  length of the stream (60 GiB)

The server knows what a multipart upload needs and no more: it checks that parts come complete, counts them and their bytes,
and refuses part numbers over 10,000 and parts under 5 MiB, the last one excepted, as S3 does. It checks no signatures.
"""
import json
import os
import re
import resource
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOTAL = int(os.environ.get("BENCH_S3_BYTES", 60 << 30))


class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    parts, completed, lock = {}, None, threading.Lock()

    def log_message(self, *arguments):
        pass

    def swallow(self):
        left = length = int(self.headers.get("Content-Length") or 0)
        buffer = memoryview(bytearray(1 << 20))
        head = b""
        while left:
            count = self.rfile.readinto(buffer[:min(left, len(buffer))])
            if not count:
                raise ConnectionError("the body ended early")
            if length < 4 << 20:
                head += bytes(buffer[:count])
            left -= count
        return length, head

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        length, _ = self.swallow()
        number = re.search(r"partNumber=(\d+)", self.path)
        if number:
            number = int(number.group(1))
            if number > 10_000:
                return self.answer(400, b"<Error><Code>InvalidArgument</Code><Message>part number over 10000</Message></Error>")
            with self.lock:
                self.parts[number] = length
        self.answer(200, ETag='"%032x"' % (number or 0))

    def do_POST(self):
        _, body = self.swallow()
        if "uploads" in self.path:
            return self.answer(200, b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        numbers = [int(n) for n in re.findall(rb"<PartNumber>(\d+)<", body)]
        if numbers != sorted(self.parts) or any(self.parts[n] < 5 << 20 for n in numbers[:-1]):
            return self.answer(400, b"<Error><Code>InvalidPart</Code></Error>")
        Sink.completed = sum(self.parts.values())
        self.answer(200, b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")


def main():
    runner = os.path.abspath(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    profile = {"Location": {"type": "s3Compliant", "bucket": "bucket", "prefix": "",
                            "endpoint": "http://127.0.0.1:%d" % server.server_address[1]},
               "Credential": {"Type": "keyPair", "KeyPair": {"ID": "id", "Secret": "secret"}}}
    source = subprocess.Popen(["head", "-c", str(TOTAL), "/dev/zero"], stdout=subprocess.PIPE)
    start = time.monotonic()
    child = subprocess.Popen([runner, "location", "push", "--profile", "env:PROFILE", "--path", "stream", "-"],
                             stdin=source.stdout, env=dict(os.environ, PROFILE=json.dumps(profile)))
    source.stdout.close()
    memory, step = [], TOTAL / 8  # the peak so far, after each eighth
    while child.poll() is None:
        time.sleep(0.25)
        stored = sum(Sink.parts.values())
        if stored >= step * (len(memory) + 1):
            with open(f"/proc/{child.pid}/status") as status:
                peak = re.search(r"VmHWM:\s+(\d+)", status.read())
            if peak:  # a process that has just ended has none
                memory.append(int(peak.group(1)) / 1024)
    wall = time.monotonic() - start
    if child.returncode != 0 or Sink.completed != TOTAL:
        sys.exit(f"exit {child.returncode}, {Sink.completed} of {TOTAL} bytes")
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{TOTAL / (1 << 30):.0f} GiB, {len(Sink.parts)} parts of {min(list(Sink.parts.values())[:-1]) >> 20} to "
          f"{max(Sink.parts.values()) >> 20} MiB, {wall:.0f} s, {spent.ru_utime + spent.ru_stime:.0f} CPU s with the generator")
    memory.append(spent.ru_maxrss / 1024)
    print("peak memory in MB after each eighth and at the end: " + ", ".join(f"{m:.0f}" for m in memory))


main()
