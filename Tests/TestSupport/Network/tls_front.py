"""TLS in front of servers that speak none.

    tls_front.py CERTIFICATE KEY PORT [CERTIFICATE KEY PORT ...]

Prints "PORTS <port> ..." when it listens on 127.0.0.1, one for each certificate; what comes in there goes to PORT.
"""
import socket
import ssl
import sys
import threading


def move(source, target):
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
    except (OSError, ssl.SSLError):
        pass
    finally:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(peer, tls, port):
    try:
        peer = tls.wrap_socket(peer, server_side=True)
        behind = socket.create_connection(("127.0.0.1", port))
    except (OSError, ssl.SSLError):
        return peer.close()
    threading.Thread(target=move, args=(behind, peer), daemon=True).start()
    move(peer, behind)


def listen(certificate, key, port):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    server = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            peer, _ = server.accept()
            threading.Thread(target=serve, args=(peer, tls, port), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]


fronts = [sys.argv[at:at + 3] for at in range(1, len(sys.argv), 3)]
print("PORTS", *(listen(certificate, key, int(port)) for certificate, key, port in fronts), flush=True)
threading.Event().wait()
