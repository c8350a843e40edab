internal import HTTPTransport
internal import KopiaBlob

/// Sends requests to one bucket or container and knows the service's ways to refuse them.
protocol CloudClient: Sendable {
    /// Completes "check that the endpoint is …".
    static var serviceName: String { get }

    /// The answer for an object that is not there; a bucket or container that is not there is something else.
    static func isMissing(_ response: HTTPResponse) -> Bool

    /// - Parameters:
    ///   - name: of the object; empty for the bucket or container itself.
    ///   - body: its arrays one after another; nil for none. They stay as they are, for every attempt.
    func send<Result>(
        _ subject: CloudService.Subject, _ method: HTTPMethod, _ name: String, query: String?, headers: HTTPHeaders,
        body: [[UInt8]]?, bodyLimit: Int, _ interpret: (HTTPResponse) throws(CloudService.Failure) -> Result
    ) async throws -> Result
}

extension CloudClient {
    static func malformed(_ subject: CloudService.Subject, _ reason: String) -> CloudService.Failure {
        CloudService.Failure(
            error: BlobError(
                .io, blob: subject.blob, "could not \(subject.action): \(reason)",
                hint: "check that the endpoint is \(serviceName)"))
    }
}

/// What the providers of blobs have in common: reading by ranges and versions, and the words for what went wrong.
protocol CloudBlobStorage: LockingBlobStorage {
    associatedtype Client: CloudClient
    var client: Client { get }

    /// Prefix and blob ID.
    func name(_ id: BlobID) -> String
    /// Of a query; nil for the current version.
    static func query(version: String?) -> String?
    func metadata(of id: BlobID, version: String?) async throws -> BlobMetadata
    /// An error answer that says something else than that the blob is missing.
    func refusal(_ response: HTTPResponse, _ subject: CloudService.Subject) -> CloudService.Failure
}

extension CloudBlobStorage {
    func read(_ id: BlobID, version: String?, _ range: Range<Int64>?) async throws -> [UInt8] {
        if let range {
            guard range.lowerBound >= 0 else { throw ByteRange.invalid(id, range, length: nil) }
            // There is no way to ask for no bytes; only the length matters then.
            if range.isEmpty {
                let length = try await metadata(of: id, version: version).length
                guard range.upperBound <= length else { throw ByteRange.invalid(id, range, length: length) }
                return []
            }
        }
        let subject = CloudService.Subject(blob: id, action: "read blob '\(id)' from \(displayName)")
        var headers: HTTPHeaders = [:]
        headers["Range"] = ByteRange.field(range)
        let response = try await send(
            subject, .get, name(id), query: Self.query(version: version), headers: headers,
            bodyLimit: CloudService.blobBytesMax
        ) { response throws(CloudService.Failure) in
            if response.head.isSuccess { return response }
            if response.status == 416, let range {
                throw CloudService.Failure(error: ByteRange.invalid(id, range, length: ByteRange.total(response)))
            }
            throw failure(response, subject)
        }
        return try ByteRange.bytes(response, id, range)
    }

    func send<Result>(
        _ subject: CloudService.Subject, _ method: HTTPMethod, _ name: String, query: String? = nil,
        headers: HTTPHeaders = [:], body: [[UInt8]]? = nil, bodyLimit: Int = CloudService.documentBytesMax,
        _ interpret: (HTTPResponse) throws(CloudService.Failure) -> Result
    ) async throws -> Result {
        try await client.send(
            subject, method, name, query: query, headers: headers, body: body, bodyLimit: bodyLimit, interpret)
    }

    func isMissing(_ response: HTTPResponse) -> Bool { Client.isMissing(response) }

    func failure(_ response: HTTPResponse, _ subject: CloudService.Subject) -> CloudService.Failure {
        guard let blob = subject.blob, isMissing(response) else { return refusal(response, subject) }
        return CloudService.Failure(error: BlobError(.notFound, blob: blob, "blob '\(blob)' is not in \(displayName)"))
    }

    func malformed(_ subject: CloudService.Subject, _ reason: String) -> CloudService.Failure {
        Client.malformed(subject, reason)
    }
}
