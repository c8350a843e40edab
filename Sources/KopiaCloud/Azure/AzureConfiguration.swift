internal import Digests
import GoFormats
public import HTTPTransport
public import KopiaBlob
public import Secrets

/// What proves to Azure who asks.
public struct AzureCredentials: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        /// Decoded.
        case sharedKey(SecretKey)
        /// Without `?`.
        case sharedAccessSignature(Secret)
        /// A file with one, which somebody renews.
        case sharedAccessSignatureFile(path: String)
        case entra(EntraApplication)
    }
    let kind: Kind

    /// Bytes that print as `<redacted>`.
    struct SecretKey: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
        let bytes: [UInt8]
        var description: String { "<redacted>" }
        var customMirror: Mirror { Mirror(self, children: []) }
    }

    /// The key of a storage account, base64 as the portal shows it.
    ///
    /// - Throws: `BlobError.Code.accessDenied` when it is not base64.
    public static func sharedKey(_ key: Secret) throws(BlobError) -> AzureCredentials {
        guard let bytes = Base64.decode(key.revealed), !bytes.isEmpty else {
            throw BlobError(
                .accessDenied, "the key of the storage account is not base64",
                hint: "copy the whole key; it ends with '=='")
        }
        return AzureCredentials(kind: .sharedKey(SecretKey(bytes: bytes)))
    }

    /// A shared access signature: `sv=…&sig=…`, with or without a `?` in front.
    public static func sharedAccessSignature(_ token: Secret) -> AzureCredentials {
        AzureCredentials(kind: .sharedAccessSignature(withoutMark(token)))
    }

    private static func withoutMark(_ token: Secret) -> Secret {
        token.revealed.hasPrefix("?") ? Secret(String(token.revealed.dropFirst())) : token
    }

    /// The first of: `AZURE_STORAGE_KEY`; `AZURE_STORAGE_SAS_TOKEN`; what `federated(environment:)` finds.
    ///
    /// - Throws: `BlobError.Code.accessDenied` when none is set.
    public static func from(environment: [String: String]) throws(BlobError) -> AzureCredentials {
        if let key = environment["AZURE_STORAGE_KEY"], !key.isEmpty { return try sharedKey(Secret(key)) }
        if let token = environment["AZURE_STORAGE_SAS_TOKEN"], !token.isEmpty {
            return sharedAccessSignature(Secret(token))
        }
        if let credentials = try federated(environment: environment) { return credentials }
        throw BlobError(
            .accessDenied, "there are no credentials for Azure storage",
            hint:
                "set AZURE_STORAGE_KEY, or AZURE_STORAGE_SAS_TOKEN, or AZURE_FEDERATED_TOKEN_FILE for workload identity"
        )
    }

    /// Credentials that somebody renews: the file `AZURE_SAS_TOKEN_FILE`, else an Entra application by
    /// `AZURE_FEDERATED_TOKEN_FILE` or `AZURE_CLIENT_SECRET` with `AZURE_TENANT_ID` and `AZURE_CLIENT_ID`. Nil without.
    ///
    /// - Throws: `BlobError.Code.accessDenied` when they are not complete.
    public static func federated(environment: [String: String]) throws(BlobError) -> AzureCredentials? {
        if let path = environment["AZURE_SAS_TOKEN_FILE"], !path.isEmpty {
            return AzureCredentials(kind: .sharedAccessSignatureFile(path: path))
        }
        return try EntraApplication(environment: environment).map { AzureCredentials(kind: .entra($0)) }
    }

    /// How requests carry them.
    enum Authorization: Sendable {
        case sharedKey(SecretKey)
        /// In the query.
        case sharedAccessSignature(Refreshing<Secret>)
        case bearer(Refreshing<Secret>)
    }

    func authorization(_ environment: CloudEnvironment) throws(BlobError) -> Authorization {
        switch kind {
        case .sharedKey(let key): return .sharedKey(key)
        case .sharedAccessSignature(let token):
            return .sharedAccessSignature(
                Refreshing(clock: environment.clock) { Expiring(value: token, until: nil) })
        case .sharedAccessSignatureFile(let path):
            return .sharedAccessSignature(
                Refreshing(clock: environment.clock) {
                    do throws(SmallFile.Failure) {
                        let token = Self.withoutMark(Secret(try SmallFile.text(path)))
                        return Expiring(value: token, until: environment.clock().adding(seconds: 300))
                    } catch {
                        throw BlobError(
                            .accessDenied, "the file with the shared access signature \(error.reason)",
                            hint: "check AZURE_SAS_TOKEN_FILE")
                    }
                })
        case .entra(let application): return .bearer(try application.tokens(environment))
        }
    }
}

/// Where blobs are kept in Azure Blob Storage.
public struct AzureConfiguration: Sendable {
    public var account: String
    public var container: String
    /// Put before each blob's ID as it is; ends with `/` by convention.
    public var prefix: String
    /// Scheme, host, port and the path before the container, which is empty except at emulators.
    public var endpoint: HTTPURL
    public var connection: CloudConnection

    /// - Parameters:
    ///   - endpoint: nil for `https://<account>.blob.<domain>`.
    ///   - domain: of another cloud, for example `core.usgovcloudapi.net`.
    /// - Throws: `BlobError.Code.invalidStorage`.
    public init(
        account: String, container: String, prefix: String = "", endpoint: String? = nil,
        domain: String = "core.windows.net", connection: CloudConnection = CloudConnection()
    ) throws(BlobError) {
        guard !account.isEmpty, account.utf8.allSatisfy({ Self.isNameByte($0) && $0 != UInt8(ascii: "-") }) else {
            throw BlobError(
                .invalidStorage, "'\(account)' is not the name of a storage account",
                hint: "an account's name has lower-case letters and digits only")
        }
        guard (1...63).contains(container.utf8.count),
            container.utf8.allSatisfy(Self.isNameByte) || container == "$root"
        else {
            throw BlobError(
                .invalidStorage, "'\(container)' is not the name of a container",
                hint: "a container's name has 3 to 63 lower-case letters, digits and hyphens")
        }
        do throws(HTTPError) {
            let text = endpoint.flatMap { $0.isEmpty ? nil : $0 } ?? "https://\(account).blob.\(domain)"
            self.endpoint = try HTTPURL(text.contains("://") ? text : "https://\(text)")
        } catch {
            throw BlobError(.invalidStorage, "the Azure endpoint \(error.message)", hint: error.hint)
        }
        while self.endpoint.path.hasSuffix("/") { self.endpoint.path.removeLast() }
        self.account = account
        self.container = container
        self.prefix = prefix
        self.connection = connection
    }

    var displayName: String { "azblob://\(container)/\(prefix)?account=\(account)" }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }

    /// The address of the container (empty name) or of a blob.
    package func url(name: String = "", query: String? = nil) -> HTTPURL {
        var path = "\(endpoint.path)/\(container)"
        if !name.isEmpty { path += "/" + PercentEncoding.encode(name, keepsSlash: true) }
        return HTTPURL(scheme: endpoint.scheme, host: endpoint.host, port: endpoint.port, path: path, query: query)
    }
}
