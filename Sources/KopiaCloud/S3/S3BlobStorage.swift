internal import Digests
public import GoFormats
internal import HTTPTransport
public import KopiaBlob

/// Keeps blobs as objects of an S3 bucket, the way kopia does: object name = prefix and blob ID, one PUT each, with
/// `Content-MD5`, and the object-lock fields when the blob has a retention.
///
/// A put returns when the service has the object. A delete in a bucket with versions leaves a marker: the blob is gone
/// from listings, locked versions stay.
///
/// Concurrency and memory: all calls may run concurrently; `connection.requestsMax` requests are on the way at a time. A
/// call holds the blob or range it works on. Failed requests that may be repeated are, as `environment` says.
///
/// Source: kopia `repo/blob/s3/s3_storage.go`; Amazon S3 API Reference; `kopia-format` §1.4, §1.5.
public struct S3BlobStorage: LockingBlobStorage, CloudBlobStorage {
    let client: S3Client
    /// Entries of one page of a list, 1 … 1000.
    let listPageMax: Int

    /// Nothing is sent yet.
    ///
    /// - Throws: `BlobError.Code.invalidStorage` when the connection's settings cannot work.
    public init(
        _ configuration: S3Configuration, source: S3CredentialSource, environment: CloudEnvironment = .system
    ) throws(BlobError) {
        try self.init(configuration, source: source, environment: environment, listPageMax: 1000)
    }

    package init(
        _ configuration: S3Configuration, source: S3CredentialSource, environment: CloudEnvironment, listPageMax: Int
    ) throws(BlobError) {
        self.listPageMax = listPageMax
        client = try S3Client(configuration, source, environment)
    }

    public var displayName: String { configuration.displayName }
    private var configuration: S3Configuration { client.configuration }
    private var service: CloudService { client.service }

    // MARK: BlobStorage

    public func get(_ id: BlobID, range: Range<Int64>?) async throws -> [UInt8] {
        try await read(id, version: nil, range)
    }

    public func put(_ id: BlobID, _ bytes: [UInt8], retention: BlobRetention?) async throws {
        try await put(id, pieces: [bytes], retention: retention)
    }

    /// Hashes and sends the pieces as they are: nothing is copied.
    @concurrent public func put(_ id: BlobID, pieces: [[UInt8]], retention: BlobRetention?) async throws {
        let subject = CloudService.Subject(blob: id, action: "write blob '\(id)' to \(displayName)")
        var headers: HTTPHeaders = [
            "Content-Type": "application/x-kopia",
            "Content-MD5": Base64.encode(try S3Client.digest(pieces, id, Digest.md5(pieces:))),
        ]
        if let retention {
            headers["x-amz-object-lock-mode"] = try Self.lockMode(retention.mode, id)
            headers["x-amz-object-lock-retain-until-date"] = Self.until(
                service.environment.clock().adding(seconds: retention.periodSeconds))
        }
        try await send(subject, .put, name(id), headers: headers, body: pieces) {
            response throws(CloudService.Failure) in
            guard response.head.isSuccess else { throw failure(response, subject) }
        }
    }

    public func delete(_ id: BlobID) async throws {
        let subject = CloudService.Subject(blob: id, action: "delete blob '\(id)' from \(displayName)")
        try await send(subject, .delete, name(id)) { response throws(CloudService.Failure) in
            if response.head.isSuccess || isMissing(response) { return }
            throw failure(response, subject)
        }
    }

    public func metadata(of id: BlobID) async throws -> BlobMetadata { try await metadata(of: id, version: nil) }

    func metadata(of id: BlobID, version: String?) async throws -> BlobMetadata {
        let subject = CloudService.Subject(blob: id, action: "look at blob '\(id)' in \(displayName)")
        return try await send(subject, .head, name(id), query: Self.query(version: version)) {
            response throws(CloudService.Failure) in
            guard response.head.isSuccess else { throw failure(response, subject) }
            guard let length = response.headers["Content-Length"].flatMap({ Int64($0) }),
                let time = response.headers["Last-Modified"].flatMap(HTTPDate.parse)
            else { throw malformed(subject, "the answer has no length or no time") }
            return BlobMetadata(id: id, length: length, timestamp: time)
        }
    }

    public func list(prefix: String) async throws -> [BlobMetadata] {
        let subject = CloudService.Subject(blob: nil, action: "list blobs '\(prefix)…' in \(displayName)")
        var blobs: [BlobMetadata] = []
        try await client.forEachPage(subject, prefix: configuration.prefix + prefix, pageMax: listPageMax) { objects in
            blobs += objects.compactMap { $0.blob(prefix: configuration.prefix) }
        }
        return blobs
    }

    // MARK: LockingBlobStorage

    /// A lock that the credentials may not see (they need `s3:GetObjectRetention`) is not seen: better a lock too few
    /// than one too many.
    public func lock(of id: BlobID, version: String?) async throws -> BlobLock? {
        let subject = CloudService.Subject(blob: id, action: "read the retention of blob '\(id)' in \(displayName)")
        return try await send(subject, .head, name(id), query: Self.query(version: version)) {
            response throws(CloudService.Failure) in
            guard response.head.isSuccess else { throw failure(response, subject) }
            guard let modeName = response.headers["x-amz-object-lock-mode"],
                let untilText = response.headers["x-amz-object-lock-retain-until-date"]
            else { return nil }
            guard let mode = BlobLock.Mode(rawValue: modeName), let until = Timestamp(rfc3339: untilText) else {
                throw malformed(subject, "mode '\(modeName)' until '\(untilText)' is not known")
            }
            return BlobLock(mode: mode, until: until)
        }
    }

    public func extendLock(of id: BlobID, mode: BlobRetention.Mode, until: Timestamp) async throws {
        let subject = CloudService.Subject(blob: id, action: "extend the retention of blob '\(id)' in \(displayName)")
        let wanted = try Self.lockMode(mode, id)
        if let lock = try await lock(of: id), lock.until >= until,
            lock.mode.rawValue == wanted || lock.mode == .compliance
        {
            return
        }
        let body = Array(
            """
            <Retention xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Mode>\(wanted)</Mode>\
            <RetainUntilDate>\(Self.until(until))</RetainUntilDate></Retention>
            """.utf8)
        let headers: HTTPHeaders = [
            "Content-Type": "application/xml",
            "Content-MD5": Base64.encode(try S3Client.digest([body], id, Digest.md5(pieces:))),
        ]
        try await send(subject, .put, name(id), query: "retention=", headers: headers, body: [body]) {
            response throws(CloudService.Failure) in
            guard response.head.isSuccess else { throw failure(response, subject) }
        }
    }

    public func get(_ id: BlobID, version: String, range: Range<Int64>?) async throws -> [UInt8] {
        try await read(id, version: version, range)
    }

    public func versions(prefix: String) async throws -> [BlobVersion] {
        let subject = CloudService.Subject(blob: nil, action: "list versions of '\(prefix)…' in \(displayName)")
        let first =
            "max-keys=\(listPageMax)&prefix=\(PercentEncoding.encode(configuration.prefix + prefix))&versions="
        var versions: [BlobVersion] = []
        try await CloudService.forEachPage(
            subject,
            { start in
                try await send(subject, .get, "", query: start.map { "\($0)&\(first)" } ?? first) {
                    response throws(CloudService.Failure) in
                    guard response.head.isSuccess else { throw failure(response, subject) }
                    return try S3VersionPage(response.body, prefix: configuration.prefix) { malformed(subject, $0) }
                }
            }, { page in versions += page.versions })
        return versions
    }

    public func lockSupport() async throws -> LockSupport {
        let versioning = try await setting("versioning")
        let objectLock = try await setting("object-lock")
        return LockSupport(
            keepsVersions: versioning.document.map { $0.value("Status") == "Enabled" },
            locksVersions: objectLock.document.map { $0.value("ObjectLockEnabled") == "Enabled" },
            time: versioning.time)
    }

    /// A setting of the bucket; nil when the credentials may not see it, empty when it was never set.
    private func setting(_ name: String) async throws -> (document: XMLElement?, time: Timestamp?) {
        let subject = CloudService.Subject(blob: nil, action: "read the setting '\(name)' of \(displayName)")
        return try await send(subject, .get, "", query: "\(name)=") { response throws(CloudService.Failure) in
            let time = response.headers["Date"].flatMap(HTTPDate.parse)
            guard response.head.isSuccess else {
                let failure = failure(response, subject)
                switch failure.error.code {
                case .accessDenied: return (nil, time)
                // ObjectLockConfigurationNotFoundError, or a service that has no such thing.
                case .unsupported: return (XMLElement(name: ""), time)
                default: throw failure
                }
            }
            do throws(XMLReader.Malformed) { return (try XMLReader.parse(response.body), time) } catch {
                throw malformed(subject, "the answer is not XML: \(error)")
            }
        }
    }

    // MARK: Requests

    static func query(version: String?) -> String? { version.map { "versionId=\(PercentEncoding.encode($0))" } }

    func name(_ id: BlobID) -> String { configuration.prefix + id.description }

    /// Object lock's modes; `Locked` is Azure's and Google's.
    private static func lockMode(_ mode: BlobRetention.Mode, _ id: BlobID) throws(BlobError) -> String {
        guard mode != .locked else {
            throw BlobError(
                .unsupported, blob: id, "blob '\(id)': S3 has no retention mode '\(mode.rawValue)'",
                hint: "set the repository's retention mode to COMPLIANCE or GOVERNANCE")
        }
        return mode.rawValue
    }

    private static func until(_ time: Timestamp) -> String { Timestamp(seconds: time.seconds).description }

    func refusal(_ response: HTTPResponse, _ subject: CloudService.Subject) -> CloudService.Failure {
        S3Failure.failure(response, subject, configuration)
    }
}
