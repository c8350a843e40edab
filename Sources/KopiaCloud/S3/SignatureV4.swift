package import Digests
package import GoFormats
package import HTTPTransport
import Secrets

/// Signs a request as AWS Signature Version 4 asks, with the signature in the `Authorization` field. Every header field
/// of the request is signed. Path and query must be what goes over the wire, percent-encoded once; that is also how S3
/// wants them in the canonical request.
///
/// Source: AWS, "Create a signed AWS API request" and "Authenticating Requests: Using the Authorization Header".
/// Vectors: AWS's published S3 examples and test suite, in `SignatureV4Tests`; `rclone serve s3` checks it as a server.
package struct SignatureV4: Sendable {
    let credentials: S3Credentials
    let region: String
    let service: String

    package init(credentials: S3Credentials, region: String, service: String = "s3") {
        self.credentials = credentials
        self.region = region
        self.service = service
    }

    /// Adds `x-amz-date`, `x-amz-security-token` when there is one, and `Authorization`.
    ///
    /// - Parameter payloadHash: SHA-256 of the body in hex.
    package func sign(_ request: inout HTTPRequest, payloadHash: String, at time: Timestamp) throws(DigestError) {
        let stamp = Self.stamp(time)
        let day = String(stamp.prefix(8))
        request.headers["x-amz-date"] = stamp
        if service == "s3" { request.headers["x-amz-content-sha256"] = payloadHash }
        if let token = credentials.sessionToken { request.headers["x-amz-security-token"] = token.revealed }

        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let (canonical, signedFields) = Self.canonicalRequest(request, payloadHash: payloadHash)
        let toSign = "AWS4-HMAC-SHA256\n\(stamp)\n\(scope)\n\(Hex.encode(try Digest.sha256(Array(canonical.utf8))))"

        var key = Array("AWS4\(credentials.secretAccessKey.revealed)".utf8)
        for part in [day, region, service, "aws4_request"] { key = try Digest.hmacSHA256(Array(part.utf8), key: key) }
        let signature = Hex.encode(try Digest.hmacSHA256(Array(toSign.utf8), key: key))
        request.headers["Authorization"] =
            "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope), SignedHeaders=\(signedFields), Signature=\(signature)"
    }

    static func canonicalRequest(_ request: HTTPRequest, payloadHash: String) -> (text: String, signedFields: String) {
        var fields: [String: [String]] = ["host": [request.url.authority]]
        for field in request.headers.fields where field.name.lowercased() != "authorization" {
            fields[field.name.lowercased(), default: []].append(trimmed(field.value))
        }
        let names = fields.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let lines = names.map { "\($0):\((fields[$0] ?? []).joined(separator: ","))\n" }.joined()
        let signedFields = names.joined(separator: ";")
        let text =
            "\(request.method)\n\(request.url.path)\n\(canonicalQuery(request.url.query ?? ""))\n\(lines)\n\(signedFields)\n\(payloadHash)"
        return (text, signedFields)
    }

    /// Sorted by encoded name, then value; a parameter without `=` gets one.
    static func canonicalQuery(_ query: String) -> String {
        query.split(separator: "&").map { item in
            let equals = item.firstIndex(of: "=") ?? item.endIndex
            return (name: item[..<equals], value: item[equals...].dropFirst())
        }
        .sorted {
            $0.name == $1.name
                ? $0.value.utf8.lexicographicallyPrecedes($1.value.utf8)
                : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
        }
        .map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    }

    /// Blanks at both ends go, runs of blanks inside become one.
    private static func trimmed(_ value: String) -> String { value.split(separator: " ").joined(separator: " ") }

    /// `20130524T000000Z`
    private static func stamp(_ time: Timestamp) -> String {
        Timestamp(seconds: time.seconds).description.filter { $0 != "-" && $0 != ":" }
    }
}
