public import GoFormats
public import HTTPTransport
internal import KopiaBlob

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

    func client() throws(BlobError) -> HTTPClient {
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
