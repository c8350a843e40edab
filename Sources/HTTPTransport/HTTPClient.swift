/// Sends HTTP requests over connections it keeps and reuses.
///
/// Nothing is followed, decompressed or tried again here: a redirect or an error status is a response like any other.
///
/// Concurrency and memory: may be used by any number of tasks; `requestsMax` requests are on the way at a time, the others
/// wait in order. One thread moves the bytes of all of them. A request sent as a stream holds at most one chunk besides the
/// one on its way, plus libcurl's 2 MiB; a response read as a stream at most `receiveBufferBytes`. Cancelling the task
/// closes the connection of its request at once. The connections close when the client is released.
///
/// Source: libcurl's documentation; `Engine/TransferLoop.swift`.
public final class HTTPClient: Sendable {
    private let loop: TransferLoop
    private let configuration: HTTPClientConfiguration

    /// - Throws: `HTTPError.Code.invalidRequest` when the configuration cannot work.
    public init(_ configuration: HTTPClientConfiguration = HTTPClientConfiguration()) throws(HTTPError) {
        if case .pinned(let digest) = configuration.trust, digest.count != 32 {
            throw HTTPError(
                .invalidRequest, "a certificate fingerprint has 32 bytes (SHA-256); the one given has \(digest.count)")
        }
        self.configuration = configuration
        loop = TransferLoop(configuration)
    }

    deinit { loop.close() }

    /// Sends a request and collects the response.
    ///
    /// - Parameter bodyLimit: bytes; a longer response is an error.
    /// - Throws: `HTTPError`, whatever the body's producer throws, or `CancellationError`.
    public func execute(_ request: HTTPRequest, bodyLimit: Int) async throws -> HTTPResponse {
        let exchange = Exchange(request, .whole(limit: bodyLimit))
        return try await running(exchange) { try await exchange.whole() }
    }

    /// Sends a request and reads the response piece by piece. The connection is held back while `body` is slow, and closed
    /// when `body` returns before the end.
    ///
    /// - Throws: `HTTPError`, whatever `body` or the request body's producer throws, or `CancellationError`.
    public func withResponse<Result>(
        to request: HTTPRequest, _ body: (HTTPResponseHead, HTTPResponseBody) async throws -> Result
    ) async throws -> Result {
        let exchange = Exchange(request, .streamed(limit: configuration.receiveBufferBytes))
        return try await running(exchange) {
            try await body(try await exchange.head(), HTTPResponseBody(exchange))
        }
    }

    /// Opens a request that sends and receives at the same time, as gRPC does over HTTP/2; the request's own body is
    /// ignored. The stream is reset when `body` returns before its end.
    ///
    /// - Throws: `HTTPError`, whatever `body` throws, or `CancellationError`.
    public func withStream<Result>(
        _ request: HTTPRequest, _ body: (HTTPStream) async throws -> Result
    ) async throws -> Result {
        var request = request
        // The producer is never called: `HTTPStream` offers the chunks itself.
        request.body = .stream(length: nil, next: { nil })
        let exchange = Exchange(request, .streamed(limit: configuration.receiveBufferBytes))
        loop.start(exchange)
        defer { exchange.abort(CancellationError()) }
        return try await body(HTTPStream(exchange))
    }

    private func running<Result>(_ exchange: Exchange, _ body: () async throws -> Result) async throws -> Result {
        defer { exchange.abort(CancellationError()) }
        guard case .stream(let length, let next) = exchange.request.body else {
            loop.start(exchange)
            return try await body()
        }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            loop.start(exchange)
            group.addTask { await Self.send(next, length, exchange) }
            return try await body()
        }
    }

    /// Moves chunks from the producer to the exchange. A failure becomes the exchange's.
    @concurrent private static func send(
        _ next: @Sendable () async throws -> [UInt8]?, _ length: Int64?, _ exchange: Exchange
    ) async {
        do {
            var sent: Int64 = 0
            func mismatch(_ count: String) -> HTTPError {
                HTTPError(
                    .invalidRequest,
                    "\(exchange.request.method) \(exchange.request.url): the body has \(count) bytes; \(length ?? 0) were announced"
                )
            }
            while let chunk = try await next() {
                sent += Int64(chunk.count)
                if let length, sent > length { throw mismatch("at least \(sent)") }
                try await exchange.send([chunk])
            }
            if let length, sent < length { throw mismatch("\(sent)") }
            exchange.finishSending()
        } catch {
            exchange.abort(error)
        }
    }
}

/// The rest of a response, in order. For one task; ends with the closure it was given to.
public struct HTTPResponseBody: Sendable {
    private let exchange: Exchange

    init(_ exchange: Exchange) { self.exchange = exchange }

    /// The next bytes, never empty; nil after the last.
    ///
    /// - Throws: `HTTPError`, or `CancellationError`.
    public func next() async throws -> [UInt8]? { try await exchange.receive() }

    /// Everything that is left.
    ///
    /// - Throws: `HTTPError.Code.tooLarge` when it is more than `limit` bytes.
    public func collect(limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let chunk = try await next() {
            guard bytes.count + chunk.count <= limit else {
                throw HTTPError(
                    .tooLarge,
                    "\(exchange.request.method) \(exchange.request.url): the response is larger than \(limit) bytes")
            }
            bytes.append(contentsOf: chunk)
        }
        return bytes
    }
}

/// A request and its response at the same time. One task may send while another receives.
public struct HTTPStream: Sendable {
    private let exchange: Exchange

    init(_ exchange: Exchange) { self.exchange = exchange }

    /// Returns when the chunk before this one is on its way. After the end of the response it does nothing.
    ///
    /// - Throws: `HTTPError`, or `CancellationError`.
    public func send(_ bytes: [UInt8]) async throws { try await exchange.send([bytes]) }

    /// The same for bytes that lie in several places: they go out as one, without being put together first.
    ///
    /// - Throws: as `send(_ bytes:)`.
    public func send(parts: [[UInt8]]) async throws { try await exchange.send(parts) }

    /// Ends our side; the response may go on.
    public func finishSending() { exchange.finishSending() }

    /// Status and header fields, as soon as they are there.
    public func head() async throws -> HTTPResponseHead { try await exchange.head() }

    /// The next bytes, never empty; nil after the last.
    public func receive() async throws -> [UInt8]? { try await exchange.receive() }

    /// The fields after the body; complete once `receive` gave nil.
    public var trailers: HTTPHeaders { exchange.trailers }
}
