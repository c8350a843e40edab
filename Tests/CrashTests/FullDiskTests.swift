import Glibc
import KopiaBlob
import KopiaRepository
import TestSupport
import Testing

@testable import CrashWriter

/// A file system that is really full: a small one in memory, which only root may mount.
struct FullDiskTests {
    private static let canMount: Bool = {
        guard let folder = try? TemporaryDirectory(), mount("tmpfs", folder.path, "tmpfs", 0, "size=64k") == 0 else {
            return false
        }
        return umount(folder.path) == 0
    }()

    @Test(.enabled(if: canMount, "mounting a small file system needs root"))
    func aFullFileSystemLosesNothingAndWorksAgainWithSpace() async throws {
        let folder = try TemporaryDirectory()
        try #require(mount("tmpfs", folder.path, "tmpfs", 0, "size=512k") == 0)
        defer { umount(folder.path) }
        let storage = WriterCountingStorage(try await FilesystemBlobStorage.create(path: folder.path))
        let format = try await CrashRepository.make(in: storage)
        var published: [String: CrashWork] = [:]
        var failure: RepositoryError?
        // Each adds 40 kB that are new.
        for number in 0..<20 {
            let work = CrashWork(seed: 9, number: number)
            do {
                published[try await CrashRepository.write(work, to: storage, format)] = work
            } catch let error as RepositoryError {
                failure = error
                break
            }
        }
        let error = try #require(failure)
        #expect(error.code == .storage)
        #expect(error.message.contains("No space left on device"), "\(error)")
        #expect(!published.isEmpty && storage.writersMade > 0)
        try await CrashRepository.check(storage, format, published: published)
        try #require(mount("tmpfs", folder.path, "tmpfs", UInt(MS_REMOUNT), "size=4m") == 0)
        let next = CrashWork(seed: 9, number: 100)
        published[try await CrashRepository.write(next, to: storage, format)] = next
        try await CrashRepository.check(storage, format, published: published)
    }

    /// Space runs out after some of a blob's parts are in its file: the same parts can be given again, and nobody sees it before.
    @Test(.enabled(if: canMount, "mounting a small file system needs root"))
    func aPackThatMetAFullDiskHalfWayIsGivenAgain() async throws {
        let folder = try TemporaryDirectory()
        try #require(mount("tmpfs", folder.path, "tmpfs", 0, "size=2560k") == 0)
        defer { umount(folder.path) }
        let storage = try await FilesystemBlobStorage.create(path: folder.path)
        let id = try #require(BlobID("p0123456789abcdef0123456789abcdef-s0011223344556677144"))
        let pieces = (0..<5).map { SeededBytes.rnd($0, 900_000) }
        let writer = try #require(try await storage.makeWriter(id))
        try await writer.write([pieces[0]], at: 0)
        for _ in 0..<2 {
            let error = await #expect(throws: BlobError.self) { try await writer.write(pieces, at: 0) }
            #expect(error?.code == .noSpace, "\(String(describing: error))")
            #expect(try await storage.list(prefix: "p").isEmpty)
        }
        try #require(mount("tmpfs", folder.path, "tmpfs", UInt(MS_REMOUNT), "size=8m") == 0)
        try await writer.write(Array(pieces[1...]), at: 900_000)
        try await writer.finish()
        #expect(try await storage.get(id) == Array(pieces.joined()))
    }
}
