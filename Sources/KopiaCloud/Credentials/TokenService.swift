internal import GoFormats
internal import HTTPTransport
internal import KopiaBlob
import Secrets

/// A form posted to a service that hands out temporary credentials.
///
/// Concurrency: one request at a time is enough, `Refreshing` sees to that. Retries as for storage.
struct TokenService: Sendable {
    let url: HTTPURL
    let service: CloudService
    private let subject: CloudService.Subject
    private let hint: String

    /// - Parameters:
    ///   - address: `https://host/path`.
    ///   - action: completes "could not …".
    ///   - hint: what to check when it refuses.
    init(_ address: String, action: String, hint: String, _ environment: CloudEnvironment) throws(BlobError) {
        do throws(HTTPError) { url = try HTTPURL(address) } catch {
            throw BlobError(.invalidStorage, "the token service \(error.message)", hint: error.hint)
        }
        // Not the storage's trust: whoever skips the check there did not mean the service that knows the secrets.
        service = CloudService(client: try CloudConnection().client(), environment: environment)
        subject = CloudService.Subject(blob: nil, action: action)
        self.hint = hint
    }

    func post(
        _ form: [(String, String)], _ sign: (inout HTTPRequest, [UInt8]) throws -> Void = { _, _ in }
    ) async throws -> [UInt8] {
        let text = form.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
        let body = Array(text.utf8)
        return try await service.send(
            subject, bodyLimit: 1 << 20,
            prepare: {
                var request = HTTPRequest(
                    .post, url,
                    headers: [
                        "Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json, text/xml",
                    ],
                    body: .bytes(body), timeout: .seconds(60))
                try sign(&request, body)
                return request
            },
            interpret: { response throws(CloudService.Failure) in
                guard response.head.isSuccess else { throw refused(response) }
                return response.body
            })
    }

    func malformed(_ reason: String) -> BlobError {
        BlobError(.accessDenied, "could not \(subject.action): \(reason)", hint: hint)
    }

    private func refused(_ response: HTTPResponse) -> CloudService.Failure {
        var reason = "status \(response.status)"
        if let words = Self.words(response.body) { reason = "\(words) (\(reason))" }
        let isTransient = RetryPolicy.isTransient(status: response.status)
        return CloudService.Failure(
            error: BlobError(
                isTransient ? .io : .accessDenied, "could not \(subject.action): \(reason)",
                hint: isTransient ? nil : hint, isTransient: isTransient),
            retryAfter: CloudService.retryAfter(response))
    }

    /// OAuth's `error_description`, or the code and message of an STS error.
    private static func words(_ body: [UInt8]) -> String? {
        if let answer = try? JSONParser.parse(body) {
            let text = answer["error_description"]?.stringValue ?? answer["error"]?.stringValue
            return text.map { String($0.prefix { !$0.isNewline }.prefix(300)) }
        }
        guard let document = try? XMLReader.parse(body) else { return nil }
        let error = document.child("Error") ?? document
        return error.value("Code").map { code in "\(code): \(error.value("Message") ?? "")" }
    }

    /// Reads `access_token` and `expires_in` of an OAuth answer.
    func accessToken(_ body: [UInt8], now: Timestamp) throws(BlobError) -> Expiring<Secret> {
        guard let answer = try? JSONParser.parse(body), let token = answer["access_token"]?.stringValue, !token.isEmpty
        else { throw malformed("the answer has no access_token") }
        let seconds = answer["expires_in"]?.integerValue ?? answer["expires_in"]?.stringValue.flatMap { Int64($0) }
        return Expiring(value: Secret(token), until: now.adding(seconds: min(max(0, seconds ?? 300), 86_400)))
    }
}
