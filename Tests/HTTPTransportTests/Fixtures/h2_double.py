"""An HTTP/2 server for tests of two-way streams, on the hyper-h2 library.

    h2_double.py CERTIFICATE KEY    prints "PORTS <plain> <TLS>" when it listens on 127.0.0.1

What it does depends on the path of the request:
  /echo    answers at once, sends back each piece as it comes, ends with the trailers grpc-status and x-bytes
  /refuse  answers with trailers only (grpc-status 7) and reads nothing of the request
  /early   answers with five bytes and ends its side at once
  /message/N   answers "ok" whenever N bytes came, and reads slowly
  /stall   answers, and never gives the client room to send more than the first window
  /reset   answers, and resets the stream after the first piece
  /goaway  answers, and closes the connection after the first piece
  /flood   sends 8 MiB, then the trailer grpc-status
"""
import socket
import ssl
import sys
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions


class Connection:
    def __init__(self, peer):
        self.peer = peer
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.paths, self.pending, self.received, self.ending = {}, {}, {}, set()

    def run(self):
        self.http.initiate_connection()
        self.flush()
        while True:
            data = self.peer.recv(65536)
            if not data:
                return
            for event in self.http.receive_data(data):
                if self.handle(event):
                    self.flush()
                    return
            self.push()
            self.flush()

    def flush(self):
        self.peer.sendall(self.http.data_to_send())

    def handle(self, event):
        if isinstance(event, h2.events.RequestReceived):
            path = dict(event.headers)[":path"]
            self.paths[event.stream_id] = path
            self.pending[event.stream_id] = memoryview(b"")
            self.received[event.stream_id] = 0
            if path == "/refuse":
                self.http.send_headers(event.stream_id, [(":status", "200"), ("content-type", "application/grpc"),
                                                         ("grpc-status", "7"), ("grpc-message", "no")], end_stream=True)
            else:
                self.http.send_headers(event.stream_id, [(":status", "200"), ("content-type", "application/grpc")])
            if path == "/early":
                self.http.send_data(event.stream_id, b"early", end_stream=True)
            if path == "/flood":
                self.pending[event.stream_id] = memoryview(b"f" * (8 << 20))
                self.ending.add(event.stream_id)
        elif isinstance(event, h2.events.DataReceived):
            path = self.paths[event.stream_id]
            self.received[event.stream_id] += len(event.data)
            if path == "/reset":
                self.http.reset_stream(event.stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
                return False
            if path == "/goaway":
                return True
            if path != "/stall" and event.flow_controlled_length:
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if path.startswith("/message/"):
                time.sleep(0.002)
                size = int(path[9:])
                answers = self.received[event.stream_id] // size - (self.received[event.stream_id] - len(event.data)) // size
                if answers:
                    self.http.send_data(event.stream_id, b"ok" * answers)
            if path == "/echo":
                self.pending[event.stream_id] = memoryview(bytes(self.pending[event.stream_id]) + event.data)
        elif isinstance(event, h2.events.StreamEnded):
            if self.paths.get(event.stream_id) == "/echo":
                self.ending.add(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.pending.pop(event.stream_id, None)
            self.ending.discard(event.stream_id)
        return isinstance(event, h2.events.ConnectionTerminated)

    def push(self):
        for stream, data in list(self.pending.items()):
            try:
                while data:
                    # A view moves its start; a byte array would move all bytes.
                    room = min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size, len(data))
                    if room <= 0:
                        break
                    self.http.send_data(stream, bytes(data[:room]))
                    data = self.pending[stream] = data[room:]
                    self.flush()
                if not data and stream in self.ending:
                    self.http.send_headers(stream, [("grpc-status", "0"), ("x-bytes", str(self.received[stream]))],
                                           end_stream=True)
                    self.ending.discard(stream)
                    del self.pending[stream]
            except h2.exceptions.StreamClosedError:
                self.pending.pop(stream, None)


def serve(peer, tls):
    try:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            peer = tls.wrap_socket(peer, server_side=True)
        Connection(peer).run()
    except (OSError, h2.exceptions.ProtocolError):
        pass
    finally:
        peer.close()


def listen():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    return listener


def accept(listener, tls):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], tls), daemon=True).start()


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
context.set_alpn_protocols(["h2"])
plain, secure = listen(), listen()
print("PORTS %d %d" % (plain.getsockname()[1], secure.getsockname()[1]), flush=True)
threading.Thread(target=accept, args=(plain, None), daemon=True).start()
accept(secure, context)
