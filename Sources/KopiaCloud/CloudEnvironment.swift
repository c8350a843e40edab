public import GoFormats
public import HTTPTransport
public import KopiaBlob

/// What a cloud provider needs of the outside besides the network. Tests put their own in.
public struct CloudEnvironment: Sendable {
    /// For requests to a service that has not answered any yet, and may never: kopia's 10 attempts, 5.6 … 7.5 s of waiting,
    /// of which the last begins within 75 s.
    public var connecting: RetryPolicy
    /// For requests to a service that has answered before: kopia's delays for longer, 19 attempts, 137 … 183 s of waiting. Attempts that
    /// stand still add their own time, `CloudConnection.silenceMax` each.
    public var reconnecting: RetryPolicy
    public var retryEnvironment: RetryPolicy.Environment
    /// Signs requests and dates retention.
    public var clock: @Sendable () -> Timestamp
    /// Hears why a request failed that is about to be tried again, and nil when one succeeded. Called from any task.
    public var onTrouble: (@Sendable (String?) -> Void)?

    public init(
        connecting: RetryPolicy = RetryPolicy(lastBeginMax: .seconds(75)),
        reconnecting: RetryPolicy = RetryPolicy(attemptsMax: 19), retryEnvironment: RetryPolicy.Environment = .system,
        clock: @escaping @Sendable () -> Timestamp = { .now() }, onTrouble: (@Sendable (String?) -> Void)? = nil
    ) {
        self.connecting = connecting
        self.reconnecting = reconnecting
        self.retryEnvironment = retryEnvironment
        self.clock = clock
        self.onTrouble = onTrouble
    }

    public static let system = CloudEnvironment()

    /// What waits between attempts.
    public var sleep: @Sendable (Duration) async throws -> Void {
        get { retryEnvironment.sleep }
        set { retryEnvironment.sleep = newValue }
    }
}

/// How to reach a storage service.
public struct CloudConnection: Sendable {
    public var trust: HTTPClientConfiguration.Trust
    public var proxy: HTTPClientConfiguration.Proxy
    /// Blobs on the way at a time, uploads and downloads together.
    public var requestsMax: Int
    /// A request during which no byte moves for that long has failed, and is tried again.
    public var silenceMax: Duration

    public init(
        trust: HTTPClientConfiguration.Trust = .authorities(), proxy: HTTPClientConfiguration.Proxy = .environment,
        requestsMax: Int = 32, silenceMax: Duration = .seconds(60)
    ) {
        self.trust = trust
        self.proxy = proxy
        self.requestsMax = requestsMax
        self.silenceMax = silenceMax
    }

    /// Trusts the authorities in the file `SSL_CERT_FILE` names (PEM) instead of the system's, as Go programs do.
    ///
    /// - Throws: `BlobError.Code.invalidStorage` when it cannot be read.
    public init(environment: [String: String]) throws(BlobError) {
        self.init()
        trust = .authorities(caCertificates: try Self.authorities(environment: environment))
    }

    /// The file that `SSL_CERT_FILE` names; nil when it is not set.
    ///
    /// - Throws: `BlobError.Code.invalidStorage` when it cannot be read.
    public static func authorities(environment: [String: String]) throws(BlobError) -> [UInt8]? {
        guard let path = environment["SSL_CERT_FILE"], !path.isEmpty else { return nil }
        do throws(SmallFile.Failure) { return try SmallFile.read(path) } catch {
            throw BlobError(.invalidStorage, "the CA file \(error.reason)", hint: "check SSL_CERT_FILE")
        }
    }

    /// Encrypts, but anybody in between can read along: what `SkipSSLVerify` asks for.
    public mutating func trustAnyCertificate() { trust = .anything }

    package func client() throws(BlobError) -> HTTPClient {
        var configuration = HTTPClientConfiguration()
        configuration.trust = trust
        configuration.proxy = proxy
        configuration.requestsMax = requestsMax
        configuration.lowSpeed = .init(bytesPerSecond: 1, window: silenceMax)
        configuration.connectTimeout = min(configuration.connectTimeout, max(silenceMax, .seconds(5)))
        // A connection for each request: over HTTP/2 one that stands still would take all others with it.
        configuration.versions = .http1
        do throws(HTTPError) {
            return try HTTPClient(configuration)
        } catch {
            throw BlobError(.invalidStorage, error.message, hint: error.hint)
        }
    }
}
