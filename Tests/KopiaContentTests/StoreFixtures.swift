import GoFormats
import KopiaBlob
import KopiaFormat
import Synchronization
import TestSupport
import Testing

@testable import KopiaContent

/// What a test does to a call on its way to the storage.
enum StorageCall: Sendable, Hashable, CustomStringConvertible {
    case get(BlobID)
    case put(BlobID)
    case delete(BlobID)
    case list(String)
    case metadata(BlobID)

    var description: String {
        switch self {
        case .get(let id): "get \(id)"
        case .put(let id): "put \(id)"
        case .delete(let id): "delete \(id)"
        case .list(let prefix): "list \(prefix)"
        case .metadata(let id): "metadata \(id)"
        }
    }

    /// `put p`, `delete s`, `put xn`, …: the kind of blob in place of its name.
    var kind: String {
        switch self {
        case .put(let id), .delete(let id), .get(let id), .metadata(let id):
            let verb = description.split(separator: " ")[0]
            let name = id.description
            let letters = name.hasPrefix("x") ? 2 : 1
            return "\(verb) \(name.hasPrefix("kopia.") ? name : String(name.prefix(letters)))"
        case .list: return description
        }
    }
}

/// Calls a hook before each call, and records those that went through.
final class HookedStorage: BlobStorage {
    typealias Hook = @Sendable (StorageCall) async throws -> Void

    let base: MemoryBlobStorage
    private let hook = Mutex<Hook?>(nil)
    private let afterHook = Mutex<Hook?>(nil)
    private let calls = Mutex<[StorageCall]>([])

    init(_ base: MemoryBlobStorage) { self.base = base }

    var displayName: String { base.displayName }
    var done: [StorageCall] { calls.withLock { $0 } }
    var writes: [String] {
        done.compactMap { call in
            switch call {
            case .put, .delete: call.kind
            default: nil
            }
        }
    }

    func forgetCalls() { calls.withLock { $0 = [] } }
    func setHook(_ hook: Hook?) { self.hook.withLock { $0 = hook } }
    /// Called once the call has taken effect; what it throws, the caller gets in place of the result.
    func setAfterHook(_ hook: Hook?) { afterHook.withLock { $0 = hook } }

    private func run<Result>(_ call: StorageCall, _ body: () async throws -> Result) async throws -> Result {
        try await hook.withLock { $0 }?(call)
        let result = try await body()
        try await afterHook.withLock { $0 }?(call)
        calls.withLock { $0.append(call) }
        return result
    }

    func get(_ id: BlobID, range: Range<Int64>?) async throws -> [UInt8] {
        try await run(.get(id)) { try await base.get(id, range: range) }
    }
    func put(_ id: BlobID, _ bytes: [UInt8], retention: BlobRetention?) async throws {
        try await run(.put(id)) { try await base.put(id, bytes, retention: retention) }
    }
    func delete(_ id: BlobID) async throws { try await run(.delete(id)) { try await base.delete(id) } }
    func metadata(of id: BlobID) async throws -> BlobMetadata {
        try await run(.metadata(id)) { try await base.metadata(of: id) }
    }
    func list(prefix: String) async throws -> [BlobMetadata] {
        try await run(.list(prefix)) { try await base.list(prefix: prefix) }
    }
}

/// Clocks that move when told to, or when somebody sleeps.
final class TestClock: Sendable {
    private let elapsed = Mutex(Duration.zero)
    private let wall = Mutex<Int64>(1_767_225_600)

    func advance(_ duration: Duration) {
        elapsed.withLock { $0 += duration }
        wall.withLock { $0 += duration.components.seconds }
    }
    func setWall(_ seconds: Int64) { wall.withLock { $0 = seconds } }

    var environment: ContentEnvironment {
        let system = ContentEnvironment.system
        return ContentEnvironment(
            now: { Timestamp(seconds: self.wall.withLock { $0 }) }, uptime: { self.elapsed.withLock { $0 } },
            sleep: { duration in
                try Task.checkCancellation()
                self.advance(duration)
            }, randomBytes: system.randomBytes)
    }
}

/// A repository in memory. Deriving a key takes a tenth of a second, so each kind is created once and copied.
struct TestRepository {
    enum Kind: Sendable, CaseIterable { case standard, version1, retention }

    private static let created = Mutex<[Kind: (RepositoryFormat, [BlobID: [UInt8]])]>([:])

    let storage: HookedStorage
    let format: RepositoryFormat
    let clock = TestClock()

    init(_ kind: Kind = .standard) async throws {
        let known = Self.created.withLock { $0[kind] }
        let base = MemoryBlobStorage()
        if let known {
            format = known.0
            base.replaceContents(known.1)
        } else {
            var options = RepositoryFormat.Options()
            switch kind {
            case .standard: break
            case .version1: options.version = 1
            case .retention: options.retention = BlobRetention(mode: .governance, periodSeconds: 172_800)
            }
            let format = try await RepositoryFormat.create(base, password: Password("test"), options: options)
            self.format = format
            let contents = base.contents
            Self.created.withLock { $0[kind] = (format, contents) }
        }
        storage = HookedStorage(base)
    }

    /// A store with packs of 250,000 bytes; all stores of a repository share its clock.
    func open(isReadOnly: Bool = false, packsInFlightMax: Int = 3) async throws -> LocalContentStore {
        var options = LocalContentStore.Options(
            isReadOnly: isReadOnly, username: "postgres", hostname: "db-0", packsInFlightMax: packsInFlightMax,
            environment: clock.environment)
        options.packSize = 250_000
        return try await LocalContentStore.open(storage, format: format, options: options)
    }

    /// What a reader finds who opens the repository as it is in the storage now.
    func reopened() async throws -> LocalContentStore {
        storage.setHook(nil)
        storage.setAfterHook(nil)
        return try await open(isReadOnly: true)
    }

    func blobs(_ prefix: String) -> [BlobID] { storage.base.contents.keys.filter { $0.hasPrefix(prefix) }.sorted() }
}

func text(_ text: String) -> [UInt8] { Array(text.utf8) }

/// Opens when it is told to: for calls that are made to wait.
final class Latch: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}

/// Waits until something becomes true that other tasks do; gives up after ten seconds.
func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<2000 {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(5))
    }
    return false
}

final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    /// 0, 1, 2, …
    func next() -> Int {
        count.withLock { count in
            count += 1
            return count - 1
        }
    }
}
