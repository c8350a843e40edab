internal import Digests
internal import GoFormats
internal import HTTPTransport
public import KopiaBlob
internal import Synchronization

/// Plain objects of an S3 bucket, or of a Google Cloud Storage bucket through its XML API, which takes the same requests.
///
/// Small objects are one PUT, others a multipart upload; every body has a `Content-MD5` and, where requests are signed, its
/// SHA-256. An upload that fails is aborted.
///
/// Source: Amazon S3 API Reference: PutObject, CreateMultipartUpload, UploadPart, CompleteMultipartUpload,
/// AbortMultipartUpload, GetObject, DeleteObject; Google, "XML API multipart uploads".
public struct S3ObjectStore: ObjectStore {
    private let client: S3Client
    private let plan: PartPlan

    /// Nothing is sent yet. The configuration's prefix is not used.
    ///
    /// - Throws: `BlobError.Code.invalidStorage`, `.accessDenied` when the settings cannot work.
    public init(
        _ configuration: S3Configuration, source: S3CredentialSource, environment: CloudEnvironment = .system
    ) throws(BlobError) {
        try self.init(configuration, source: source, environment: environment, firstPartBytes: nil)
    }

    /// - Parameter firstPartBytes: of the part plan; tests take small ones.
    package init(
        _ configuration: S3Configuration, source: S3CredentialSource, environment: CloudEnvironment,
        firstPartBytes: Int64?
    ) throws(BlobError) {
        client = try S3Client(configuration, source, environment)
        var plan = PartPlan.s3
        if let firstPartBytes { plan.firstPartBytes = firstPartBytes }
        self.plan = plan
    }

    public var displayName: String { "s3://\(client.configuration.bucket)" }

    public func upload(_ name: String, length: Int64?, next: () async throws -> [UInt8]?) async throws -> Int64 {
        let sink = S3PartSink(client: client, name: name, displayName: displayName)
        return try await StreamUpload(plan: plan, sink: sink).run(length: length, next: next)
    }

    public func download(_ name: String, to sink: ([UInt8]) async throws -> Void) async throws {
        let subject = CloudService.Subject(blob: nil, action: "read '\(name)' from \(displayName)")
        let hash = try await client.payloadHash(nil, subject)
        try await ObjectDownload(service: client.service, subject: subject).run(
            prepare: { headers in try await client.request(subject, .get, name, headers: headers, hash) },
            refuse: { response in
                S3Client.isMissing(response)
                    ? CloudService.Failure(
                        error: BlobError(.notFound, "there is no object '\(name)' in \(displayName)"))
                    : S3Failure.failure(response, subject, client.configuration)
            }, to: sink)
    }

    public func delete(_ name: String) async throws {
        let subject = CloudService.Subject(blob: nil, action: "delete '\(name)' from \(displayName)")
        try await client.send(subject, .delete, name) { response throws(CloudService.Failure) in
            if response.head.isSuccess || S3Client.isMissing(response) { return }
            throw S3Failure.failure(response, subject, client.configuration)
        }
    }

    public func forEachPage(ofNamesWithPrefix prefix: String, _ body: ([String]) async throws -> Void) async throws {
        let subject = CloudService.Subject(blob: nil, action: "list '\(prefix)…' in \(displayName)")
        try await client.forEachPage(subject, prefix: prefix) { try await body($0.map(\.name)) }
    }
}

/// One object on its way to S3.
final class S3PartSink: PartSink {
    private let client: S3Client
    private let name: String
    let action: String
    private let uploadID = Mutex<String?>(nil)

    init(client: S3Client, name: String, displayName: String) {
        self.client = client
        self.name = name
        action = "store '\(name)' in \(displayName)"
    }

    private var subject: CloudService.Subject { CloudService.Subject(blob: nil, action: action) }

    private func refused(_ response: HTTPResponse) -> CloudService.Failure {
        S3Failure.failure(response, subject, client.configuration)
    }

    @concurrent func putWhole(_ bytes: [UInt8]) async throws {
        let headers: HTTPHeaders = [
            "Content-Type": "application/octet-stream", "Content-MD5": try Self.md5(bytes),
        ]
        try await client.send(subject, .put, name, headers: headers, body: [bytes]) {
            response throws(CloudService.Failure) in
            guard response.head.isSuccess else { throw refused(response) }
        }
    }

    func begin() async throws {
        let id = try await client.send(
            subject, .post, name, query: "uploads=", headers: ["Content-Type": "application/octet-stream"], body: []
        ) { response throws(CloudService.Failure) in
            guard response.head.isSuccess else { throw refused(response) }
            guard let id = (try? XMLReader.parse(response.body))?.value("UploadId"), !id.isEmpty else {
                throw S3Client.malformed(subject, "the answer has no upload ID")
            }
            return id
        }
        uploadID.withLock { $0 = id }
    }

    private var idParameter: String { "uploadId=\(PercentEncoding.encode(uploadID.withLock { $0 } ?? ""))" }

    /// - Returns: the part's entity tag.
    @concurrent func putPart(_ number: Int, _ bytes: [UInt8]) async throws -> String {
        let headers: HTTPHeaders = ["Content-MD5": try Self.md5(bytes)]
        return try await client.send(
            subject, .put, name, query: "partNumber=\(number)&\(idParameter)", headers: headers, body: [bytes]
        ) { response throws(CloudService.Failure) in
            guard response.head.isSuccess else { throw refused(response) }
            guard let tag = response.headers["ETag"] else {
                throw S3Client.malformed(subject, "a part has no entity tag")
            }
            return tag
        }
    }

    func complete(_ tags: [String], bytes: Int64) async throws {
        var document = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for (index, tag) in tags.enumerated() {
            document += "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(XMLText.escape(tag))</ETag></Part>"
        }
        document += "</CompleteMultipartUpload>"
        let isLost = try await client.send(
            subject, .post, name, query: idParameter, headers: ["Content-Type": "application/xml"],
            body: [Array(document.utf8)]
        ) { response throws(CloudService.Failure) in
            let answer = try? XMLReader.parse(response.body)
            // The service may have begun its answer with 200 before it failed.
            if response.head.isSuccess, answer?.value("ETag") != nil { return false }
            // A completed upload is gone: perhaps the answer to the first attempt was lost.
            if answer?.value("Code") == "NoSuchUpload" { return true }
            throw refused(response)
        }
        guard isLost else { return }
        let stored = try await storedBytes()
        guard stored == bytes else {
            throw BlobError(
                .io, "could not \(action): the service forgot the upload before it was complete",
                hint: "run it again; if it goes on, look for a lifecycle rule that aborts uploads")
        }
    }

    private func storedBytes() async throws -> Int64? {
        try await client.send(subject, .head, name) { response throws(CloudService.Failure) in
            if S3Client.isMissing(response) { return nil }
            guard response.head.isSuccess else { throw refused(response) }
            return response.headers["Content-Length"].flatMap { Int64($0) }
        }
    }

    func abort() async throws {
        try await client.send(subject, .delete, name, query: idParameter) { response throws(CloudService.Failure) in
            guard response.head.isSuccess || response.status == 404 else { throw refused(response) }
        }
    }

    private static func md5(_ bytes: [UInt8]) throws -> String {
        Base64.encode(try S3Client.digest([bytes], nil, Digest.md5(pieces:)))
    }
}
