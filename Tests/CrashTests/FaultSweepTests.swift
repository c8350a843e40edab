import KopiaBlob
import KopiaFormat
import Synchronization
import TestSupport
import Testing

@testable import CrashWriter
@testable import KopiaRepository

/// One call to the storage that goes wrong while a snapshot is written or a lost index is rebuilt: each in turn.
struct FaultCase: Sendable, CustomTestStringConvertible {
    enum Kind: String, Sendable, CaseIterable {
        /// Nothing happens and the call fails.
        case before
        /// The call does its work and its answer is lost.
        case after
        /// As `before`, and all calls of the kind from there on.
        case onwards
        /// The process dies: what was not durable is lost.
        case crash
    }

    let call: FaultyBlobStorage.Call
    let kind: Kind
    /// Packs go to the storage while they fill, as to a folder; otherwise each is one put.
    let inParts: Bool
    var testDescription: String { "\(call) \(kind.rawValue)\(inParts ? " in parts" : "")" }

    private static let calls: [FaultyBlobStorage.Call] = [.get, .put, .delete, .list]

    static let writing =
        Kind.allCases.flatMap { kind in
            calls.map { FaultCase(call: $0, kind: kind, inParts: false) }
                + (calls + [.makeWriter, .write, .finish]).map { FaultCase(call: $0, kind: kind, inParts: true) }
        }

    static let recovering =
        Kind.allCases.flatMap { kind in
            (calls + [.metadata]).map { FaultCase(call: $0, kind: kind, inParts: false) }
        }
}

struct FaultSweepTests {
    private static let before = CrashWork(seed: 1, number: 1)
    private static let during = CrashWork(seed: 1, number: 3)
    private static let after = CrashWork(seed: 1, number: 4)

    /// A repository with one snapshot.
    private func prepared(inParts: Bool) async throws -> (FaultyBlobStorage, RepositoryFormat, [String: CrashWork]) {
        let base = MemoryBlobStorage()
        let format = try await CrashRepository.make(in: base)
        let id = try await CrashRepository.write(Self.before, to: base, format)
        let storage = FaultyBlobStorage(base: base, takesBlobsInParts: inParts)
        storage.shuffleListings(seed: 7)
        return (storage, format, [id: Self.before])
    }

    /// What is interrupted.
    private enum Operation {
        case write
        case recover

        func run(_ repository: Repository) async throws -> String {
            switch self {
            case .write: return try await FaultSweepTests.during.write(to: repository).snapshot.id.description
            case .recover:
                var options = IndexRecoveryOptions()
                (options.commits, options.deletesDamagedIndexes) = (true, true)
                let recovery = try await repository.recoverIndexes(options: options)
                #expect(recovery.unreadable == [])
                return "recovered"
            }
        }

        func open(
            _ storage: FaultyBlobStorage, _ format: RepositoryFormat, _ body: (Repository) async throws -> String
        ) async throws -> String {
            try await CrashRepository.open(
                storage, format, .readWrite, skipsDamagedIndexes: self == .recover, body)
        }

        /// How many calls of a kind it makes, opening left out.
        func count(
            _ call: FaultyBlobStorage.Call, _ storage: FaultyBlobStorage, _ format: RepositoryFormat
        ) async throws -> Int {
            var count = 0
            _ = try await open(storage, format) {
                let opened = storage.count(call)
                defer { count = storage.count(call) - opened }
                return try await run($0)
            }
            #expect(count > 0, "the sweep never gets to '\(call)'")
            return count
        }
    }

    private func writingCalls(_ call: FaultyBlobStorage.Call, inParts: Bool) async throws -> Int {
        let (storage, format, _) = try await prepared(inParts: inParts)
        defer { #expect((storage.count(.makeWriter) > 0) == inParts) }
        return try await Operation.write.count(call, storage, format)
    }

    @Test(arguments: FaultCase.writing)
    func whateverFailsNothingIsHalfPublished(_ item: FaultCase) async throws {
        let count = try await writingCalls(item.call, inParts: item.inParts)
        for nth in stride(from: 1, through: count, by: 1) {
            var (storage, format, published) = try await prepared(inParts: item.inParts)
            if let id = try await attempt(item, nth, storage, format, .write) { published[id] = Self.during }
            storage.removeScripts()
            if item.kind == .crash { storage = storage.restarted() }
            #expect(storage.openWriters == 0, "the store is closed and left a blob half written")
            try await CrashRepository.check(storage, format, published: published)
            published[try await CrashRepository.write(Self.after, to: storage, format)] = Self.after
            try await CrashRepository.check(storage, format, published: published)
        }
    }

    /// A repository whose index blobs are damaged.
    private func damaged() async throws -> (FaultyBlobStorage, RepositoryFormat, [String: CrashWork]) {
        let (storage, format, published) = try await prepared(inParts: false)
        let indexes = try await storage.list(prefix: "x").map(\.id)
        #expect(!indexes.isEmpty)
        for id in indexes { try await storage.put(id, Array("no index".utf8), retention: nil) }
        return (storage, format, published)
    }

    @Test(arguments: FaultCase.recovering)
    func aRecoveryThatFailsCanBeRunAgain(_ item: FaultCase) async throws {
        let (first, format, _) = try await damaged()
        let count = try await Operation.recover.count(item.call, first, format)
        for nth in stride(from: 1, through: count, by: 1) {
            var (storage, format, published) = try await damaged()
            _ = try await attempt(item, nth, storage, format, .recover)
            storage.removeScripts()
            if item.kind == .crash { storage = storage.restarted() }
            _ = try await Operation.recover.open(storage, format) { try await Operation.recover.run($0) }
            try await CrashRepository.check(storage, format, published: published)
            published[try await CrashRepository.write(Self.after, to: storage, format)] = Self.after
            try await CrashRepository.check(storage, format, published: published)
        }
    }

    /// Nil when the operation failed, as it may; its error says that the storage is to blame.
    private func attempt(
        _ item: FaultCase, _ nth: Int, _ storage: FaultyBlobStorage, _ format: RepositoryFormat, _ operation: Operation
    ) async throws -> String? {
        let gate = Gate()
        let error = FaultyBlobStorage.diskFull
        do {
            return try await operation.open(storage, format) {
                switch item.kind {
                case .before: storage.script(item.call, nth: nth, .fail(error))
                case .after: storage.script(item.call, nth: nth, .failAfterwards(error))
                case .onwards: storage.script(item.call, nth: nth, times: nil, .fail(error))
                case .crash: storage.script(item.call, nth: nth, .stall(gate))
                }
                async let crashed: Void = {
                    guard item.kind == .crash else { return }
                    await gate.reached()
                    storage.crash()
                    gate.open()
                }()
                let result: Result<String, any Error>
                do { result = .success(try await operation.run($0)) } catch { result = .failure(error) }
                // Whoever waits for a call that never came goes on as well.
                gate.open()
                await gate.wait()
                await crashed
                return try result.get()
            }
        } catch let error as RepositoryError {
            #expect([.storage, .notCommitted].contains(error.code), "\(error)")
            return nil
        }
    }

    /// Bytes that got lost without a word: then verifying says so, and what can be read is right.
    @Test(arguments: [
        (FaultyBlobStorage.Call.put, false), (.write, true), (.finish, true),
    ])
    func whatIsStoredTooShortIsFoundAndNothingIsInvented(call: FaultyBlobStorage.Call, inParts: Bool) async throws {
        for nth in 1...(try await writingCalls(call, inParts: inParts)) {
            let (storage, format, _) = try await prepared(inParts: inParts)
            storage.script(call, nth: nth, .short(40))
            let id = try? await CrashRepository.write(Self.during, to: storage, format)
            storage.removeScripts()
            try await CrashRepository.open(storage, format, .readOnly) { repository in
                let report = try await repository.verify()
                guard let id, let snapshot = try? await repository.snapshot(named: id) else {
                    return #expect(id == nil || !report.isSound)
                }
                do {
                    let entry = try await repository.entry(at: CrashWork.fileName, in: snapshot)
                    #expect(try await repository.openFile(entry).readAll(limit: 1 << 20) == Self.during.bytes)
                } catch {
                    #expect(!report.isSound)
                }
            }
        }
    }

    @Test(arguments: [
        (FaultyBlobStorage.Call.put, false), (.write, true), (.finish, true),
    ])
    func aFullDiskIsSaidAndLeavesTheRepositoryUsable(call: FaultyBlobStorage.Call, inParts: Bool) async throws {
        let (storage, format, published) = try await prepared(inParts: inParts)
        storage.script(call, prefix: "p", nth: 2, times: nil, .fail(FaultyBlobStorage.diskFull))
        let error = await #expect(throws: RepositoryError.self) {
            _ = try await CrashRepository.write(Self.during, to: storage, format)
        }
        #expect(error?.code == .storage)
        #expect(error?.message == "no space is left")
        storage.removeScripts()
        try await CrashRepository.check(storage, format, published: published)
    }
}
