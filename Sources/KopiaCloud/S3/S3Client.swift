internal import Digests
internal import GoFormats
internal import HTTPTransport
internal import KopiaBlob
import Secrets

/// Requests to one bucket: signed, sent, repeated, explained.
struct S3Client: CloudClient {
    static let serviceName = "an S3 service"

    let configuration: S3Configuration
    let service: CloudService
    private let authorization: S3CredentialSource.Authorization

    init(
        _ configuration: S3Configuration, _ source: S3CredentialSource, _ environment: CloudEnvironment
    ) throws(BlobError) {
        self.configuration = configuration
        service = CloudService(client: try configuration.connection.client(), environment: environment)
        authorization = try source.authorization(environment)
    }

    /// Hashes the body on the caller's executor.
    func send<Result>(
        _ subject: CloudService.Subject, _ method: HTTPMethod, _ key: String, query: String? = nil,
        headers: HTTPHeaders = [:], body: [[UInt8]]? = nil, bodyLimit: Int = CloudService.documentBytesMax,
        _ interpret: (HTTPResponse) throws(CloudService.Failure) -> Result
    ) async throws -> Result {
        let payloadHash = try await payloadHash(body, subject)
        return try await service.send(
            subject, bodyLimit: bodyLimit,
            prepare: {
                try await request(subject, method, key, query: query, headers: headers, body: body, payloadHash)
            }, interpret: interpret)
    }

    /// - Parameter payloadHash: SHA-256 of the body in hex.
    func request(
        _ subject: CloudService.Subject, _ method: HTTPMethod, _ key: String, query: String? = nil,
        headers: HTTPHeaders = [:], body: [[UInt8]]? = nil, _ payloadHash: String
    ) async throws -> HTTPRequest {
        var request = HTTPRequest(
            method, configuration.url(key: key, query: query), headers: headers, body: body.map { .pieces($0) } ?? .none
        )
        switch authorization {
        case .bearer(let token):
            request.headers["Authorization"] = "Bearer \(try await token.value().revealed)"
        case .keys(let keys):
            let signature = SignatureV4(credentials: try await keys.value(), region: configuration.region)
            do throws(DigestError) {
                try signature.sign(&request, payloadHash: payloadHash, at: service.environment.clock())
            } catch {
                throw BlobError(.io, blob: subject.blob, "could not sign a request: \(error)")
            }
        }
        return request
    }

    /// Nobody looks at it where requests are not signed.
    func payloadHash(_ body: [[UInt8]]?, _ subject: CloudService.Subject) async throws(BlobError) -> String {
        if case .bearer = authorization { return "" }
        return Hex.encode(try Self.digest(body ?? [], subject.blob, Digest.sha256(pieces:)))
    }

    static func digest(
        _ pieces: [[UInt8]], _ id: BlobID?, _ function: ([[UInt8]]) throws(DigestError) -> [UInt8]
    ) throws(BlobError) -> [UInt8] {
        do throws(DigestError) { return try function(pieces) } catch { throw BlobError(.io, blob: id, "\(error)") }
    }

    /// Walks ListObjectsV2.
    func forEachPage(
        _ subject: CloudService.Subject, prefix: String, pageMax: Int = 1000,
        _ body: ([ListedObject]) async throws -> Void
    ) async throws {
        try await CloudService.forEachPage(
            subject,
            { token in
                var query = "list-type=2&max-keys=\(pageMax)&prefix=\(PercentEncoding.encode(prefix))"
                if let token { query = "continuation-token=\(PercentEncoding.encode(token))&\(query)" }
                return try await send(subject, .get, "", query: query) { response throws(CloudService.Failure) in
                    guard response.head.isSuccess else { throw S3Failure.failure(response, subject, configuration) }
                    return try S3ListPage.read(response.body) { Self.malformed(subject, $0) }
                }
            },
            { (page: ObjectPage) in try await body(page.objects) })
    }

    /// HEAD has no body to tell which of the two is missing.
    static func isMissing(_ response: HTTPResponse) -> Bool {
        guard response.status == 404 else { return false }
        let code = (try? XMLReader.parse(response.body))?.value("Code")
        return code == nil || code == "NoSuchKey" || code == "NoSuchVersion"
    }
}

/// One page of ListObjectsV2.
enum S3ListPage {
    static func read(
        _ body: [UInt8], malformed: (String) -> CloudService.Failure
    ) throws(CloudService.Failure) -> ObjectPage {
        let document = try ObjectPage.document(body, "ListBucketResult", malformed)
        let isTruncated = document.value("IsTruncated") == "true"
        var page = ObjectPage(next: isTruncated ? document.value("NextContinuationToken") : nil)
        if isTruncated, page.next == nil { throw malformed("the list goes on but does not say where") }
        for item in document.all("Contents") {
            guard let key = item.value("Key"), let size = item.value("Size").flatMap({ Int64($0) }),
                let time = item.value("LastModified").flatMap({ Timestamp(rfc3339: $0) })
            else { throw malformed("an entry of the list has no name, size or time") }
            // Whole seconds, as HEAD gives them; AWS's lists have no fraction either.
            let modified = Timestamp(seconds: time.seconds)
            page.objects.append(ListedObject(name: key, length: size, timestamp: modified, modified: modified))
        }
        return page
    }
}
