import KopiaBlob
import KopiaContent
import KopiaFormat
import KopiaObject
import KopiaRepository
import KopiaSnapshot
import Synchronization
import TestSupport
import Testing

@testable import CrashWriter
@testable import KopiaRepository

/// Maintenance of somebody else marks what nothing refers to yet. A stream that takes longer than a day meets that: see
/// `kopia-format` §7.7.
struct UndeleteTests {
    private static let source = SnapshotSource(host: "writer", userName: "crash", path: "/crash")

    /// What garbage collection of another client does to contents that no snapshot has.
    private func markEverythingDeleted(_ storage: any BlobStorage, _ format: RepositoryFormat) async throws -> Int {
        let other = try await LocalContentStore.open(storage, format: format)
        var ids: [ContentID] = []
        other.forEachEntry { if $0.id.prefix != UInt8(ascii: "m"), !$0.isDeleted { ids.append($0.id) } }
        try other.markDeleted(ids)
        try await other.flush()
        await other.close()
        return ids.count
    }

    private func entries(_ storage: any BlobStorage, _ format: RepositoryFormat) async throws -> [IndexEntry] {
        let store = try await LocalContentStore.open(storage, format: format, options: .init(isReadOnly: true))
        var entries: [IndexEntry] = []
        store.forEachEntry { entries.append($0) }
        return entries
    }

    @Test(arguments: ["zstd-fastest", "none"])
    func whatAnotherClientMarkedMeanwhileIsAliveInTheFinishedSnapshot(compression: String) async throws {
        let storage = MemoryBlobStorage()
        let format = try await CrashRepository.make(in: storage)
        let bytes = SeededBytes.dump(3, 600)
        let marked = Mutex(0)
        var options = SnapshotOptions()
        options.splitter = .dynamic(averageLength: 4 << 10)
        options.compression = compression
        let id = try await CrashRepository.open(storage, format, .readWrite) { repository in
            try await repository.writeSnapshot(of: Self.source, options: options) { writer in
                try await writer.addFile("dump", bytes: bytes)
                // Durable, as after ten minutes of writing, and then collected, while the next file is under way.
                try await repository.contents.flush()
                let count = try await markEverythingDeleted(storage, format)
                marked.withLock { $0 = count }
                try await writer.addFile("more", bytes: [1])
            }.snapshot.id.description
        }
        #expect(marked.withLock { $0 } >= 3)
        let entries = try await entries(storage, format)
        #expect(entries.allSatisfy { !$0.isDeleted || $0.id.prefix == UInt8(ascii: "m") })
        let isCompressed = compression != "none"
        // The one byte of the other file does not get smaller.
        let chunks = entries.filter { $0.id.prefix == 0 && $0.originalLength > 500 }
        #expect(chunks.count >= 3)
        #expect(chunks.allSatisfy { ($0.compression != 0) == isCompressed })
        try await CrashRepository.open(storage, format, .readOnly) { repository in
            #expect(try await repository.verify().problems == [])
            let snapshot = try await repository.snapshot(named: id)
            let entry = try await repository.entry(at: "dump", in: snapshot)
            #expect(try await repository.openFile(entry).readAll(limit: 1 << 20) == bytes)
        }
    }

    /// A second snapshot finds everything there, deduplicates against it, and must not rely on what is marked later.
    @Test func whatWasDeduplicatedAgainstIsProtectedAsWell() async throws {
        let storage = MemoryBlobStorage()
        let format = try await CrashRepository.make(in: storage)
        let bytes = SeededBytes.dump(4, 300)
        var options = SnapshotOptions()
        options.splitter = .dynamic(averageLength: 4 << 10)
        try await CrashRepository.open(storage, format, .readWrite) { repository in
            let first = try await repository.writeSnapshot(of: Self.source, options: options) {
                try await $0.addFile("dump", bytes: bytes)
            }
            let second = try await repository.writeSnapshot(of: Self.source, options: options) { writer in
                try await writer.addFile("dump", bytes: bytes)
                let other = try await CrashRepository.open(storage, format, .readWrite) { other in
                    try await other.deleteSnapshot(first.snapshot.id)
                }
                #expect(other)
                #expect(try await markEverythingDeleted(storage, format) > 3)
            }
            #expect(second.deduplicatedBytes >= Int64(bytes.count))
        }
        // The first snapshot's directory may stay deleted; its file's contents are the second's.
        #expect(try await entries(storage, format).allSatisfy { !$0.isDeleted || $0.id.prefix != 0 })
        try await CrashRepository.open(storage, format, .readOnly) { repository in
            let report = try await repository.verify()
            #expect(report.problems == [])
            #expect(report.snapshotCount == 1)
        }
    }
}
