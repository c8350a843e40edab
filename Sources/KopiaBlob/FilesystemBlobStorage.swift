internal import BlockingIO
internal import Glibc
internal import GoFormats
internal import Synchronization

/// Keeps blobs as files in a folder, the way kopia's filesystem provider does.
///
/// Put writes `<final path>.tmp.<16 hex digits>` (mode 0600), syncs it, renames it into place, and syncs the folder and
/// every folder above it that may be new: kopia leaves the last step out, and zero-length index blobs after a power
/// failure are what its users report. Listing walks the folders and skips those that cannot hold the prefix; names
/// not ending in `.f` are invisible. Symbolic links are neither listed nor read.
///
/// Concurrency and memory: all calls may run concurrently, each on a thread that may block. A call holds the blob or
/// range it works on; the provider remembers at most 16,384 folder names.
///
/// Source: kopia `repo/blob/filesystem/filesystem_storage.go`, `repo/blob/sharded/*.go`; `kopia-format` §1.3.
public struct FilesystemBlobStorage: BlobStorage {
    /// Absolute, without a slash at the end.
    public let path: String
    public let layout: ShardLayout
    let state: State

    public var displayName: String { "file://\(path)" }

    private init(path: String, layout: ShardLayout, lacksShardsFile: Bool) {
        self.path = path
        self.layout = layout
        state = State(lacksShardsFile: lacksShardsFile)
    }

    // MARK: Opening

    /// Opens the folder of an existing repository. Nothing is written.
    ///
    /// - Throws: `BlobError.Code.invalidStorage` when `path` is not a folder, holds no repository, or its `.shards` is
    ///   malformed; `.accessDenied`, `.io`.
    public static func open(path: String) async throws -> FilesystemBlobStorage {
        try await onBlockingThread { try openBlocking(path) }
    }

    /// Makes the folder (and those above it) when missing, and writes `.shards`.
    ///
    /// - Throws: `BlobError.Code.invalidStorage` when the folder holds anything but `.shards` and `lost+found`.
    public static func create(
        path: String, layout: ShardLayout = .standard
    ) async throws -> FilesystemBlobStorage {
        try await onBlockingThread { try createBlocking(path, layout) }
    }

    private static func openBlocking(_ path: String) throws(BlobError) -> FilesystemBlobStorage {
        let root = try absolute(path)
        do {
            let status = try FileSystem.status(root)
            guard status.isDirectory else { throw notAFolder(root) }
        } catch let failure as FileSystem.Failure {
            guard !failure.isMissing else {
                throw BlobError(
                    .invalidStorage, "there is no repository at '\(root)': the folder does not exist",
                    hint: "check the path; a repository is only created when asked for")
            }
            throw failure.error(blob: nil, "open the repository folder")
        } catch let error as BlobError {
            throw error
        } catch {
            throw BlobError(.io, "could not open the repository folder '\(root)': \(error)")
        }
        if let layout = try readLayout(root) {
            return FilesystemBlobStorage(path: root, layout: layout, lacksShardsFile: false)
        }
        guard (try? FileSystem.linkStatus(root + "/kopia.repository.f")) != nil else {
            throw BlobError(
                .invalidStorage,
                "'\(root)' is not a kopia repository: it has neither '.shards' nor 'kopia.repository.f'",
                hint: "check the path; a repository is only created when asked for")
        }
        return FilesystemBlobStorage(path: root, layout: .legacy, lacksShardsFile: true)
    }

    private static func createBlocking(
        _ path: String, _ layout: ShardLayout
    ) throws(BlobError) -> FilesystemBlobStorage {
        let root = try absolute(path)
        do {
            try makeFolders(root)
            guard try FileSystem.status(root).isDirectory else { throw notAFolder(root) }
            let names = try FileSystem.entries(root).map(\.name).sorted()
            if names.contains("kopia.repository.f") {
                throw BlobError(
                    .invalidStorage, "'\(root)' already holds a kopia repository",
                    hint: "open it, or choose another folder")
            }
            if let other = names.first(where: { $0 != ShardLayout.fileName && $0 != "lost+found" }) {
                throw BlobError(
                    .invalidStorage, "'\(root)' is not empty: it holds '\(other)'",
                    hint: "choose an empty or new folder for the repository")
            }
            let storage = FilesystemBlobStorage(path: root, layout: layout, lacksShardsFile: false)
            try storage.replaceFile(folder: root, name: ShardLayout.fileName, [layout.encoded])
            return storage
        } catch let failure as FileSystem.Failure {
            throw failure.error(blob: nil, "create the repository folder")
        } catch let error as BlobError {
            throw error
        } catch {
            throw BlobError(.io, "could not create the repository folder '\(root)': \(error)")
        }
    }

    private static func notAFolder(_ path: String) -> BlobError {
        BlobError(
            .invalidStorage, "'\(path)' is not a folder", hint: "a filesystem repository is a folder: give its path")
    }

    private static func absolute(_ path: String) throws(BlobError) -> String {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw BlobError(.invalidStorage, "the path of the repository is empty or holds a NUL byte")
        }
        var absolute = path
        if !path.utf8.starts(with: "/".utf8) {
            guard let working = getcwd(nil, 0) else {
                throw BlobError(.io, "could not find the working folder to resolve '\(path)'")
            }
            absolute = String(cString: working) + "/" + path
            free(working)
        }
        while absolute.utf8.count > 1, absolute.utf8.last == UInt8(ascii: "/") { absolute.removeLast() }
        return absolute
    }

    private static func makeFolders(_ path: String) throws(FileSystem.Failure) {
        var prefix = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: true) {
            let parent = prefix.isEmpty ? "/" : prefix
            prefix += "/" + part
            if (try? FileSystem.status(prefix)) != nil { continue }
            if try FileSystem.makeFolder(prefix) { try FileSystem.syncFolder(parent) }
        }
    }

    private static func readLayout(_ root: String) throws(BlobError) -> ShardLayout? {
        let file = "\(root)/\(ShardLayout.fileName)"
        let bytes: [UInt8]
        do throws(FileSystem.Failure) {
            let descriptor = try FileSystem.open(file, O_RDONLY)
            defer { _ = close(descriptor) }
            // One byte over the parser's limit, so that a huge file is refused rather than cut.
            bytes = try FileSystem.read(descriptor, path: file, offset: 0, count: 1 << 20 + 1)
        } catch {
            if error.isMissing { return nil }
            throw error.error(blob: nil, "read how blobs are spread over folders")
        }
        return try ShardLayout.decode(bytes, path: file)
    }

    // MARK: BlobStorage

    public func get(_ id: BlobID, range: Range<Int64>?) async throws -> [UInt8] {
        try Task.checkCancellation()
        return try await onBlockingThread { try getBlocking(id, range) }
    }

    public func put(_ id: BlobID, _ bytes: [UInt8], retention: BlobRetention?) async throws {
        try await put(id, pieces: [bytes], retention: retention)
    }

    /// Writes the pieces as they are: nothing is copied.
    public func put(_ id: BlobID, pieces: [[UInt8]], retention: BlobRetention?) async throws {
        try Task.checkCancellation()
        guard retention == nil else {
            throw BlobError(
                .unsupported, blob: id,
                "a filesystem repository cannot keep blob '\(id)' from being deleted, which its retention settings ask for",
                hint: "use a storage with object lock, or switch retention off with kopia")
        }
        try await onBlockingThread { try putBlocking(id, pieces) }
    }

    public var takesBlobsInParts: Bool { true }

    public func makeWriter(_ id: BlobID) async throws -> (any BlobWriter)? {
        try Task.checkCancellation()
        return try await onBlockingThread { try makeWriterBlocking(id) }
    }

    public func delete(_ id: BlobID) async throws {
        try Task.checkCancellation()
        try await onBlockingThread { try deleteBlocking(id) }
    }

    public func metadata(of id: BlobID) async throws -> BlobMetadata {
        try Task.checkCancellation()
        return try await onBlockingThread { try metadataBlocking(id) }
    }

    public func list(prefix: String) async throws -> [BlobMetadata] {
        try Task.checkCancellation()
        return try await onBlockingThread {
            var found: [BlobMetadata] = []
            do throws(FileSystem.Failure) {
                try collectBlobs(prefix: prefix, into: &found)
            } catch {
                throw error.error(blob: nil, "list the blobs starting with '\(prefix)'")
            }
            return found
        }
    }

    // MARK: What is remembered

    final class State: Sendable {
        private let lacksShardsFile: Mutex<Bool>
        private let durableFolders = Mutex<Set<String>>([])

        init(lacksShardsFile: Bool) { self.lacksShardsFile = Mutex(lacksShardsFile) }

        /// kopia writes the missing file of an old repository when it can; failure does not matter.
        func writeShardsFileOnce(_ write: () -> Void) {
            let isDue = lacksShardsFile.withLock { lacks in
                defer { lacks = false }
                return lacks
            }
            if isDue { write() }
        }

        func isDurable(_ folder: String) -> Bool { durableFolders.withLock { $0.contains(folder) } }

        func forgetDurable() { durableFolders.withLock { $0.removeAll() } }

        func rememberDurable(_ folder: String) {
            durableFolders.withLock { folders in
                if folders.count >= 16_384 { folders.removeAll(keepingCapacity: true) }
                folders.insert(folder)
            }
        }
    }
}
