/// What could not be done with a repository, why, and what to do about it.
public struct RepositoryError: Error, Sendable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        private enum Kind: Sendable, Hashable {
            case invalidLocation, unsupportedLocation, noCredentials, invalidArgument
            case notInitialized, alreadyExists, wrongPassword, accessDenied, unsupportedFormat, upgradeInProgress,
                readOnly
            case snapshotNotFound, ambiguousSnapshot, entryNotFound, damaged, notCommitted, storage, notImmutable
        }
        private let kind: Kind

        // The caller's mistake: exit code 3.

        /// The location is no URL or names nothing usable.
        public static let invalidLocation = Code(kind: .invalidLocation)
        /// The location is of a kind that this version does not know.
        public static let unsupportedLocation = Code(kind: .unsupportedLocation)
        /// The environment has no credentials for the location's storage service.
        public static let noCredentials = Code(kind: .noCredentials)
        /// A name, tag, policy or option that kopia would not take.
        public static let invalidArgument = Code(kind: .invalidArgument)
        /// No snapshot has that ID, ID prefix or root object.
        public static let snapshotNotFound = Code(kind: .snapshotNotFound)
        /// Several snapshots have IDs that start like this.
        public static let ambiguousSnapshot = Code(kind: .ambiguousSnapshot)
        /// The snapshot has no such path.
        public static let entryNotFound = Code(kind: .entryNotFound)

        // The repository or its storage: exit code 5.

        /// There is no repository at the location.
        public static let notInitialized = Code(kind: .notInitialized)
        /// There is one already; nothing was written.
        public static let alreadyExists = Code(kind: .alreadyExists)
        /// For a repository server: unknown user, or not that user's password.
        public static let wrongPassword = Code(kind: .wrongPassword)
        /// A repository server does not let this user do it.
        public static let accessDenied = Code(kind: .accessDenied)
        /// Made by a version, with a feature or an algorithm that this one does not know.
        public static let unsupportedFormat = Code(kind: .unsupportedFormat)
        /// Somebody is upgrading the repository; nothing may be read or written meanwhile.
        public static let upgradeInProgress = Code(kind: .upgradeInProgress)
        /// Opened for reading only.
        public static let readOnly = Code(kind: .readOnly)
        /// Stored bytes are missing or altered.
        public static let damaged = Code(kind: .damaged)
        /// The snapshot was not published.
        public static let notCommitted = Code(kind: .notCommitted)
        /// The storage refused or failed.
        public static let storage = Code(kind: .storage)

        // A promise that does not hold: exit code 6.

        /// Blobs are not locked, or not as long as was asked for.
        public static let notImmutable = Code(kind: .notImmutable)

        /// Whether what the caller gave is wrong, rather than the repository.
        public var isCallersMistake: Bool {
            switch kind {
            case .invalidLocation, .unsupportedLocation, .noCredentials, .invalidArgument, .snapshotNotFound,
                .ambiguousSnapshot, .entryNotFound:
                return true
            default: return false
            }
        }
    }

    public let code: Code
    /// A whole sentence without the hint: what happened to which thing.
    public let message: String
    public let hint: String?
    /// Whether doing the same again may work.
    public let isTransient: Bool

    public init(_ code: Code, _ message: String, hint: String? = nil, isTransient: Bool = false) {
        self.code = code
        self.message = message
        self.hint = hint
        self.isTransient = isTransient
    }

    public var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}
