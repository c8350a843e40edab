public import GoFormats
public import HTTPTransport
public import KopiaBlob

/// What a cloud provider needs of the outside besides the network. Tests put their own in.
public struct CloudEnvironment: Sendable {
    public var retry: RetryPolicy
    public var retryEnvironment: RetryPolicy.Environment
    /// Signs requests and dates retention.
    public var clock: @Sendable () -> Timestamp

    public init(
        retry: RetryPolicy = .standard, retryEnvironment: RetryPolicy.Environment = .system,
        clock: @escaping @Sendable () -> Timestamp = { .now() }
    ) {
        self.retry = retry
        self.retryEnvironment = retryEnvironment
        self.clock = clock
    }

    public static let system = CloudEnvironment()
}

/// How to reach a storage service.
public struct CloudConnection: Sendable {
    public var trust: HTTPClientConfiguration.Trust
    public var proxy: HTTPClientConfiguration.Proxy
    /// Blobs on the way at a time, uploads and downloads together.
    public var requestsMax: Int

    public init(
        trust: HTTPClientConfiguration.Trust = .authorities(), proxy: HTTPClientConfiguration.Proxy = .environment,
        requestsMax: Int = 32
    ) {
        self.trust = trust
        self.proxy = proxy
        self.requestsMax = requestsMax
    }

    /// Trusts the authorities in the file `SSL_CERT_FILE` names (PEM) instead of the system's, as Go programs do.
    ///
    /// - Throws: `BlobError.Code.invalidStorage` when it cannot be read.
    public init(environment: [String: String]) throws(BlobError) {
        self.init()
        guard let path = environment["SSL_CERT_FILE"], !path.isEmpty else { return }
        do throws(SmallFile.Failure) { trust = .authorities(caCertificates: try SmallFile.read(path)) } catch {
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
        do throws(HTTPError) {
            return try HTTPClient(configuration)
        } catch {
            throw BlobError(.invalidStorage, error.message, hint: error.hint)
        }
    }
}
