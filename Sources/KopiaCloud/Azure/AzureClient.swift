internal import Digests
internal import GoFormats
internal import HTTPTransport
internal import KopiaBlob
import Secrets

/// Requests to one container: authorized, sent, repeated, explained.
struct AzureClient: CloudClient {
    static let serviceName = "Azure Blob Storage"

    let configuration: AzureConfiguration
    let service: CloudService
    private let authorization: AzureCredentials.Authorization

    init(
        _ configuration: AzureConfiguration, _ credentials: AzureCredentials, _ environment: CloudEnvironment
    ) throws(BlobError) {
        self.configuration = configuration
        service = CloudService(client: try configuration.connection.client(), environment: environment)
        authorization = try credentials.authorization(environment)
    }

    func send<Result>(
        _ subject: CloudService.Subject, _ method: HTTPMethod, _ name: String, query: String? = nil,
        headers: HTTPHeaders = [:], body: [[UInt8]]? = nil, bodyLimit: Int = CloudService.documentBytesMax,
        _ interpret: (HTTPResponse) throws(CloudService.Failure) -> Result
    ) async throws -> Result {
        try await service.send(
            subject, bodyLimit: bodyLimit,
            prepare: { try await request(subject, method, name, query: query, headers: headers, body: body) },
            interpret: interpret)
    }

    func request(
        _ subject: CloudService.Subject, _ method: HTTPMethod, _ name: String, query: String? = nil,
        headers: HTTPHeaders = [:], body: [[UInt8]]? = nil
    ) async throws -> HTTPRequest {
        var request = HTTPRequest(
            method, configuration.url(name: name, query: query), headers: headers,
            body: body.map { .pieces($0) } ?? .none)
        request.headers["x-ms-version"] = AzureBlobStorage.apiVersion
        request.headers["x-ms-date"] = HTTPDate.format(service.environment.clock())
        switch authorization {
        case .sharedAccessSignature(let token):
            request.url.query = (request.url.query.map { "\($0)&" } ?? "") + (try await token.value()).revealed
        case .bearer(let token): request.headers["Authorization"] = "Bearer \(try await token.value().revealed)"
        case .sharedKey(let key):
            do throws(DigestError) {
                try SharedKey(account: configuration.account, key: key)
                    .sign(&request, contentLength: (body ?? []).reduce(0) { $0 + $1.count })
            } catch {
                throw BlobError(.io, blob: subject.blob, "could not sign a request: \(error)")
            }
        }
        return request
    }

    /// Walks List Blobs.
    func forEachPage(
        _ subject: CloudService.Subject, prefix: String, include: String = "metadata", pageMax: Int = 5000,
        _ body: ([ListedObject]) async throws -> Void
    ) async throws {
        try await CloudService.forEachPage(
            subject,
            { marker in
                var query = "restype=container&comp=list&include=\(include)&maxresults=\(pageMax)"
                query += "&prefix=\(PercentEncoding.encode(prefix))"
                if let marker { query += "&marker=\(PercentEncoding.encode(marker))" }
                return try await send(subject, .get, "", query: query) { response throws(CloudService.Failure) in
                    guard response.head.isSuccess else {
                        throw AzureFailure.failure(response, subject, configuration)
                    }
                    return try AzureListPage.read(response.body) { Self.malformed(subject, $0) }
                }
            },
            { (page: ObjectPage) in try await body(page.objects) })
    }

    static func isMissing(_ response: HTTPResponse) -> Bool {
        response.status == 404 && ["", "BlobNotFound", "ResourceNotFound"].contains(AzureFailure.code(response))
    }
}

/// One page of List Blobs.
enum AzureListPage {
    static func read(
        _ body: [UInt8], malformed: (String) -> CloudService.Failure
    ) throws(CloudService.Failure) -> ObjectPage {
        let document = try ObjectPage.document(body, "EnumerationResults", malformed)
        guard let list = document.child("Blobs") else { throw malformed("the list has no element 'Blobs'") }
        var page = ObjectPage(next: document.value("NextMarker").flatMap { $0.isEmpty ? nil : $0 })
        for item in list.all("Blob") {
            let properties = item.child("Properties")
            guard let name = item.value("Name"), let size = properties?.value("Content-Length").flatMap({ Int64($0) }),
                let time = properties?.value("Last-Modified").flatMap(HTTPDate.parse)
            else { throw malformed("an entry of the list has no name, size or time") }
            let metadata = item.child("Metadata")?.children.first { $0.name.lowercased() == "kopiamtime" }
            page.objects.append(
                ListedObject(
                    name: name, length: size, timestamp: kopiaTime(metadata?.text) ?? time, modified: time,
                    version: item.value("VersionId"), isCurrent: item.value("IsCurrentVersion") == "true"))
        }
        return page
    }

    /// The time kopia keeps in a blob's metadata when it copies blobs: nanoseconds since 1970, decimal.
    static func kopiaTime(_ text: String?) -> Timestamp? {
        text.flatMap { Int64($0) }.map { Timestamp(unixNanoseconds: $0) }
    }
}
