public import Diagnostics

/// A Kanister Profile: where artifacts go and how to get in. Secrets are only referenced, never held.
///
/// Source: Kanister `pkg/apis/cr/v1alpha1/types.go` (`Profile`).
public struct Profile: Sendable, Hashable {
    public static let apiVersion = "cr.kanister.io/v1alpha1"
    public static let kind = "Profile"

    public var name: LocatedText
    public var namespace: LocatedText
    public var location: Location
    public var credential: Credential
    public var skipSSLVerify: Bool
    public var range: SourceRange?

    public init(
        name: LocatedText, namespace: LocatedText = "", location: Location, credential: Credential,
        skipSSLVerify: Bool = false, range: SourceRange? = nil
    ) {
        self.name = name
        self.namespace = namespace
        self.location = location
        self.credential = credential
        self.skipSSLVerify = skipSSLVerify
        self.range = range
    }

    public struct Location: Sendable, Hashable {
        public enum Kind: String, Sendable, CaseIterable {
            case s3Compliant
            case gcs
            case azure
            case kopia
            /// Ours, for local use: `bucket` is a folder with a kopia repository. Kanister and Kasten do not know it.
            case filesystem
        }

        /// `type` as written; `kind` knows those that exist.
        public var type: LocatedText
        public var bucket: LocatedText
        public var endpoint: LocatedText
        public var prefix: LocatedText
        public var region: LocatedText

        public var kind: Kind? { Kind(rawValue: type.text) }

        public init(
            type: LocatedText, bucket: LocatedText = "", endpoint: LocatedText = "", prefix: LocatedText = "",
            region: LocatedText = ""
        ) {
            self.type = type
            self.bucket = bucket
            self.endpoint = endpoint
            self.prefix = prefix
            self.region = region
        }
    }

    public struct Credential: Sendable, Hashable {
        public enum Kind: String, Sendable, CaseIterable {
            case keyPair
            case secret
            case kopia
        }

        /// `type` as written; `kind` knows those that exist.
        public var type: LocatedText
        public var keyPair: KeyPair?
        public var secret: ObjectReference?
        public var kopiaServerSecret: KopiaServerSecret?

        public var kind: Kind? { Kind(rawValue: type.text) }

        public init(
            type: LocatedText, keyPair: KeyPair? = nil, secret: ObjectReference? = nil,
            kopiaServerSecret: KopiaServerSecret? = nil
        ) {
            self.type = type
            self.keyPair = keyPair
            self.secret = secret
            self.kopiaServerSecret = kopiaServerSecret
        }
    }

    /// Two fields of one Secret.
    public struct KeyPair: Sendable, Hashable {
        public var idField: LocatedText
        public var secretField: LocatedText
        public var secret: ObjectReference

        public init(idField: LocatedText, secretField: LocatedText, secret: ObjectReference) {
            self.idField = idField
            self.secretField = secretField
            self.secret = secret
        }
    }

    /// One key of a Secret.
    public struct SecretKey: Sendable, Hashable {
        public var key: LocatedText
        public var secret: ObjectReference

        public init(key: LocatedText, secret: ObjectReference) {
            self.key = key
            self.secret = secret
        }
    }

    /// How to get into a kopia repository server. Of a `filesystem` location only `userPassphrase` counts: the
    /// repository's password.
    public struct KopiaServerSecret: Sendable, Hashable {
        public var username: LocatedText
        public var hostname: LocatedText
        public var userPassphrase: SecretKey?
        public var tlsCert: SecretKey?
        /// In the order of the file.
        public var connectOptions: [ConnectOption]

        public init(
            username: LocatedText = "", hostname: LocatedText = "", userPassphrase: SecretKey? = nil,
            tlsCert: SecretKey? = nil, connectOptions: [ConnectOption] = []
        ) {
            self.username = username
            self.hostname = hostname
            self.userPassphrase = userPassphrase
            self.tlsCert = tlsCert
            self.connectOptions = connectOptions
        }
    }

    /// A number under a name; cache sizes are in MB.
    public struct ConnectOption: Sendable, Hashable {
        public var name: LocatedText
        public var value: Int64

        public init(name: LocatedText, value: Int64) {
            self.name = name
            self.value = value
        }
    }
}
