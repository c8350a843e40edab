public import HTTPTransport
public import KopiaBlob
public import Secrets

/// Keys of an S3 account.
public struct S3Credentials: Sendable, Hashable {
    public var accessKeyID: String
    public var secretAccessKey: Secret
    /// Of temporary credentials.
    public var sessionToken: Secret?

    public init(accessKeyID: String, secretAccessKey: Secret, sessionToken: Secret? = nil) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
    }

    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
    ///
    /// - Throws: `BlobError.Code.accessDenied` when one of the first two is missing.
    public init(environment: [String: String]) throws(BlobError) {
        guard let id = environment["AWS_ACCESS_KEY_ID"], let key = environment["AWS_SECRET_ACCESS_KEY"], !id.isEmpty,
            !key.isEmpty
        else {
            throw BlobError(
                .accessDenied, "there are no credentials for S3",
                hint: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary ones")
        }
        let token = environment["AWS_SESSION_TOKEN"].flatMap { $0.isEmpty ? nil : Secret($0) }
        self.init(accessKeyID: id, secretAccessKey: Secret(key), sessionToken: token)
    }
}

/// Where blobs are kept on S3 or something that speaks its protocol.
public struct S3Configuration: Sendable {
    public enum Addressing: String, Sendable, Hashable {
        /// `https://endpoint/bucket/key`; what servers other than AWS's understand.
        case path
        /// `https://bucket.endpoint/key`; what AWS wants.
        case virtualHost = "virtual"
    }

    public var bucket: String
    /// Put before each blob's ID as it is; ends with `/` by convention.
    public var prefix: String
    /// Scheme, host and port; path and query are ignored.
    public var endpoint: HTTPURL
    public var region: String
    public var addressing: Addressing
    public var connection: CloudConnection
    /// A file in the form of AWS's shared credentials, instead of the environment.
    public var credentialsFile: String?

    /// - Parameters:
    ///   - endpoint: `host`, `host:port` or `http(s)://host:port`; nil for AWS's of the region.
    ///   - region: nil for `us-east-1`, which servers other than AWS's accept as a rule.
    ///   - addressing: nil for virtual hosts at AWS and paths elsewhere.
    /// - Throws: `BlobError.Code.invalidStorage`.
    public init(
        bucket: String, prefix: String = "", endpoint: String? = nil, region: String? = nil,
        addressing: Addressing? = nil, connection: CloudConnection = CloudConnection()
    ) throws(BlobError) {
        guard Self.isBucketName(bucket) else {
            throw BlobError(
                .invalidStorage, "'\(bucket)' is not the name of an S3 bucket",
                hint: "a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens")
        }
        let region = region.flatMap { $0.isEmpty ? nil : $0 } ?? "us-east-1"
        let text = endpoint.flatMap { $0.isEmpty ? nil : $0 } ?? "s3.\(region).amazonaws.com"
        do throws(HTTPError) {
            self.endpoint = try HTTPURL(text.contains("://") ? text : "https://\(text)")
        } catch {
            throw BlobError(.invalidStorage, "the S3 endpoint \(error.message)", hint: error.hint)
        }
        self.bucket = bucket
        self.prefix = prefix
        self.region = region
        // A certificate for *.s3.amazonaws.com does not cover a bucket with a dot.
        let isAmazon =
            self.endpoint.host.hasSuffix(".amazonaws.com") || self.endpoint.host.hasSuffix(".amazonaws.com.cn")
        self.addressing = addressing ?? (isAmazon && !bucket.contains(".") ? .virtualHost : .path)
        self.connection = connection
    }

    var displayName: String { "s3://\(bucket)/\(prefix)" }

    /// Old buckets may have capital letters and underscores.
    private static func isBucketName(_ name: String) -> Bool {
        (3...255).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    return true
                default: return false
                }
            } && !name.hasPrefix(".")
    }

    /// The address of the bucket (empty key) or of an object.
    ///
    /// - Parameter query: canonical: sorted, percent-encoded.
    package func url(key: String = "", query: String? = nil) -> HTTPURL {
        let path = PercentEncoding.encode(key, keepsSlash: true)
        switch addressing {
        case .path:
            return HTTPURL(
                scheme: endpoint.scheme, host: endpoint.host, port: endpoint.port,
                path: key.isEmpty ? "/\(bucket)" : "/\(bucket)/\(path)", query: query)
        case .virtualHost:
            return HTTPURL(
                scheme: endpoint.scheme, host: "\(bucket).\(endpoint.host)", port: endpoint.port, path: "/\(path)",
                query: query)
        }
    }
}
