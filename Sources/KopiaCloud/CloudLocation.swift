internal import HTTPTransport
public import KopiaBlob

/// A storage service as an address:
///
/// ```
/// s3://bucket/prefix?endpoint=host:port&region=eu-central-1
/// azblob://container/prefix?account=name
/// ```
///
/// | parameter | of | meaning |
/// |---|---|---|
/// | `endpoint` | both | host, host:port or URL of the service; `http://…` for one without TLS |
/// | `region` | s3 | else `AWS_REGION`, `AWS_DEFAULT_REGION`, `us-east-1` |
/// | `style` | s3 | `path` or `virtual` |
/// | `credentials` | s3 | file with the keys as `~/.aws/credentials` has them, profile `AWS_PROFILE` or `default`; else the environment |
/// | `account` | azblob | else `AZURE_STORAGE_ACCOUNT` |
/// | `domain` | azblob | of another Azure cloud |
/// | `ca` | both | file with the CA certificates to trust instead of the system's, PEM; else `SSL_CERT_FILE` |
/// | `tls` | both | `skip-verify` to trust any certificate |
/// | `prefix` | both | the prefix as it is, without the path's `/` at the end |
///
/// The path becomes the prefix with a `/` at the end: what `kopia --prefix=team/db/` is for kopia is `s3://bucket/team/db`
/// here. Credentials are never part of it.
public enum CloudLocation: Sendable {
    case s3(S3Configuration)
    case azure(AzureConfiguration)

    public static func knows(scheme: String) -> Bool { scheme == "s3" || scheme == "azblob" }

    /// - Parameter environment: for what the address leaves out.
    /// - Throws: `BlobError.Code.invalidStorage`.
    public init(url: String, environment: [String: String]) throws(BlobError) {
        let address = try Address(url)
        let connection = try Self.connection(address, environment)
        func variable(_ names: String...) -> String? {
            names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        }
        switch address.scheme {
        case "s3":
            try address.allow(["endpoint", "region", "style", "credentials", "ca", "tls", "prefix"])
            var style: S3Configuration.Addressing?
            if let text = address.parameters["style"] {
                guard let known = S3Configuration.Addressing(rawValue: text) else {
                    throw address.invalid("style '\(text)' is neither 'path' nor 'virtual'")
                }
                style = known
            }
            var configuration = try S3Configuration(
                bucket: address.container, prefix: address.prefix,
                endpoint: address.parameters["endpoint"] ?? variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
                region: address.parameters["region"] ?? variable("AWS_REGION", "AWS_DEFAULT_REGION"),
                addressing: style, connection: connection)
            configuration.credentialsFile = address.parameters["credentials"]
            self = .s3(configuration)
        case "azblob":
            try address.allow(["endpoint", "account", "domain", "ca", "tls", "prefix"])
            guard let account = address.parameters["account"] ?? variable("AZURE_STORAGE_ACCOUNT") else {
                throw address.invalid(
                    "it names no storage account", hint: "add ?account=NAME, or set AZURE_STORAGE_ACCOUNT")
            }
            self = .azure(
                try AzureConfiguration(
                    account: account, container: address.container, prefix: address.prefix,
                    endpoint: address.parameters["endpoint"],
                    domain: address.parameters["domain"] ?? "core.windows.net", connection: connection))
        default:
            throw address.invalid("its scheme is neither s3 nor azblob")
        }
    }

    /// The same place, with other patience for a service that says nothing.
    public func with(silenceMax: Duration) -> CloudLocation {
        switch self {
        case .s3(var configuration):
            configuration.connection.silenceMax = silenceMax
            return .s3(configuration)
        case .azure(var configuration):
            configuration.connection.silenceMax = silenceMax
            return .azure(configuration)
        }
    }

    /// What proves to the service who asks.
    public enum Credentials: Sendable {
        case s3(S3CredentialSource)
        case azure(AzureCredentials)
    }

    /// The credentials that the environment holds for this service.
    ///
    /// - Throws: `BlobError.Code.accessDenied` when there are none.
    public func credentials(environment: [String: String]) throws(BlobError) -> Credentials {
        switch self {
        case .s3(let configuration):
            if let path = configuration.credentialsFile {
                return .s3(.fixed(try SharedCredentials.read(path, profile: environment["AWS_PROFILE"])))
            }
            return .s3(try .from(environment: environment, region: configuration.region))
        case .azure: return .azure(try .from(environment: environment))
        }
    }

    /// Opens it. Nothing is sent yet.
    ///
    /// - Throws: `BlobError.Code.accessDenied` when the credentials are another service's; `.invalidStorage` when the
    ///   connection's settings cannot work.
    public func open(
        _ credentials: Credentials, _ environment: CloudEnvironment = .system
    ) throws(BlobError) -> any LockingBlobStorage {
        switch (self, credentials) {
        case (.s3(let configuration), .s3(let credentials)):
            return try S3BlobStorage(configuration, source: credentials, environment: environment)
        case (.azure(let configuration), .azure(let credentials)):
            return try AzureBlobStorage(configuration, credentials: credentials, environment: environment)
        default: throw BlobError(.accessDenied, "the credentials for \(displayName) are another service's")
        }
    }

    /// Opens it with the credentials that the environment holds.
    public func open(
        environment variables: [String: String], _ environment: CloudEnvironment = .system
    ) throws(BlobError) -> any LockingBlobStorage {
        try open(try credentials(environment: variables), environment)
    }

    /// Bucket and prefix, or container, prefix and account; for messages.
    public var displayName: String {
        switch self {
        case .s3(let configuration): configuration.displayName
        case .azure(let configuration): configuration.displayName
        }
    }

    private static func connection(
        _ address: Address, _ environment: [String: String]
    ) throws(BlobError) -> CloudConnection {
        var connection = try CloudConnection(environment: environment)
        if let path = address.parameters["ca"] {
            do throws(SmallFile.Failure) {
                connection.trust = .authorities(caCertificates: try SmallFile.read(path))
            } catch {
                throw address.invalid("the CA file \(error.reason)")
            }
        }
        switch address.parameters["tls"] {
        case nil, "verify": break
        case "skip-verify": connection.trust = .anything
        case let other?: throw address.invalid("tls '\(other)' is neither 'verify' nor 'skip-verify'")
        }
        return connection
    }

    /// `scheme://container/path?name=value&…`, percent-decoded.
    private struct Address {
        let text: String
        let scheme: String
        let container: String
        let prefix: String
        let parameters: [String: String]

        init(_ text: String) throws(BlobError) {
            self.text = String(text.prefix { $0 != "?" })
            func invalid(_ reason: String) -> BlobError { Self.invalid(String(text.prefix { $0 != "?" }), reason) }
            guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else {
                throw invalid("it does not start with s3:// or azblob://")
            }
            scheme = text[..<colon].lowercased()
            let rest = text[colon...].dropFirst(3)
            let queryStart = rest.firstIndex(of: "?") ?? rest.endIndex
            let place = rest[..<queryStart]
            let slash = place.firstIndex(of: "/") ?? place.endIndex
            guard let container = PercentEncoding.decode(place[..<slash]), !container.isEmpty,
                let path = PercentEncoding.decode(place[slash...].dropFirst())
            else { throw invalid("it names no bucket or container") }
            var parameters: [String: String] = [:]
            for item in rest[queryStart...].dropFirst().split(separator: "&") {
                let equals = item.firstIndex(of: "=") ?? item.endIndex
                let name = String(item[..<equals])
                guard let value = PercentEncoding.decode(item[equals...].dropFirst()), parameters[name] == nil else {
                    throw invalid("the parameter '\(name)' is there twice or wrongly encoded")
                }
                parameters[name] = value
            }
            guard path.isEmpty || parameters["prefix"] == nil else {
                throw invalid("it has a path and a parameter 'prefix'; one of them is enough")
            }
            self.container = container
            prefix = parameters["prefix"] ?? (path.isEmpty || path.hasSuffix("/") ? path : path + "/")
            self.parameters = parameters
        }

        func allow(_ names: Set<String>) throws(BlobError) {
            guard let unknown = parameters.keys.sorted().first(where: { !names.contains($0) }) else { return }
            throw invalid(
                "the parameter '\(unknown)' is unknown", hint: "known: \(names.sorted().joined(separator: ", "))")
        }

        func invalid(_ reason: String, hint: String? = nil) -> BlobError { Self.invalid(text, reason, hint: hint) }

        private static func invalid(_ text: String, _ reason: String, hint: String? = nil) -> BlobError {
            BlobError(
                .invalidStorage, "'\(text)' is not an address of storage: \(reason)",
                hint: hint
                    ?? "write it like s3://bucket/prefix?endpoint=HOST&region=NAME or azblob://container/prefix?account=NAME"
            )
        }
    }
}
