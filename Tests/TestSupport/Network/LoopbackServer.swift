internal import BlockingIO
internal import Glibc
internal import Synchronization

/// A TCP server on 127.0.0.1 and a free port, one thread a connection, that does exactly what its handler says: also what
/// no proper server does.
///
/// Ends with the last reference: the listening socket closes, connections end when their handlers return.
public final class LoopbackServer: Sendable {
    public let port: Int
    private let listener: Int32

    /// - Parameter handler: gets each connection and its number, counted from 0. What it throws ends the connection.
    public init(_ handler: @escaping @Sendable (ServerConnection, Int) throws -> Void) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = Loopback.address(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        guard listener >= 0, isBound else {
            throw TestSupportError("could not listen on 127.0.0.1: \(String(cString: strerror(errno)))")
        }
        self.listener = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        let counter = Counter()
        startThread {
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else {
                    if errno == EINTR || errno == ECONNABORTED { continue }
                    close(listener)
                    return
                }
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                let number = counter.next()
                startThread {
                    let connection = ServerConnection(descriptor)
                    try? handler(connection, number)
                    connection.close()
                }
            }
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    private final class Counter: Sendable {
        private let value = Mutex(0)
        func next() -> Int {
            value.withLock { value in
                defer { value += 1 }
                return value
            }
        }
    }
}

enum Loopback {
    static func address(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port)).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        return address
    }

    /// Nil when nobody listens.
    static func connect(port: Int) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = address(port: port)
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if isConnected { return descriptor }
        if descriptor >= 0 { close(descriptor) }
        return nil
    }
}

/// A port nobody listens on: bound once and given back.
public func unusedPort() throws -> Int {
    let server = try LoopbackServer { _, _ in }
    return server.port
}

public func isListening(port: Int) -> Bool {
    guard let descriptor = Loopback.connect(port: port) else { return false }
    close(descriptor)
    return true
}

/// The server's end of a connection, for one thread. Calls block.
public final class ServerConnection {
    private var descriptor: Int32
    private var pending: [UInt8] = []
    var descriptorForShutdown: Int32 { descriptor }

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close() }

    public func close() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }

    /// Ends the connection with a TCP reset instead of an orderly end.
    public func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Empty at the end.
    public func read(upTo count: Int = 65_536) throws -> [UInt8] {
        if !pending.isEmpty {
            defer { pending = [] }
            return pending
        }
        var buffer = [UInt8](repeating: 0, count: count)
        let received = recv(descriptor, &buffer, count, 0)
        guard received >= 0 else { throw TestSupportError("recv: \(String(cString: strerror(errno)))") }
        return Array(buffer[0..<received])
    }

    public func write(_ bytes: some Sequence<UInt8>) throws {
        let bytes = Array(bytes)
        var sent = 0
        while sent < bytes.count {
            let step = bytes.withUnsafeBytes { buffer in
                send(descriptor, buffer.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard step > 0 else { throw TestSupportError("send: \(String(cString: strerror(errno)))") }
            sent += step
        }
    }

    public func write(_ text: String) throws { try write(text.utf8) }

    // MARK: HTTP/1.1

    public struct Request: Sendable {
        public let method: String
        /// Path and query as sent.
        public let target: String
        public let fields: [(name: String, value: String)]

        public func field(_ name: String) -> String? {
            fields.first { $0.name.lowercased() == name.lowercased() }?.value
        }
    }

    /// The head of the next request; nil at the end of the connection.
    public func readHead() throws -> Request? {
        var lines: [String] = []
        while true {
            guard let line = try readLine() else {
                if lines.isEmpty { return nil }
                throw TestSupportError("the connection ended inside a request's head")
            }
            if line.isEmpty { break }
            lines.append(line)
        }
        let parts = (lines.first ?? "").split(separator: " ")
        guard parts.count == 3 else { throw TestSupportError("not a request line: \(lines)") }
        let fields = lines.dropFirst().map { line in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            return (name: String(line[..<colon]), value: String(line[colon...].dropFirst().drop { $0 == " " }))
        }
        return Request(method: String(parts[0]), target: String(parts[1]), fields: fields)
    }

    /// The whole body, by length or chunked.
    public func readBody(_ request: Request) throws -> [UInt8] {
        if request.field("Transfer-Encoding") == "chunked" {
            var body: [UInt8] = []
            while let line = try readLine(), let size = Int(line, radix: 16) {
                body.append(contentsOf: try readExactly(size))
                _ = try readLine()
                if size == 0 { break }
            }
            return body
        }
        return try readExactly(request.field("Content-Length").flatMap { Int($0) } ?? 0)
    }

    public func readExactly(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            let piece = try read()
            guard !piece.isEmpty else {
                throw TestSupportError("the connection ended \(count - bytes.count) bytes early")
            }
            let wanted = min(piece.count, count - bytes.count)
            bytes.append(contentsOf: piece[0..<wanted])
            pending = Array(piece[wanted...])
        }
        return bytes
    }

    /// Without its CRLF; nil at the end.
    private func readLine() throws -> String? {
        var line: [UInt8] = []
        while true {
            let piece = try read()
            guard !piece.isEmpty else { return nil }
            if let end = piece.firstIndex(of: 0x0a) {
                line.append(contentsOf: piece[..<end])
                pending = Array(piece[(end + 1)...])
                if line.last == 0x0d { line.removeLast() }
                return String(decoding: line, as: UTF8.self)
            }
            line.append(contentsOf: piece)
        }
    }

    public func respond(_ status: Int, fields: [String] = [], body: [UInt8] = []) throws {
        var head = "HTTP/1.1 \(status) Status\r\n"
        for field in fields { head += field + "\r\n" }
        head += "Content-Length: \(body.count)\r\n\r\n"
        try write(Array(head.utf8) + body)
    }
}
