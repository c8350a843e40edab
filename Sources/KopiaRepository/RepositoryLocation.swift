public import GoFormats
internal import KopiaBlob
internal import KopiaCloud
internal import KopiaServer

/// Where a repository is, and what opens the place; not its password.
public struct RepositoryLocation: Sendable, CustomStringConvertible {
    enum Kind: Sendable {
        case filesystem(path: String)
        /// Indirect: importers of this room do not see KopiaCloud, and need not know how large its types are.
        indirect case cloud(CloudLocation, CloudLocation.Credentials)
        case server(ServerAddress)
    }
    let kind: Kind
    /// Nil for now.
    private(set) var pointInTime: Timestamp?
    /// What happens while the place keeps one waiting.
    public var patience = RepositoryPatience()

    /// The same place as it was then, for reading: what was overwritten, deleted or hidden since is there.
    ///
    /// - Throws: `RepositoryError.Code.invalidArgument` where no versions are kept.
    public func at(_ time: Timestamp) throws(RepositoryError) -> RepositoryLocation {
        guard case .cloud = kind else {
            throw RepositoryError(
                .invalidArgument, "\(self) cannot be read as it was at \(time): no versions are kept there",
                hint: "this works for S3 and Azure, where the bucket or account keeps versions")
        }
        var location = self
        location.pointInTime = time
        return location
    }

    /// A folder of this machine.
    ///
    /// - Parameter path: absolute or relative to the working folder; used as it is.
    public static func filesystem(path: String) -> RepositoryLocation {
        RepositoryLocation(kind: .filesystem(path: path))
    }

    /// A kopia repository server. The identity and the password that go with it are its user's.
    ///
    /// - Parameters:
    ///   - endpoint: `https://host:port`.
    ///   - certificate: the server's own, as PEM; nil or empty trusts this machine's authorities.
    ///   - environment: `SSL_CERT_FILE` names other authorities to trust, as for storage services.
    /// - Throws: `RepositoryError.Code.invalidLocation`.
    public static func server(
        endpoint: String, certificate: String?, environment: [String: String] = [:]
    ) throws(RepositoryError) -> RepositoryLocation {
        let address: ServerAddress
        do throws(ServerError) {
            address = try ServerAddress(endpoint: endpoint, certificate: certificate)
        } catch {
            throw RepositoryError(.invalidLocation, error.message, hint: error.hint)
        }
        return try server(address, environment)
    }

    /// Whether a server keeps the repository: then the password is its user's, and user and host must be those it knows.
    public var isServer: Bool {
        if case .server = kind { return true }
        return false
    }

    private init(kind: Kind) { self.kind = kind }

    /// Reads an address (percent-encoding allowed):
    ///
    /// - `file:///absolute/folder`
    /// - `s3://bucket/prefix?endpoint=…&region=…` and `azblob://container/prefix?account=…`; `KopiaCloud`'s `CloudLocation`
    ///   has the table of parameters
    /// - `kopia+https://host:port?fingerprint=…`: a repository server, with the SHA-256 of its certificate in hex
    ///
    /// - Parameter environment: where the service's credentials are, and what the address leaves out.
    /// - Throws: `RepositoryError.Code.invalidLocation`; `.noCredentials`; `.unsupportedLocation` for `gs://`.
    public init(url: String, environment: [String: String] = [:]) throws(RepositoryError) {
        guard let colon = url.firstIndex(of: ":") else {
            throw RepositoryError(
                .invalidLocation, "the repository '\(url)' is no URL",
                hint: url.hasPrefix("/") ? "write file://\(url)" : "a folder is written file:///its/absolute/path")
        }
        let scheme = url[..<colon].lowercased()
        let rest = url[url.index(after: colon)...]
        switch scheme {
        case "file":
            guard rest.hasPrefix("///"), let path = Self.percentDecoded(rest.dropFirst(2)), path.utf8.count > 1,
                !path.utf8.contains(0)
            else {
                throw RepositoryError(
                    .invalidLocation, "the repository '\(url)' does not name an absolute folder",
                    hint: "a folder is written file:///its/absolute/path")
            }
            kind = .filesystem(path: path)
        case "s3", "azblob":
            do throws(BlobError) {
                let location = try CloudLocation(url: url, environment: environment)
                kind = .cloud(location, try location.credentials(environment: environment))
            } catch {
                throw RepositoryError(
                    error.code == .accessDenied ? .noCredentials : .invalidLocation, error.message, hint: error.hint)
            }
        case "gs":
            throw RepositoryError(
                .unsupportedLocation, "repositories at gs:// are not in this version",
                hint: "Google's storage speaks S3 with HMAC keys: s3://bucket/prefix?endpoint=storage.googleapis.com")
        case "kopia+https":
            self = try Self.server(try Self.serverAddress(url: url), environment)
        default:
            throw RepositoryError(
                .invalidLocation, "the repository has the unknown scheme '\(scheme)'", hint: Self.known)
        }
    }

    private static let known =
        "known: file:///its/absolute/path, s3://bucket/prefix?endpoint=HOST&region=NAME, "
        + "azblob://container/prefix?account=NAME, kopia+https://host:port?fingerprint=SHA256"

    private static func server(
        _ address: ServerAddress, _ environment: [String: String]
    ) throws(RepositoryError) -> RepositoryLocation {
        var address = address
        do throws(BlobError) {
            if address.fingerprint == nil {
                address.caCertificates = try CloudConnection.authorities(environment: environment)
            }
        } catch {
            throw RepositoryError(.invalidLocation, error.message, hint: error.hint)
        }
        return RepositoryLocation(kind: .server(address))
    }

    private static func serverAddress(url: String) throws(RepositoryError) -> ServerAddress {
        let parts = url.dropFirst("kopia+".utf8.count).split(separator: "?", maxSplits: 1)
        var fingerprint: String?
        for parameter in parts.dropFirst().first?.split(separator: "&") ?? [] {
            guard parameter.hasPrefix("fingerprint=") else {
                throw RepositoryError(
                    .invalidLocation,
                    "the repository server's address has the unknown parameter "
                        + "'\(parameter.prefix { $0 != "=" })=…'",
                    hint: "known: fingerprint=SHA256 of the server's certificate")
            }
            fingerprint = String(parameter.dropFirst("fingerprint=".utf8.count))
        }
        do throws(ServerError) {
            return try ServerAddress(endpoint: String(parts.first ?? ""), fingerprint: fingerprint)
        } catch {
            throw RepositoryError(.invalidLocation, error.message, hint: error.hint)
        }
    }

    /// Without secrets.
    public var description: String {
        switch kind {
        case .filesystem(let path): return "file://\(path)"
        case .cloud(let location, _):
            return pointInTime.map { "\(location.displayName) at \($0)" } ?? location.displayName
        case .server(let address): return "kopia+https://\(address.authority)"
        }
    }

    private static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

/// Who works with the repository: the `user@host` of new snapshots and sessions.
public struct RepositoryIdentity: Sendable, Hashable, CustomStringConvertible {
    public let userName: String
    public let host: String

    public init(userName: String, host: String) {
        self.userName = userName
        self.host = host
    }

    public var description: String { "\(userName)@\(host)" }

    /// The source of this identity's snapshots of `path`.
    public func source(path: String) -> SnapshotSource {
        SnapshotSource(host: host, userName: userName, path: path)
    }
}

public enum RepositoryAccess: Sendable, Hashable {
    /// Writes nothing at all to the storage.
    case readOnly
    case readWrite
}
