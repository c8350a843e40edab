internal import BlockingIO
public import GoFormats

/// A file that a put began and has not renamed into place: of a writer at work, or of one that was killed.
public struct UnfinishedFile: Sendable, Hashable {
    /// Absolute.
    public let path: String
    /// Bytes.
    public let length: Int64
    /// When it was written to last.
    public let timestamp: Timestamp
}

extension FilesystemBlobStorage {
    /// Files under temporary names, which no listing of blobs shows, in the order of their paths. Nobody else's: the name
    /// must be a blob's with `.tmp.` and 16 hex digits behind it.
    ///
    /// - Throws: `BlobError`.
    public func unfinishedFiles() async throws -> [UnfinishedFile] {
        try await onBlockingThread {
            var found: [UnfinishedFile] = []
            do throws(FileSystem.Failure) {
                // Shards are far fewer levels deep; whoever nests folders here shall not exhaust the stack.
                try walk(
                    enters: { _, depth in depth < 64 }, wants: { name, _ in Self.isTemporary(name) ? true : nil },
                    take: { _, path, status in
                        found.append(UnfinishedFile(path: path, length: status.size, timestamp: status.modified))
                    })
            } catch {
                throw error.error(blob: nil, "list the unfinished files")
            }
            return found.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        }
    }

    private static func isTemporary(_ name: String) -> Bool {
        let parts = name.split(separator: ".tmp.", omittingEmptySubsequences: false)
        guard parts.count == 2, let digits = parts.last, let base = parts.first else { return false }
        let isHex = digits.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
        return digits.utf8.count == 16 && isHex
            && (base.hasSuffix(ShardLayout.blobSuffix) || base == ShardLayout.fileName)
    }
}
