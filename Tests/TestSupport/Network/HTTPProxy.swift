internal import GoFormats
internal import Synchronization

/// An HTTP proxy on 127.0.0.1: tunnels by CONNECT, and passes plain requests on. Every host name leads to 127.0.0.1, so that
/// tests need no names of their own.
public final class HTTPProxy: Sendable {
    private final class Seen: Sendable {
        let requests = Mutex<[String]>([])
    }

    private let server: LoopbackServer
    private let seen = Seen()

    public var port: Int { server.port }
    /// What was asked for, for example `CONNECT storage.example.com:443` or `GET http://storage.example.com:9000/bucket`.
    public var requests: [String] { seen.requests.withLock { $0 } }

    /// - Parameters:
    ///   - password: of user `proxy`, which clients must name; nil lets everybody in.
    ///   - refusal: a status for every request.
    public init(password: String? = nil, refusal: Int? = nil) throws {
        let seen = seen
        server = try LoopbackServer { client, _ in
            guard let request = try client.readHead() else { return }
            seen.requests.withLock { $0.append("\(request.method) \(request.target)") }
            if let refusal { return try client.respond(refusal, fields: ["Connection: close"]) }
            if let password {
                let expected = "Basic \(Base64.encode(Array("proxy:\(password)".utf8)))"
                guard request.field("Proxy-Authorization") == expected else {
                    return try client.respond(407, fields: ["Proxy-Authenticate: Basic", "Connection: close"])
                }
            }
            if request.method == "CONNECT" {
                guard let port = Int(request.target.split(separator: ":").last ?? "") else { return }
                try client.write("HTTP/1.1 200 Connection established\r\n\r\n")
                return try FaultProxy.relay(client, to: port, .none)
            }
            try Self.pass(request, client)
        }
    }

    /// One request a connection.
    private static func pass(_ request: ServerConnection.Request, _ client: ServerConnection) throws {
        let rest = request.target.dropFirst("http://".count)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        guard let port = Int(rest[..<slash].split(separator: ":").last ?? "") else { return }
        let body = try client.readBody(request)
        guard let descriptor = Loopback.connect(port: port) else { return try client.respond(502) }
        let upstream = ServerConnection(descriptor)
        let fields = request.fields.filter {
            !["proxy-authorization", "proxy-connection", "connection"].contains($0.name.lowercased())
        }
        let head = (["\(request.method) \(rest[slash...]) HTTP/1.1"] + fields.map { "\($0.name): \($0.value)" })
            .map { $0 + "\r\n" }.joined()
        try upstream.write(Array((head + "Connection: close\r\n\r\n").utf8) + body)
        while case let bytes = try upstream.read(), !bytes.isEmpty { try client.write(bytes) }
    }
}
