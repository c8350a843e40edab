"""A double of kopia's repository server: the session protocol over HTTP/2 with TLS, on the hyper-h2 library, and faults.

    kopia_server_double.py CERTIFICATE KEY

Prints "PORTS <service> <control>" when it listens on 127.0.0.1. The repository is in memory. As in kopia: what a session
writes is its own until it is flushed, or until the client closes its side; whoever goes away otherwise loses it.

A connection to the control port is one line of JSON, answered by one line:
  {"reset": true}                         forgets repository, faults and counters
  {"faults": [{...}, ...]}                what goes wrong, each once: see Fault
  {"state": true}                         repository and counters
  {"seed": {"labels": {...}, "json": text}}   a manifest somebody else has put

A fault: {"on": REQUEST, "after": N, "do": ACTION, ...} happens at the N-th (from 0) request of that kind since the reset,
counted over all sessions; "any" counts all requests, "open" is the opening. Actions:
  cut         close the TCP connection      cut-after    do it, then close instead of answering
  rst         RST_STREAM                    rst-after    do it, then reset instead of answering
  goaway      GOAWAY, then close            status       end with trailers "code", "message"
  nostatus    end the stream without trailers
  lost        do it, never answer           twice        answer twice
  wrong-id    answer another ID             wrong-kind   answer with something else
  error       answer with an error "code", "message"
  wrong-hash  answer with another content ID             oversized  a frame that announces 64 MiB
  garbage     bytes that are no frame       slow         wait "seconds" before answering
  other-repository   from now on sessions are opened with another hash key
"""
import hashlib
import json
import socket
import ssl
import struct
import sys
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

NAMES = {10: "open", 11: "info", 12: "flush", 13: "write", 14: "get", 15: "get-manifest", 16: "put", 17: "find", 18: "delete"}


# --- protobuf, as much of it as is needed

def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """Bytes, text and numbers; empty values are left out as proto3 does."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value if value else b""
    return varint(number << 3) + varint(int(value)) if value else b""


def message(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def pairs(number, labels):
    return b"".join(message(number, field(1, k) + field(2, v)) for k, v in sorted(labels.items()))


def parse(data):
    fields, at = [], 0
    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key = number()
        if key & 7 == 0:
            fields.append((key >> 3, number()))
        elif key & 7 == 2:
            length = number()
            fields.append((key >> 3, data[at:at + length]))
            at += length
        else:
            raise ValueError("wire type %d" % (key & 7))
    return fields


def one(fields, number, default=b""):
    found = [value for key, value in fields if key == number]
    return found[-1] if found else default


def labels_of(fields, number):
    entries = [parse(value) for key, value in fields if key == number]
    return {one(entry, 1).decode(): one(entry, 2).decode() for entry in entries}


# --- the repository

class World:
    def __init__(self):
        self.lock = threading.RLock()
        self.reset()

    def reset(self):
        self.secret = b"0123456789abcdef0123456789abcdef"
        self.contents, self.manifests, self.deleted = {}, {}, set()
        self.counts, self.faults = {}, []
        self.sessions = self.flushes = self.uploads = self.questions = 0
        self.next_manifest = 1
        self.clock = 1700000000000000000

    def fault(self, kind):
        """What goes wrong with this request, if anything."""
        with self.lock:
            for key in (kind, "any"):
                count = self.counts.get(key, 0)
                self.counts[key] = count + 1
                for fault in self.faults:
                    if fault["on"] == key and fault.get("after", 0) == count:
                        self.faults.remove(fault)
                        return fault
        return None

    def content_id(self, prefix, data):
        return prefix + hashlib.blake2b(data, digest_size=32, key=self.secret).digest()[:16].hex()


WORLD = World()


class Session:
    """What one client has done and not flushed."""

    def __init__(self, user, host):
        self.user, self.host = user, host
        self.contents, self.puts, self.deletions = {}, {}, set()
        self.opened = False
        WORLD.sessions += 1

    def publish(self):
        with WORLD.lock:
            WORLD.contents.update(self.contents)
            WORLD.manifests.update(self.puts)
            for name in self.deletions:
                WORLD.manifests.pop(name, None)
            self.contents, self.puts, self.deletions = {}, {}, set()

    def manifest(self, name):
        if name in self.deletions:
            return None
        return self.puts.get(name) or WORLD.manifests.get(name)

    def manifests(self):
        return {k: v for k, v in {**WORLD.manifests, **self.puts}.items() if k not in self.deletions}

    def metadata(self, name, entry):
        return (field(1, name) + field(2, entry["time"]) + field(3, len(entry["json"])) + pairs(4, entry["labels"]))

    def answer(self, kind, request):
        """Pairs of (field number, body) of the responses; several for pages."""
        with WORLD.lock:
            return getattr(self, "do_" + kind.replace("-", "_"))(request)

    def do_open(self, request):
        if self.opened:
            return [(2, field(2, "InitializeSession must be the first request in a session"))]
        self.opened = True
        parameters = field(1, "BLAKE2B-256-128") + field(2, WORLD.secret) + field(3, "FIXED-128K") + field(4, 1)
        return [(10, message(1, parameters))]

    def do_info(self, request):
        WORLD.questions += 1
        name = one(request, 1).decode()
        data = self.contents.get(name, WORLD.contents.get(name))
        if data is None:
            return [(2, field(1, 2) + field(2, "content not found"))]
        info = field(1, name) + field(2, len(data) + 28) + field(8, len(data)) + field(6, name in WORLD.deleted)
        return [(11, message(1, info))]

    def do_flush(self, request):
        WORLD.flushes += 1
        self.publish()
        return [(12, b"")]

    def do_write(self, request):
        WORLD.uploads += 1
        prefix, data = one(request, 1).decode(), one(request, 2)
        if prefix == "m":
            return [(2, field(1, 5) + field(2, "access denied"))]
        name = WORLD.content_id(prefix, data)
        self.contents[name] = data
        WORLD.deleted.discard(name)
        return [(13, field(1, name))]

    def do_get(self, request):
        name = one(request, 1).decode()
        data = self.contents.get(name, WORLD.contents.get(name))
        return [(2, field(1, 2) + field(2, "content not found"))] if data is None else [(14, field(1, data))]

    def do_get_manifest(self, request):
        name = one(request, 1).decode()
        entry = self.manifest(name)
        if entry is None:
            return [(2, field(1, 3) + field(2, "manifest %s: not found" % name))]
        return [(15, field(1, entry["json"]) + message(2, self.metadata(name, entry)))]

    def do_put(self, request):
        labels = labels_of(request, 2)
        if not labels.get("type"):
            return [(2, field(2, "'type' label is required"))]
        name = "%032x" % WORLD.next_manifest
        WORLD.next_manifest += 1
        WORLD.clock += 1000
        self.puts[name] = {"labels": labels, "json": one(request, 1), "time": WORLD.clock}
        return [(16, field(1, name))]

    def do_find(self, request):
        wanted, size = labels_of(request, 1), one(request, 2, 0)
        found = [message(1, self.metadata(name, entry)) for name, entry in sorted(self.manifests().items())
                 if all(entry["labels"].get(k) == v for k, v in wanted.items())]
        if size <= 0 or not found:
            return [(17, b"".join(found))]
        # Small pages, so that tests see several.
        size = min(size, 2)
        return [(17, b"".join(found[i:i + size])) for i in range(0, len(found), size)]

    def do_delete(self, request):
        name = one(request, 1).decode()
        entry = self.manifest(name)
        if entry is None:
            return [(2, field(1, 3) + field(2, "manifest %s: not found" % name))]
        if entry["labels"].get("username", self.user) != self.user:
            return [(2, field(1, 5) + field(2, "access denied"))]
        self.deletions.add(name)
        return [(18, b"")]


# --- HTTP/2

class Closed(Exception):
    pass


class Connection:
    def __init__(self, peer):
        self.peer = peer
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.sessions, self.incoming, self.outgoing, self.ending, self.unfinished = {}, {}, {}, {}, set()

    def run(self):
        self.http.initiate_connection()
        self.http.increment_flow_control_window(32 << 20)
        self.flush()
        while True:
            data = self.peer.recv(1 << 18)
            if not data:
                return
            for event in self.http.receive_data(data):
                self.handle(event)
            self.push()
            self.flush()

    def flush(self):
        data = self.http.data_to_send()
        if data:
            self.peer.sendall(data)

    def handle(self, event):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.RequestReceived):
            self.begin(stream, dict(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            if event.flow_controlled_length:
                self.http.acknowledge_received_data(event.flow_controlled_length, stream)
            if stream in self.sessions:
                self.incoming[stream] += event.data
                self.messages(stream)
        elif isinstance(event, h2.events.StreamEnded):
            session = self.sessions.pop(stream, None)
            if session:
                # As kopia does: closing in order publishes.
                session.publish()
                self.ending[stream] = [("grpc-status", "0")]
        elif isinstance(event, h2.events.StreamReset):
            for table in (self.sessions, self.incoming, self.outgoing, self.ending):
                table.pop(stream, None)
        elif isinstance(event, h2.events.ConnectionTerminated):
            raise Closed()

    def begin(self, stream, headers):
        status = None
        if headers.get(":path") != "/kopia_repository.KopiaRepository/Session":
            status = ("12", "unknown method")
        elif not all(headers.get(name) for name in ("kopia-username", "kopia-hostname", "kopia-password")):
            status = ("7", "missing credentials")
        elif headers["kopia-password"] != "client-password":
            status = ("7", "access denied for %s@%s" % (headers["kopia-username"], headers["kopia-hostname"]))
        if status:
            self.http.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc"),
                                            ("grpc-status", status[0]), ("grpc-message", status[1])], end_stream=True)
            return
        self.sessions[stream] = Session(headers["kopia-username"], headers["kopia-hostname"])
        self.incoming[stream] = bytearray()
        self.outgoing[stream] = memoryview(b"")
        self.http.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])

    def messages(self, stream):
        data = self.incoming[stream]
        while stream in self.sessions and len(data) >= 5:
            length = struct.unpack(">I", data[1:5])[0]
            if len(data) < 5 + length:
                return
            body = bytes(data[5:5 + length])
            del data[:5 + length]
            self.request(stream, parse(body))

    def request(self, stream, fields):
        request_id = one(fields, 1, 0)
        number = next(key for key, _ in fields if key >= 10)
        kind, body = NAMES[number], parse(one(fields, number))
        session = self.sessions[stream]
        fault = WORLD.fault(kind) or {"do": ""}
        action = fault["do"]
        if action == "slow":
            time.sleep(fault["seconds"])
        if action == "cut":
            raise Closed()
        if action == "rst":
            return self.abort(stream)
        if action == "goaway":
            self.http.close_connection(last_stream_id=stream)
            self.flush()
            raise Closed()
        if action == "status":
            return self.end(stream, [("grpc-status", str(fault["code"])), ("grpc-message", fault.get("message", ""))])
        if action == "nostatus":
            return self.end(stream, None)
        if action == "error":
            return self.send(stream, request_id, 2, field(1, fault.get("code", 0)) + field(2, fault["message"]), False)
        if action == "oversized":
            self.outgoing[stream] = memoryview(bytes(self.outgoing[stream]) + b"\0" + struct.pack(">I", 64 << 20))
            return None
        if action == "garbage":
            self.outgoing[stream] = memoryview(bytes(self.outgoing[stream]) + b"HTTP/1.1 400 Bad Request")
            return None
        if action == "other-repository":
            WORLD.secret = b"another key, another repository."
            raise Closed()
        answers = session.answer(kind, body)
        if action == "lost":
            return None
        if action == "cut-after":
            raise Closed()
        if action == "rst-after":
            return self.abort(stream)
        if action == "wrong-id":
            request_id += 1000
        if action == "wrong-kind":
            answers = [(19, b"")]
        if action == "wrong-hash":
            answers = [(13, field(1, "00112233445566778899aabbccddeeff"))]
        for _ in range(2 if action == "twice" else 1):
            for index, (answer, content) in enumerate(answers):
                self.send(stream, request_id, answer, content, index + 1 < len(answers))

    def send(self, stream, request_id, number, body, more):
        content = field(1, request_id) + field(3, more) + message(number, body)
        self.outgoing[stream] = memoryview(bytes(self.outgoing[stream]) + b"\0" + struct.pack(">I", len(content)) + content)

    def abort(self, stream):
        self.sessions.pop(stream, None)
        self.outgoing.pop(stream, None)
        self.http.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)

    def end(self, stream, trailers):
        self.sessions.pop(stream, None)
        self.unfinished.add(stream)
        self.ending[stream] = trailers

    def push(self):
        for stream, data in list(self.outgoing.items()):
            try:
                while data:
                    room = min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size, len(data))
                    if room <= 0:
                        break
                    self.http.send_data(stream, bytes(data[:room]))
                    data = self.outgoing[stream] = data[room:]
                    self.flush()
                if not data and stream in self.ending:
                    trailers = self.ending.pop(stream)
                    if trailers is None:
                        self.http.end_stream(stream)
                    else:
                        self.http.send_headers(stream, trailers, end_stream=True)
                    if stream in self.unfinished:
                        # As grpc-go does, so that the client stops sending.
                        self.unfinished.discard(stream)
                        self.http.reset_stream(stream, h2.errors.ErrorCodes.NO_ERROR)
                    self.outgoing.pop(stream, None)
            except h2.exceptions.StreamClosedError:
                self.outgoing.pop(stream, None)


def serve(peer, tls):
    try:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = tls.wrap_socket(peer, server_side=True)
        Connection(peer).run()
    except (OSError, Closed, h2.exceptions.ProtocolError):
        pass
    finally:
        peer.close()


def control(peer):
    with peer, peer.makefile("rw") as lines:
        for line in lines:
            command = json.loads(line)
            with WORLD.lock:
                if command.get("reset"):
                    WORLD.reset()
                WORLD.faults += command.get("faults", [])
                if "seed" in command:
                    name = "%032x" % (0xabc000 + len(WORLD.manifests))
                    WORLD.clock += 1000
                    WORLD.manifests[name] = {"labels": command["seed"]["labels"],
                                             "json": command["seed"]["json"].encode(), "time": WORLD.clock}
                if command.get("mark-deleted"):
                    WORLD.deleted = set(WORLD.contents)
                if command.get("damage"):
                    for name in WORLD.contents:
                        WORLD.contents[name] = b"damaged"
                answer = {
                    "contents": {name: len(data) for name, data in WORLD.contents.items()},
                    "manifests": {name: {"labels": entry["labels"], "json": entry["json"].decode()}
                                  for name, entry in WORLD.manifests.items()},
                    "counts": WORLD.counts, "sessions": WORLD.sessions, "flushes": WORLD.flushes,
                    "uploads": WORLD.uploads, "questions": WORLD.questions, "faultsLeft": len(WORLD.faults),
                }
            lines.write(json.dumps(answer) + "\n")
            lines.flush()


def listen(handler, *arguments):
    server = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            peer, _ = server.accept()
            threading.Thread(target=handler, args=(peer, *arguments), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]


def main():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[1], sys.argv[2])
    tls.set_alpn_protocols(["h2"])
    print("PORTS", listen(serve, tls), listen(control), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
