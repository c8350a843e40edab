package import Digests
import GoFormats
package import HTTPTransport

/// Azure's Shared Key signature, in the `Authorization` field.
///
/// Source: Microsoft, Azure Storage REST reference, "Authorize with Shared Key", 2015-02-21 and later. Vectors: the official
/// Python client signs for, and is checked by, the same double (`AzureDoubleTests`).
package struct SharedKey: Sendable {
    let account: String
    let key: AzureCredentials.SecretKey

    init(account: String, key: AzureCredentials.SecretKey) {
        self.account = account
        self.key = key
    }

    /// Nil when the credentials are no key.
    package init?(account: String, _ credentials: AzureCredentials) {
        guard case .sharedKey(let key) = credentials.kind else { return nil }
        self.init(account: account, key: key)
    }

    /// - Parameter contentLength: of the body.
    package func sign(_ request: inout HTTPRequest, contentLength: Int) throws(DigestError) {
        let text = Self.stringToSign(request, account: account, contentLength: contentLength)
        let signature = Base64.encode(try Digest.hmacSHA256(Array(text.utf8), key: key.bytes))
        request.headers["Authorization"] = "SharedKey \(account):\(signature)"
    }

    static func stringToSign(_ request: HTTPRequest, account: String, contentLength: Int) -> String {
        func field(_ name: String) -> String { request.headers[name] ?? "" }
        // `Date` is empty because `x-ms-date` is there; a length of zero is written as nothing.
        var lines = [
            request.method.rawValue, field("Content-Encoding"), field("Content-Language"),
            contentLength == 0 ? "" : "\(contentLength)", field("Content-MD5"), field("Content-Type"), "",
            field("If-Modified-Since"), field("If-Match"), field("If-None-Match"), field("If-Unmodified-Since"),
            field("Range"),
        ]
        lines += request.headers.fields.map { (name: $0.name.lowercased(), value: $0.value) }
            .filter { $0.name.hasPrefix("x-ms-") }
            .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
            .map { "\($0.name):\($0.value)" }
        lines.append("/\(account)\(request.url.path)")
        lines += canonicalQuery(request.url.query ?? "")
        return lines.joined(separator: "\n")
    }

    /// `name:value` lines, decoded, sorted by name; values of the same name sorted and joined by commas.
    private static func canonicalQuery(_ query: String) -> [String] {
        var values: [String: [String]] = [:]
        for item in query.split(separator: "&") {
            let equals = item.firstIndex(of: "=") ?? item.endIndex
            let name = PercentEncoding.decode(item[..<equals]) ?? String(item[..<equals])
            let value = item[equals...].dropFirst()
            values[name.lowercased(), default: []].append(PercentEncoding.decode(value) ?? String(value))
        }
        return values.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .map { "\($0.key):\($0.value.sorted().joined(separator: ","))" }
    }
}
