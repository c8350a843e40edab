/// What is wrong with a repository's format, or with bytes that should have been hashed, decrypted or decompressed.
public struct FormatError: Error, Sendable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        private enum Kind: Sendable, Hashable {
            case notInitialized, alreadyInitialized, wrongPassword, damaged, unsupported, requiredFeature
            case upgradeInProgress, invalidParameter, authenticationFailed, damagedStream, library
        }
        private let kind: Kind

        /// There is no `kopia.repository` in the storage.
        public static let notInitialized = Code(kind: .notInitialized)
        /// There is one already; nothing was written.
        public static let alreadyInitialized = Code(kind: .alreadyInitialized)
        /// The encrypted part of the format block did not authenticate: a wrong password or altered bytes.
        public static let wrongPassword = Code(kind: .wrongPassword)
        /// A format blob is not what any kopia writes: cut short, not JSON, missing values.
        public static let damaged = Code(kind: .damaged)
        /// A version, hash, encryption, key derivation, compression or error correction this program does not know.
        public static let unsupported = Code(kind: .unsupported)
        /// The repository asks for a feature by name that this program does not have.
        public static let requiredFeature = Code(kind: .requiredFeature)
        /// Somebody is upgrading the repository: all I/O must stop.
        public static let upgradeInProgress = Code(kind: .upgradeInProgress)
        /// A value given for a new repository, or a change, is not allowed.
        public static let invalidParameter = Code(kind: .invalidParameter)
        /// Stored bytes do not decrypt: altered, cut short, or encrypted for another content.
        public static let authenticationFailed = Code(kind: .authenticationFailed)
        /// A compressed stream is malformed, or gives another length than it should.
        public static let damagedStream = Code(kind: .damagedStream)
        /// A library call failed that has no reason to, for example for want of memory.
        public static let library = Code(kind: .library)
    }

    public let code: Code
    /// A whole sentence without the hint.
    public let message: String
    public let hint: String?

    public init(_ code: Code, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    public var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}
