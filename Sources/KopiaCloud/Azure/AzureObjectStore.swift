internal import Digests
internal import GoFormats
internal import HTTPTransport
public import KopiaBlob

/// Plain objects of an Azure container, as block blobs.
///
/// Small objects are one Put Blob, others blocks and a block list; every body has a `Content-MD5` that the service checks. Blocks
/// of an upload that fails are never listed; Azure drops them after a week, and there is no request to do it earlier.
///
/// Source: Microsoft, Blob service REST API: Put Blob, Put Block, Put Block List, Get Blob, Delete Blob, List Blobs.
public struct AzureObjectStore: ObjectStore {
    private let client: AzureClient
    private let plan: PartPlan

    /// Nothing is sent yet. The configuration's prefix is not used.
    ///
    /// - Throws: `BlobError.Code.invalidStorage`, `.accessDenied` when the settings cannot work.
    public init(
        _ configuration: AzureConfiguration, credentials: AzureCredentials, environment: CloudEnvironment = .system
    ) throws(BlobError) {
        try self.init(configuration, credentials: credentials, environment: environment, firstPartBytes: nil)
    }

    /// - Parameter firstPartBytes: of the part plan; tests take small ones.
    package init(
        _ configuration: AzureConfiguration, credentials: AzureCredentials, environment: CloudEnvironment,
        firstPartBytes: Int64?
    ) throws(BlobError) {
        client = try AzureClient(configuration, credentials, environment)
        var plan = PartPlan.azure
        if let firstPartBytes { plan.firstPartBytes = firstPartBytes }
        self.plan = plan
    }

    public var displayName: String {
        "azblob://\(client.configuration.container)?account=\(client.configuration.account)"
    }

    public func upload(_ name: String, length: Int64?, next: () async throws -> [UInt8]?) async throws -> Int64 {
        let sink = AzurePartSink(client: client, name: name, action: "store '\(name)' in \(displayName)")
        return try await StreamUpload(plan: plan, sink: sink).run(length: length, next: next)
    }

    public func download(_ name: String, to sink: ([UInt8]) async throws -> Void) async throws {
        let subject = CloudService.Subject(blob: nil, action: "read '\(name)' from \(displayName)")
        try await ObjectDownload(service: client.service, subject: subject).run(
            prepare: { headers in try await client.request(subject, .get, name, headers: headers) },
            refuse: { response in
                AzureClient.isMissing(response)
                    ? CloudService.Failure(
                        error: BlobError(.notFound, "there is no object '\(name)' in \(displayName)"))
                    : AzureFailure.failure(response, subject, client.configuration)
            }, to: sink)
    }

    public func delete(_ name: String) async throws {
        let subject = CloudService.Subject(blob: nil, action: "delete '\(name)' from \(displayName)")
        try await client.send(subject, .delete, name) { response throws(CloudService.Failure) in
            if response.head.isSuccess || AzureClient.isMissing(response) { return }
            throw AzureFailure.failure(response, subject, client.configuration)
        }
    }

    public func forEachPage(ofNamesWithPrefix prefix: String, _ body: ([String]) async throws -> Void) async throws {
        let subject = CloudService.Subject(blob: nil, action: "list '\(prefix)…' in \(displayName)")
        try await client.forEachPage(subject, prefix: prefix) { try await body($0.map(\.name)) }
    }
}

/// One blob on its way to Azure. A receipt is a block's ID.
struct AzurePartSink: PartSink {
    let client: AzureClient
    let name: String
    let action: String
    /// Tells the blocks of this upload from those of others to the same name; IDs of one blob have one length.
    private let run = UInt64.random(in: 0 ... .max)

    init(client: AzureClient, name: String, action: String) {
        self.client = client
        self.name = name
        self.action = action
    }

    private var subject: CloudService.Subject { CloudService.Subject(blob: nil, action: action) }

    private func put(_ query: String?, _ headers: HTTPHeaders, _ body: [UInt8]) async throws {
        var headers = headers
        headers["Content-MD5"] = Base64.encode(try S3Client.digest([body], nil, Digest.md5(pieces:)))
        try await client.send(subject, .put, name, query: query, headers: headers, body: [body]) {
            response throws(CloudService.Failure) in
            guard response.head.isSuccess else {
                throw AzureFailure.failure(response, subject, client.configuration)
            }
        }
    }

    @concurrent func putWhole(_ bytes: [UInt8]) async throws {
        try await put(nil, ["x-ms-blob-type": "BlockBlob"], bytes)
    }

    func begin() async throws {}

    @concurrent func putPart(_ number: Int, _ bytes: [UInt8]) async throws -> String {
        var id: [UInt8] = []
        for shift in stride(from: 56, through: 0, by: -8) { id.append(UInt8(truncatingIfNeeded: run >> UInt64(shift))) }
        for shift in stride(from: 24, through: 0, by: -8) { id.append(UInt8(truncatingIfNeeded: number >> shift)) }
        let block = Base64.encode(id)
        try await put("comp=block&blockid=\(PercentEncoding.encode(block))", [:], bytes)
        return block
    }

    func complete(_ blocks: [String], bytes: Int64) async throws {
        var document = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>"
        for block in blocks { document += "<Uncommitted>\(block)</Uncommitted>" }
        document += "</BlockList>"
        try await put("comp=blocklist", ["Content-Type": "application/xml"], Array(document.utf8))
    }

    func abort() async throws {}
}
