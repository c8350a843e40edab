public import KopiaManifest
public import KopiaObject
public import KopiaSnapshot

/// How much a verification looks at.
public struct VerifyOptions: Sendable {
    /// Nil: all, incomplete ones included.
    public var snapshots: [ManifestID]?
    /// Reads and authenticates every byte; else only looks whether everything is there.
    public var readsFiles = true

    public init() {}
}

/// One thing that is wrong, and what it means for whom.
public struct VerificationProblem: Sendable, Hashable, CustomStringConvertible {
    public enum Severity: String, Sendable, Hashable {
        /// Something cannot be read.
        case damage
        /// Worth knowing; nothing is lost.
        case notice
    }

    /// A file or directory of a snapshot.
    public struct Place: Sendable, Hashable {
        public let snapshot: ManifestID
        public let source: SnapshotSource
        /// Relative to the root of the snapshot; empty for the root.
        public let path: String
        public let object: ObjectID
    }

    public let severity: Severity
    /// Nil when the problem is the repository's, not one file's.
    public let place: Place?
    public let content: String?
    public let blob: String?
    /// A whole sentence.
    public let message: String
    public let hint: String?

    /// One line, without the hint.
    public var description: String {
        guard let place else { return message }
        let name = place.path.isEmpty ? "the root" : "'\(place.path)'"
        return "\(name) of snapshot \(place.snapshot) (\(place.source)): \(message)"
    }
}

/// What a verification saw.
public struct VerificationReport: Sendable, Hashable {
    public internal(set) var snapshotCount = 0
    /// Different directories and files: what several snapshots share counts once.
    public internal(set) var directoryCount = 0
    public internal(set) var fileCount = 0
    /// Bytes of those files.
    public internal(set) var byteCount: Int64 = 0
    /// In the order of the snapshots; problems of the repository first.
    public internal(set) var problems: [VerificationProblem] = []

    /// Whether everything can be read.
    public var isSound: Bool { !problems.contains { $0.severity == .damage } }
}

extension Repository {
    /// Verifies a repository, also one that cannot be opened for anything else because index blobs are damaged: pack blobs
    /// against indexes, manifests, every directory and file. Goes on after each problem. Writes nothing.
    ///
    /// Concurrency and memory: files are read several at a time, each with the read-ahead of `SnapshotFile`; holds the IDs
    /// of all directories and files seen.
    ///
    /// - Throws: `RepositoryError` when the repository cannot be opened at all: no repository, wrong password, unknown
    ///   format, damaged format blob; `.snapshotNotFound` for a snapshot asked for that is not there.
    public static func verify(
        at location: RepositoryLocation, password: RepositoryPassword, identity: RepositoryIdentity,
        options: VerifyOptions = VerifyOptions()
    ) async throws -> VerificationReport {
        try await with(
            at: location, password: password, access: .readOnly, identity: identity, skipsDamagedIndexes: true
        ) { repository in
            try await repository.verify(options: options)
        }
    }

    /// As above, with snapshots by the names `snapshot(named:)` takes.
    ///
    /// - Parameter snapshots: empty for all, incomplete ones included.
    public static func verify(
        at location: RepositoryLocation, password: RepositoryPassword, identity: RepositoryIdentity,
        snapshots: [String], readsFiles: Bool
    ) async throws -> VerificationReport {
        try await with(
            at: location, password: password, access: .readOnly, identity: identity, skipsDamagedIndexes: true
        ) { repository in
            var options = VerifyOptions()
            options.readsFiles = readsFiles
            if !snapshots.isEmpty {
                var chosen: [ManifestID] = []
                for name in snapshots { chosen.append(try await repository.snapshot(named: name).id) }
                options.snapshots = chosen
            }
            return try await repository.verify(options: options)
        }
    }

    /// Verifies the repository that is open.
    public func verify(options: VerifyOptions = VerifyOptions()) async throws -> VerificationReport {
        try await translatingErrors {
            var verifier = Verifier(repository: self, options: options)
            try await verifier.checkBlobs()
            try await verifier.checkSnapshots()
            return verifier.report
        }
    }
}
