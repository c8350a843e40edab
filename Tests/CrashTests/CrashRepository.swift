import Glibc
import KopiaBlob
import KopiaContent
import KopiaFormat
import KopiaManifest
import TestSupport
import Testing

@testable import CrashWriter
@testable import KopiaRepository

/// The repository of these tests, in whatever storage. Deriving a key is what takes long: it is done once, and every
/// repository is a copy.
enum CrashRepository {
    private static let template = Task {
        let storage = MemoryBlobStorage()
        let format = try await RepositoryFormat.create(storage, password: Password("crash"))
        return (format, storage.contents)
    }

    /// An executable of this package: beside the tests' own.
    static func program(_ name: String) -> String {
        var bytes = [CChar](repeating: 0, count: 4096)
        let count = max(0, readlink("/proc/self/exe", &bytes, bytes.count))
        let path = String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/" + name
    }

    /// Puts an empty repository into an empty storage.
    static func make(in storage: any BlobStorage) async throws -> RepositoryFormat {
        let (format, blobs) = try await template.value
        for (id, bytes) in blobs { try await storage.put(id, bytes, retention: nil) }
        return format
    }

    static func open<Result>(
        _ storage: any BlobStorage, _ format: RepositoryFormat, _ access: RepositoryAccess,
        skipsDamagedIndexes: Bool? = nil, _ body: (Repository) async throws -> Result
    ) async throws -> Result {
        var options = LocalContentStore.Options(isReadOnly: access == .readOnly)
        options.packSize = CrashWork.packSize
        options.skipsDamagedIndexes = skipsDamagedIndexes ?? (access == .readOnly)
        let contents = try await LocalContentStore.open(storage, format: format, options: options)
        let manifests = ContentManifestStore(contents: contents)
        let repository = Repository(
            contents: contents, manifests: manifests,
            blobs: .init(storage: storage, contents: contents, manifests: manifests),
            status: CrashWork.status(contents.defaultSplitter),
            identity: RepositoryIdentity(userName: "crash", host: "writer"), access: access, parallelism: 2)
        do {
            let result = try await body(repository)
            await contents.close()
            return result
        } catch {
            await contents.close()
            throw error
        }
    }

    static func write(
        _ work: CrashWork, to storage: any BlobStorage, _ format: RepositoryFormat
    ) async throws -> String {
        try await open(storage, format, .readWrite) { try await work.write(to: $0) }.snapshot.id.description
    }

    /// Nothing is damaged, every published snapshot is there byte for byte, and those nobody heard of are complete.
    static func check(
        _ storage: any BlobStorage, _ format: RepositoryFormat, published: [String: CrashWork]
    ) async throws {
        try await open(storage, format, .readOnly) { repository in
            let report = try await repository.verify()
            #expect(report.problems.filter { $0.severity == .damage } == [])
            #expect(report.problems.allSatisfy { $0.message.contains("a writer was interrupted") })
            let snapshots = try await repository.snapshots()
            let found = Set(snapshots.map(\.id.description))
            #expect(Set(published.keys).subtracting(found) == [])
            for snapshot in snapshots {
                let entry = try await repository.entry(at: CrashWork.fileName, in: snapshot)
                let bytes = try await repository.openFile(entry).readAll(limit: 1 << 20)
                if let work = published[snapshot.id.description] {
                    #expect(snapshot.description == "\(work.seed) \(work.number)")
                    #expect(bytes == work.bytes)
                } else {
                    // Published, and stopped before that could be said.
                    let words = snapshot.description.split(separator: " ")
                    let seed = try #require(words.first.flatMap { UInt64($0) })
                    let number = try #require(words.last.flatMap { Int($0) })
                    #expect(bytes == CrashWork(seed: seed, number: number).bytes)
                }
            }
        }
    }
}
