/// How a client connects. One value for all its requests, so that connections can be reused safely.
public struct HTTPClientConfiguration: Sendable {
    /// Which server certificates are accepted.
    public enum Trust: Sendable, Hashable {
        /// Those of the system's authorities; `caCertificates` are PEM and replace the system's when given.
        case authorities(caCertificates: [UInt8]? = nil)
        /// Exactly the one with this SHA-256 of its DER form (32 bytes), whatever else it says.
        case pinned(sha256: [UInt8])
        /// Any. Encrypts, but anybody in between can read along.
        case anything
    }

    public enum Proxy: Sendable, Hashable {
        /// `https_proxy`, `http_proxy`, `all_proxy`, `no_proxy`, as libcurl reads them.
        case environment
        case none
    }

    /// Which protocol versions are spoken.
    public enum Versions: Sendable, Hashable {
        /// HTTP/2 over TLS where the server offers it, else HTTP/1.1.
        case negotiated
        case http1
        /// HTTP/2; what gRPC servers speak. With TLS it is negotiated, and the head of a response says what came out;
        /// without TLS it starts with the first byte, on a connection of its own for each request.
        case http2
    }

    /// Below this many bytes a second, both directions together, over this long, a transfer has failed. Time during
    /// which we are the ones who make it wait does not count.
    public struct LowSpeed: Sendable, Hashable {
        public var bytesPerSecond: Int64
        public var window: Duration

        public init(bytesPerSecond: Int64, window: Duration) {
            self.bytesPerSecond = bytesPerSecond
            self.window = window
        }
    }

    public var trust = Trust.authorities()
    public var proxy = Proxy.environment
    public var versions = Versions.negotiated
    /// Name resolution, connection and TLS handshake together.
    public var connectTimeout: Duration = .seconds(30)
    /// Nil for streams that may rest.
    public var lowSpeed: LowSpeed? = LowSpeed(bytesPerSecond: 1, window: .seconds(60))
    /// More requests than this wait for one of them to end.
    public var requestsMax = 32
    /// What a request that is streamed may hold of a response that nobody reads.
    public var receiveBufferBytes = 1 << 20
    public var userAgent = "karaffe"

    public init() {}
}
