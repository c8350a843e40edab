internal import GoFormats
internal import HTTPTransport
internal import KopiaBlob
internal import Synchronization

/// Sends requests to a storage service, again where that makes sense, and turns every way to fail into a `BlobError`.
struct CloudService: Sendable {
    /// A blob is never larger; what kopia writes is far below. Bounds what an answer can make us hold.
    static let blobBytesMax = 1 << 30
    /// Lists and error messages.
    static let documentBytesMax = 16 << 20

    let client: HTTPClient
    let environment: CloudEnvironment
    private let acquaintance = Acquaintance()

    init(client: HTTPClient, environment: CloudEnvironment) {
        self.client = client
        self.environment = environment
    }

    /// Whether the service has given an answer that means something, and was not given up since. Shared by all copies.
    private final class Acquaintance: Sendable {
        let isMade = Atomic(false)
    }

    /// How often a request is tried that begins now.
    var retry: RetryPolicy {
        acquaintance.isMade.load(ordering: .relaxed) ? environment.reconnecting : environment.connecting
    }

    /// The service is there, and had more to say than that it cannot now.
    func answered() {
        acquaintance.isMade.store(true, ordering: .relaxed)
        environment.onTrouble?(nil)
    }

    /// A request was tried in vain as often as the policy says. Until the service answers again it is as one that never did:
    /// what is left to do, such as removing what was begun, does not wait as long once more.
    func gaveUp() { acquaintance.isMade.store(false, ordering: .relaxed) }

    /// What an operation is about, for messages.
    struct Subject: Sendable {
        let blob: BlobID?
        /// Completes "could not …".
        let action: String
    }

    /// A failed attempt.
    struct Failure: Error {
        let error: BlobError
        var retryAfter: Duration?
    }

    /// - Parameters:
    ///   - prepare: makes the request anew for each attempt: signatures hold the time.
    ///   - interpret: what the answer means; throws `Failure`.
    func send<Result>(
        _ subject: Subject, bodyLimit: Int, prepare: () async throws -> HTTPRequest,
        interpret: (HTTPResponse) throws(Failure) -> Result
    ) async throws -> Result {
        do {
            return try await retry.run(
                environment.retryEnvironment,
                judge: { error in
                    guard let failure = error as? Failure, failure.error.isTransient else { return .permanent }
                    environment.onTrouble?(failure.error.message)
                    return .transient(after: failure.retryAfter)
                }
            ) { _ in
                let request = try await prepare()
                do {
                    let response = try await client.execute(request, bodyLimit: bodyLimit)
                    defer { if !RetryPolicy.isTransient(status: response.status) { answered() } }
                    return try interpret(response)
                } catch let error as HTTPError {
                    throw Failure(error: Self.blobError(error, subject))
                }
            }
        } catch let failure as Failure {
            if failure.error.isTransient { gaveUp() }
            throw failure.error
        }
    }

    static func blobError(_ error: HTTPError, _ subject: Subject) -> BlobError {
        let code: BlobError.Code =
            switch error.code {
            case .certificate, .tls, .invalidRequest: .invalidStorage
            default: .io
            }
        let hint =
            error.code == .certificate
            ? "an authority of your own is named by SSL_CERT_FILE, or by ca= in the address; also check the host name and this machine's clock"
            : error.hint
        return BlobError(
            code, blob: subject.blob, "could not \(subject.action): \(error.message)", hint: hint,
            isTransient: error.isTransient)
    }

    /// What the server asks to wait, when it says so in seconds.
    static func retryAfter(_ response: HTTPResponse) -> Duration? {
        guard let text = response.headers["Retry-After"], let seconds = Int(text), (0...86_400).contains(seconds) else {
            return nil
        }
        return .seconds(seconds)
    }
}

/// A range of a blob as a header field, and what came back for it.
enum ByteRange {
    /// `bytes=first-last`; nil for the whole blob.
    static func field(_ range: Range<Int64>?) -> String? {
        range.map { "bytes=\($0.lowerBound)-\($0.upperBound - 1)" }
    }

    /// `bytes 0-4/10`: the 10. Nil when the service does not say.
    static func total(_ response: HTTPResponse) -> Int64? {
        guard let field = response.headers["Content-Range"], let slash = field.lastIndex(of: "/") else { return nil }
        return Int64(field[slash...].dropFirst())
    }

    static func invalid(_ id: BlobID, _ range: Range<Int64>, length: Int64?) -> BlobError {
        BlobError(
            .invalidRange, blob: id,
            "blob '\(id)' has \(length.map { "\($0)" } ?? "fewer") bytes; bytes \(range.lowerBound) to \(range.upperBound) were asked for"
        )
    }

    /// Checks that exactly the range came back. A service that ignores ranges sends everything; rclone's sends the
    /// range, but with status 200.
    static func bytes(
        _ response: HTTPResponse, _ id: BlobID, _ range: Range<Int64>?
    ) throws(BlobError) -> [UInt8] {
        guard let range else { return response.body }
        if response.status == 206 || response.headers["Content-Range"] != nil {
            guard response.body.count == range.count else { throw invalid(id, range, length: total(response)) }
            return response.body
        }
        guard range.upperBound <= response.body.count else {
            throw invalid(id, range, length: Int64(response.body.count))
        }
        return Array(response.body[Int(range.lowerBound)..<Int(range.upperBound)])
    }
}
