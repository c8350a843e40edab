import KopiaBlob
import KopiaFormat
import KopiaRepository
import Synchronization
import TestSupport
import Testing

@testable import CrashWriter

/// One call to the storage that goes wrong while a snapshot is written: each in turn.
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

    private static let calls: [FaultyBlobStorage.Call] = [.get, .put, .delete, .metadata, .list]

    static let all =
        Kind.allCases.flatMap { kind in
            calls.map { FaultCase(call: $0, kind: kind, inParts: false) }
                + (calls + [.makeWriter, .write, .finish]).map { FaultCase(call: $0, kind: kind, inParts: true) }
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

    /// How many calls of each kind writing `during` takes, opening left out.
    private func calls(_ call: FaultyBlobStorage.Call, inParts: Bool) async throws -> Int {
        let (storage, format, _) = try await prepared(inParts: inParts)
        return try await CrashRepository.open(storage, format, .readWrite) { repository in
            let opened = storage.count(call)
            _ = try await Self.during.write(to: repository)
            #expect((storage.count(.makeWriter) > 0) == inParts)
            return storage.count(call) - opened
        }
    }

    @Test(arguments: FaultCase.all)
    func whateverFailsNothingIsHalfPublished(_ item: FaultCase) async throws {
        let count = try await calls(item.call, inParts: item.inParts)
        for nth in stride(from: 1, through: count, by: 1) {
            var (storage, format, published) = try await prepared(inParts: item.inParts)
            if let id = try await attempt(item, nth, storage, format) { published[id] = Self.during }
            storage.removeScripts()
            if item.kind == .crash { storage = storage.restarted() }
            #expect(storage.openWriters == 0, "the store is closed and left a blob half written")
            try await CrashRepository.check(storage, format, published: published)
            published[try await CrashRepository.write(Self.after, to: storage, format)] = Self.after
            try await CrashRepository.check(storage, format, published: published)
        }
    }

    /// Nil when writing failed, as it may; its error says that the storage is to blame.
    private func attempt(
        _ item: FaultCase, _ nth: Int, _ storage: FaultyBlobStorage, _ format: RepositoryFormat
    ) async throws -> String? {
        let gate = Gate()
        let error = FaultyBlobStorage.diskFull
        do {
            return try await CrashRepository.open(storage, format, .readWrite) { repository in
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
                do {
                    result = .success(try await Self.during.write(to: repository).snapshot.id.description)
                } catch {
                    result = .failure(error)
                }
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
        for nth in 1...(try await calls(call, inParts: inParts)) {
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
