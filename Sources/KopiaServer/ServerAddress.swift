internal import Digests
internal import GoFormats
package import HTTPTransport

/// Where a repository server is and which certificate it must show. Prints without anything secret: a fingerprint is not.
public struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
    let host: String
    let port: Int?
    /// SHA-256 of the certificate's DER form; nil trusts the system's authorities.
    public let fingerprint: [UInt8]?
    /// PEM; trusted instead of the system's authorities where no certificate is pinned.
    public var caCertificates: [UInt8]?

    /// - Parameters:
    ///   - endpoint: `https://host:port` as a Kanister profile has it; `kopia://` is the same, and so is no scheme.
    ///   - certificate: PEM, as a Kanister profile's `Cert`; the first certificate counts. Nil or empty: the server's
    ///     certificate must be issued by an authority this machine trusts.
    /// - Throws: `ServerError.Code.invalidAddress`.
    public init(endpoint: String, certificate: String?) throws(ServerError) {
        (host, port) = try Self.hostAndPort(endpoint)
        guard let certificate, !certificate.isEmpty else {
            fingerprint = nil
            return
        }
        fingerprint = try Self.fingerprint(ofPEM: certificate)
    }

    /// - Parameter fingerprint: 64 hex digits in either case, with or without colons.
    /// - Throws: `ServerError.Code.invalidAddress`.
    public init(endpoint: String, fingerprint: String?) throws(ServerError) {
        (host, port) = try Self.hostAndPort(endpoint)
        guard let fingerprint else {
            self.fingerprint = nil
            return
        }
        guard let bytes = Hex.decode(fingerprint.utf8.filter { $0 != UInt8(ascii: ":") }), bytes.count == 32 else {
            throw ServerError(
                .invalidAddress, "the certificate fingerprint '\(fingerprint)' is not a SHA-256",
                hint: "it has 64 hex digits; 'kopia server start' prints it as SERVER CERT SHA256")
        }
        self.fingerprint = bytes
    }

    public var description: String { "repository server \(authority)" }

    /// `host:port` or `host`.
    public var authority: String { port.map { "\(host):\($0)" } ?? host }

    /// Lower-case hex; nil without.
    public var fingerprintText: String? { fingerprint.map { Hex.encode($0) } }

    var sessionURL: HTTPURL {
        HTTPURL(scheme: .https, host: host, port: port, path: "/kopia_repository.KopiaRepository/Session")
    }

    var trust: HTTPClientConfiguration.Trust {
        fingerprint.map { .pinned(sha256: $0) } ?? .authorities(caCertificates: caCertificates)
    }

    private static func hostAndPort(_ endpoint: String) throws(ServerError) -> (String, Int?) {
        func invalid(_ reason: String, _ hint: String = "it is written https://host:51515") -> ServerError {
            ServerError(.invalidAddress, "the address of the repository server '\(endpoint)' \(reason)", hint: hint)
        }
        guard !endpoint.isEmpty else { throw invalid("is empty") }
        var rest = endpoint[...]
        if let colon = endpoint.firstIndex(of: ":"), endpoint[colon...].hasPrefix("://") {
            rest = endpoint[colon...].dropFirst(3)
            switch endpoint[..<colon].lowercased() {
            case "https", "kopia": break
            case "http":
                throw invalid("has no TLS", "kopia's repository protocol needs it: start the server with --tls-…")
            case "unix+https": throw invalid("is a local socket, which is not supported")
            default: throw invalid("has an unknown scheme")
            }
        }
        let url: HTTPURL
        do throws(HTTPError) { url = try HTTPURL("https://\(rest)") } catch {
            throw invalid("is not a host and a port")
        }
        guard url.path == "/", url.query == nil else { throw invalid("has a path or a query") }
        return (url.host, url.port)
    }

    private static func fingerprint(ofPEM text: String) throws(ServerError) -> [UInt8] {
        let begin = "-----BEGIN CERTIFICATE-----"
        let end = "-----END CERTIFICATE-----"
        var lines = text.split(whereSeparator: \.isNewline).map { line in
            String(line.drop { $0 == " " }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
        }[...]
        lines = lines.drop { $0 != begin }.dropFirst()
        let body = lines.prefix { $0 != end }
        guard !body.isEmpty, body.endIndex < lines.endIndex, let der = Base64.decode(body.joined()),
            // A certificate is an ASN.1 sequence.
            der.first == 0x30, let digest = try? Digest.sha256(der)
        else {
            throw ServerError(
                .invalidAddress, "the certificate of the repository server is no PEM certificate",
                hint: "it begins with \(begin); in a Kanister profile it is Credential.KopiaServerSecret.Cert")
        }
        return digest
    }
}

/// Who asks a server. Prints without the password.
public struct ServerCredentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public let userName: String
    public let host: String
    private let password: String

    /// - Throws: `ServerError.Code.invalidAddress` for what cannot be a header field: gRPC takes printable ASCII only.
    public init(userName: String, host: String, password: String) throws(ServerError) {
        for (what, value) in [("user name", userName), ("host name", host), ("password", password)] {
            let isPrintable = value.utf8.allSatisfy { (0x20...0x7e).contains($0) }
            guard isPrintable, !value.isEmpty, !value.hasPrefix(" "), !value.hasSuffix(" ") else {
                throw ServerError(
                    .invalidAddress,
                    value.isEmpty
                        ? "the \(what) for the repository server is empty"
                        : "the \(what) for the repository server has characters that gRPC cannot carry",
                    hint: "printable ASCII without spaces at the ends; give the server's user another one")
            }
        }
        self.userName = userName
        self.host = host
        self.password = password
    }

    public var description: String { "\(userName)@\(host)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Source: kopia `repo/grpc_repository_client.go`, `grpcCreds`.
    var metadata: HTTPHeaders {
        [
            "content-type": "application/grpc", "te": "trailers", "kopia-username": userName,
            "kopia-hostname": host, "kopia-password": password, "kopia-version": "karaffe",
        ]
    }
}

/// How a connection behaves.
public struct ServerOptions: Sendable {
    /// For the server's log.
    public var purpose = "karaffe"
    /// The server does not enforce it.
    public var isReadOnly = true
    /// Hears why a session ended that is about to be opened again, and nil when one is open. Called from any task.
    public var onTrouble: (@Sendable (String?) -> Void)?
    package var session = SessionState.Limits()
    package var journal = WriteJournal.Limits()
    /// Groups of requests out that read, each of at most `ServerConnection.groupMax`; more gain nothing.
    package var readsMax = 16
    package var connectTimeout: Duration = .seconds(30)
    /// Until the first session: about a minute.
    package var connecting = RetryPolicy(attemptsMax: 15, delayMax: .seconds(15))
    /// After a session broke: about eight minutes, in which a server can be started again.
    package var reconnecting = RetryPolicy(attemptsMax: 45, delayMax: .seconds(15))
    /// For the server's word that a session has ended well.
    package var closeTimeout: Duration = .seconds(10)

    public init() {}

    /// How long a server that owes something may say nothing at all.
    public var silenceMax: Duration {
        get { session.silenceTimeout }
        set {
            session.silenceTimeout = newValue
            session.probeInterval = min(session.probeInterval, newValue / 4)
            connectTimeout = min(connectTimeout, max(newValue, .seconds(5)))
        }
    }
}
