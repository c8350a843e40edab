import Glibc
import KopiaBlob
import KopiaFormat
import ProcessIO
import TestSupport
import Testing

@testable import CrashWriter

/// A writer is killed with SIGKILL at a random moment, again and again in the same repository. Whatever the moment:
/// every snapshot whose writing was reported as done is there byte for byte, no manifest points at nothing, nothing counts as
/// damage, and the next backup works.
struct KilledWriterTests {
    /// Eight kills each, 208 in all.
    private static let repositories: [UInt64] = Array(1...26)
    private static let killsPerRepository = 8

    @Test(arguments: repositories)
    func nothingThatWasPublishedIsLost(seed: UInt64) async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path + "/repository"
        let storage = WriterCountingStorage(try await FilesystemBlobStorage.create(path: path))
        let format = try await CrashRepository.make(in: storage)
        var generator = SeededGenerator(seed: seed)
        var published: [String: CrashWork] = [:]
        for kill in 0..<Self.killsPerRepository {
            let writerSeed = seed << 32 | UInt64(kill)
            // Some die while they open the repository, most while they write.
            let delay = Duration.microseconds(Int64.random(in: 0..<150_000, using: &generator))
            for (id, number) in try await killedWriter(path, format, seed: writerSeed, after: delay) {
                published[id] = CrashWork(seed: writerSeed, number: number)
            }
            let next = CrashWork(seed: writerSeed ^ 1 << 63, number: 2)
            published[try await CrashRepository.write(next, to: storage, format)] = next
            try await CrashRepository.check(storage, format, published: published)
        }
        #expect(storage.writersMade >= Self.killsPerRepository)
    }

    /// Moments that no random kill meets: some of a large pack is on the disk, and more was to come.
    @Test(arguments: [256, 1024, 1536, 2048, 3072, 4096])
    func aPackCutShortBetweenTwoWritesIsNotThere(kibibytes: Int) async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path + "/repository"
        let storage = try await FilesystemBlobStorage.create(path: path)
        let format = try await CrashRepository.make(in: storage)
        let before = CrashWork(seed: 1, number: 1)
        var published = [try await CrashRepository.write(before, to: storage, format): before]
        let packs = Set(try await storage.list(prefix: "p").map(\.id))
        let command = ChildCommand(
            CrashRepository.program("CrashWriter"), [path, "2", String(kibibytes << 10)], environment: [:])
        let result = try await withChild(command, input: .bytes(format.formatKey.bytes)) { output in
            var text: [UInt8] = []
            while let chunk = try await output.read() { text += chunk }
            return String(decoding: text, as: UTF8.self)
        }
        #expect(result.exit == .signalled(SIGKILL), "\(result.standardErrorText)")
        #expect(result.value == "ready\n")
        let onDisk = try Files.tree(path).filter { $0.contains(".tmp.") }.map { try Files.read($0).count }.max() ?? 0
        #expect(onDisk >= (kibibytes >> 10) << 20)
        #expect(Set(try await storage.list(prefix: "p").map(\.id)) == packs)
        try await CrashRepository.check(storage, format, published: published)
        let next = CrashWork(seed: 3, number: 2)
        published[try await CrashRepository.write(next, to: storage, format)] = next
        try await CrashRepository.check(storage, format, published: published)
    }

    /// Starts a writer, kills it, and returns what it said it had published.
    private func killedWriter(
        _ path: String, _ format: RepositoryFormat, seed: UInt64, after delay: Duration
    ) async throws -> [(id: String, number: Int)] {
        let command = ChildCommand(CrashRepository.program("CrashWriter"), [path, String(seed)], environment: [:])
        let result = try await withChild(command, input: .bytes(format.formatKey.bytes)) { output in
            var text: [UInt8] = try await output.read() ?? []
            try await Task.sleep(for: delay)
            kill(output.processIdentifier, SIGKILL)
            while let chunk = try await output.read() { text += chunk }
            return text
        }
        #expect(result.exit == .signalled(SIGKILL), "\(result.standardErrorText)")
        // A line may have been cut by the kill.
        let text = String(decoding: result.value, as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(lines.first == "ready")
        return lines.compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 4, words[0] == "published", let number = Int(words[2]) else { return nil }
            #expect(words[3] != "0", "no pack was handed over while it filled")
            return (String(words[1]), number)
        }
    }
}
