internal import Digests
public import GoFormats
internal import HTTPTransport
public import KopiaBlob

/// Keeps blobs as block blobs of an Azure container, the way kopia does: name = prefix and blob ID, uploaded in one piece.
///
/// With a retention a put locks the new version until its time (version-level immutability, mode `Locked`, whatever mode
/// the repository names: kopia does this; we match it). A delete of a locked blob puts an empty version with a
/// removable policy on top, removes the policy and deletes that version: the blob is gone from listings, the locked version
/// stays.
///
/// Concurrency and memory: all calls may run concurrently; `connection.requestsMax` requests are on the way at a time. A
/// call holds the blob or range it works on. Failed requests that may be repeated are, as `environment` says.
///
/// Source: kopia `repo/blob/azure/azure_storage.go`; Microsoft, Blob service REST API: Put Blob, Get Blob, Get Blob
/// Properties, List Blobs, Delete Blob, Set and Delete Blob Immutability Policy, Get Container Properties; `kopia-format` §1.4, §1.5.
public struct AzureBlobStorage: LockingBlobStorage, CloudBlobStorage {
    /// The first one with version-level immutability is 2020-10-02.
    package static let apiVersion = "2021-12-02"

    let client: AzureClient
    /// Entries of one page of a list, 1 … 5000.
    private let listPageMax: Int

    /// Nothing is sent yet.
    ///
    /// - Throws: `BlobError.Code.invalidStorage` when the connection's settings cannot work.
    public init(
        _ configuration: AzureConfiguration, credentials: AzureCredentials, environment: CloudEnvironment = .system
    ) throws(BlobError) {
        try self.init(configuration, credentials: credentials, environment: environment, listPageMax: 5000)
    }

    package init(
        _ configuration: AzureConfiguration, credentials: AzureCredentials, environment: CloudEnvironment,
        listPageMax: Int
    ) throws(BlobError) {
        self.listPageMax = listPageMax
        client = try AzureClient(configuration, credentials, environment)
    }

    private var configuration: AzureConfiguration { client.configuration }
    private var service: CloudService { client.service }

    public var displayName: String { configuration.displayName }

    // MARK: BlobStorage

    public func get(_ id: BlobID, range: Range<Int64>?) async throws -> [UInt8] {
        try await read(id, version: nil, range)
    }

    public func put(_ id: BlobID, _ bytes: [UInt8], retention: BlobRetention?) async throws {
        try await put(id, pieces: [bytes], retention: retention)
    }

    /// Hashes and sends the pieces as they are: nothing is copied.
    @concurrent public func put(_ id: BlobID, pieces: [[UInt8]], retention: BlobRetention?) async throws {
        let until = retention.map { service.environment.clock().adding(seconds: $0.periodSeconds) }
        try await upload(id, pieces, policy: until.map { ("Locked", $0) })
    }

    public func delete(_ id: BlobID) async throws {
        guard try await remove(id) == .locked else { return }
        // The policy only has to be in the future; it goes away with the next request.
        let soon = service.environment.clock().adding(seconds: 60)
        try await upload(id, [], policy: ("Unlocked", soon))
        let subject = CloudService.Subject(blob: id, action: "hide the locked blob '\(id)' in \(displayName)")
        try await send(subject, .delete, name(id), query: "comp=immutabilityPolicies") {
            response throws(CloudService.Failure) in
            guard response.head.isSuccess else { throw failure(response, subject) }
        }
        guard try await remove(id) == .removed else {
            throw BlobError(
                .accessDenied, blob: id, "could not hide the locked blob '\(id)' in \(displayName)",
                hint: "somebody else is locking it at the same time, or the account keeps no versions")
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
            return BlobMetadata(
                id: id, length: length,
                timestamp: AzureListPage.kopiaTime(response.headers["x-ms-meta-kopiamtime"]) ?? time)
        }
    }

    public func list(prefix: String) async throws -> [BlobMetadata] {
        var blobs: [BlobMetadata] = []
        try await forEachPage(prefix: prefix, include: "metadata") { objects, prefix in
            blobs += objects.compactMap { $0.blob(prefix: prefix) }
        }
        return blobs
    }

    private func forEachPage(
        prefix: String, include: String, _ body: ([ListedObject], _ prefix: String) -> Void
    ) async throws {
        let subject = CloudService.Subject(blob: nil, action: "list blobs '\(prefix)…' in \(displayName)")
        try await client.forEachPage(
            subject, prefix: configuration.prefix + prefix, include: include, pageMax: listPageMax
        ) { objects in body(objects, configuration.prefix) }
    }

    // MARK: LockingBlobStorage

    public func lock(of id: BlobID, version: String?) async throws -> BlobLock? {
        let subject = CloudService.Subject(blob: id, action: "read the retention of blob '\(id)' in \(displayName)")
        return try await send(subject, .head, name(id), query: Self.query(version: version)) {
            response throws(CloudService.Failure) in
            guard response.head.isSuccess else { throw failure(response, subject) }
            guard let modeName = response.headers["x-ms-immutability-policy-mode"],
                let untilText = response.headers["x-ms-immutability-policy-until-date"]
            else { return nil }
            let modes = ["locked": BlobLock.Mode.locked, "unlocked": .unlocked]
            guard let mode = modes[modeName.lowercased()], let until = HTTPDate.parse(untilText) else {
                throw malformed(subject, "mode '\(modeName)' until '\(untilText)' is not known")
            }
            return BlobLock(mode: mode, until: until)
        }
    }

    public func extendLock(of id: BlobID, mode: BlobRetention.Mode, until: Timestamp) async throws {
        let subject = CloudService.Subject(blob: id, action: "extend the retention of blob '\(id)' in \(displayName)")
        if let lock = try await lock(of: id), lock.until >= until, lock.mode == .locked { return }
        let headers: HTTPHeaders = [
            "x-ms-immutability-policy-mode": "Locked",
            "x-ms-immutability-policy-until-date": HTTPDate.format(until),
        ]
        try await send(subject, .put, name(id), query: "comp=immutabilityPolicies", headers: headers, body: []) {
            response throws(CloudService.Failure) in
            guard response.head.isSuccess else { throw lockFailure(response, subject) }
        }
    }

    public func get(_ id: BlobID, version: String, range: Range<Int64>?) async throws -> [UInt8] {
        try await read(id, version: version, range)
    }

    public func versions(prefix: String) async throws -> [BlobVersion] {
        var versions: [BlobVersion] = []
        try await forEachPage(prefix: prefix, include: "versions") { objects, prefix in
            versions += objects.compactMap { $0.blobVersion(prefix: prefix) }
        }
        return versions
    }

    /// Azure says of a container only whether its versions can be locked; that needs versions.
    public func lockSupport() async throws -> LockSupport {
        let subject = CloudService.Subject(blob: nil, action: "look at the container of \(displayName)")
        return try await send(subject, .head, "", query: "restype=container") {
            response throws(CloudService.Failure) in
            let time = response.headers["Date"].flatMap(HTTPDate.parse)
            guard response.head.isSuccess else {
                let failure = failure(response, subject)
                guard failure.error.code == .accessDenied else { throw failure }
                return LockSupport(keepsVersions: nil, locksVersions: nil, time: time)
            }
            let locks = response.headers["x-ms-immutable-storage-with-versioning-enabled"].map { $0 == "true" }
            return LockSupport(keepsVersions: locks == true ? true : nil, locksVersions: locks, time: time)
        }
    }

    static func query(version: String?) -> String? { version.map { "versionid=\(PercentEncoding.encode($0))" } }

    // MARK: Steps

    private enum Removal { case removed, locked }

    private func remove(_ id: BlobID) async throws -> Removal {
        let subject = CloudService.Subject(blob: id, action: "delete blob '\(id)' from \(displayName)")
        return try await send(subject, .delete, name(id)) { response throws(CloudService.Failure) in
            if response.head.isSuccess || isMissing(response) { return .removed }
            if AzureFailure.code(response) == "BlobImmutableDueToPolicy" { return .locked }
            throw failure(response, subject)
        }
    }

    private func upload(_ id: BlobID, _ pieces: [[UInt8]], policy: (mode: String, until: Timestamp)?) async throws {
        let subject = CloudService.Subject(blob: id, action: "write blob '\(id)' to \(displayName)")
        var headers: HTTPHeaders = [
            "x-ms-blob-type": "BlockBlob",
            "Content-MD5": Base64.encode(try S3Client.digest(pieces, id, Digest.md5(pieces:))),
        ]
        if let policy {
            headers["x-ms-immutability-policy-mode"] = policy.mode
            headers["x-ms-immutability-policy-until-date"] = HTTPDate.format(policy.until)
        }
        try await send(subject, .put, name(id), headers: headers, body: pieces) {
            response throws(CloudService.Failure) in
            guard response.head.isSuccess else {
                throw policy == nil ? failure(response, subject) : lockFailure(response, subject)
            }
        }
    }

    // MARK: Requests

    func name(_ id: BlobID) -> String { configuration.prefix + id.description }

    // MARK: Answers

    func refusal(_ response: HTTPResponse, _ subject: CloudService.Subject) -> CloudService.Failure {
        AzureFailure.failure(response, subject, configuration)
    }

    /// Of a request that sets a retention, which the account may not have.
    private func lockFailure(_ response: HTTPResponse, _ subject: CloudService.Subject) -> CloudService.Failure {
        isMissing(response)
            ? failure(response, subject)
            : AzureFailure.failure(response, subject, configuration, hasRetention: true)
    }
}
