public import KopiaBlob
internal import Synchronization

/// A storage in memory that goes wrong on cue: the n-th call of a kind on blobs with some prefix.
///
/// What a put wrote is durable once it returned without error, and what a writer took once its finish did; `crash` takes back
/// everything else and makes all further calls fail, after which `restarted` gives what the next process finds.
///
/// Concurrency and memory: all calls may run concurrently; holds every blob twice.
public final class FaultyBlobStorage: BlobStorage {
    /// A writer's `read` counts as `get`.
    public enum Call: Sendable, Hashable { case get, put, delete, metadata, list, makeWriter, write, finish, discard }

    public enum Fault: Sendable {
        /// Nothing happens, and the call throws.
        case fail(BlobError)
        /// The call does its work and then throws: the answer was lost.
        case failAfterwards(BlobError)
        /// Waits at the gate, then goes on. The bytes of a put or of a writer's finish are visible meanwhile, but not
        /// durable.
        case stall(Gate)
        /// Get gives so many bytes fewer than asked for; put, and a writer's write and finish, store so many bytes fewer
        /// and say nothing.
        case short(Int)
        /// List leaves out the blobs that this says yes to, as a store does that is slow to agree.
        case hide(@Sendable (BlobID) -> Bool)
    }

    private struct Script {
        let call: Call
        let prefix: String
        /// Matching calls to let pass first.
        var skipped: Int
        /// Matching calls to hit; nil for all.
        var remaining: Int?
        let fault: Fault
    }

    private struct State {
        var scripts: [Script] = []
        var calls: [(call: Call, id: String)] = []
        var durable: [BlobID: [UInt8]] = [:]
        var hasCrashed = false
        var listingSeed: UInt64?
        var openWriters = 0
    }

    /// The blobs, to look at and to damage.
    public let base: MemoryBlobStorage
    public let takesBlobsInParts: Bool
    private let state = Mutex(State())

    /// - Parameter takesBlobsInParts: whether it makes writers, as a folder does.
    public init(base: MemoryBlobStorage = MemoryBlobStorage(), takesBlobsInParts: Bool = false) {
        self.base = base
        self.takesBlobsInParts = takesBlobsInParts
        state.withLock { $0.durable = base.contents }
    }

    public var displayName: String { base.displayName }

    // MARK: Scripting

    /// Makes calls go wrong. Scripts are looked through in the order they were given; the first that matches acts.
    ///
    /// - Parameters:
    ///   - nth: 1 for the next matching call.
    ///   - times: how many calls from there on; nil for all.
    public func script(_ call: Call, prefix: String = "", nth: Int = 1, times: Int? = 1, _ fault: Fault) {
        state.withLock {
            $0.scripts.append(
                Script(call: call, prefix: prefix, skipped: max(0, nth - 1), remaining: times, fault: fault))
        }
    }

    public func removeScripts() { state.withLock { $0.scripts = [] } }

    /// From now on listings come in an order that depends on the seed and differs from call to call.
    public func shuffleListings(seed: UInt64) { state.withLock { $0.listingSeed = seed } }

    /// Every call so far, in the order they began, for example `put p001…`; list shows its prefix.
    public var log: [String] { state.withLock { $0.calls.map { "\($0.call) \($0.id)" } } }

    public func count(_ call: Call, prefix: String = "") -> Int {
        state.withLock { $0.calls.count { $0.call == call && $0.id.utf8.starts(with: prefix.utf8) } }
    }

    /// Writers that are neither finished nor discarded nor let go.
    public var openWriters: Int { state.withLock { $0.openWriters } }

    /// The process dies: what is not durable is lost, calls under way and later ones fail.
    public func crash() {
        let durable = state.withLock { state in
            state.hasCrashed = true
            return state.durable
        }
        base.replaceContents(durable)
    }

    /// What a new process finds after `crash`.
    public func restarted() -> FaultyBlobStorage {
        let base = MemoryBlobStorage()
        base.replaceContents(state.withLock { $0.durable })
        return FaultyBlobStorage(base: base, takesBlobsInParts: takesBlobsInParts)
    }

    /// A transient and a permanent failure, for scripts.
    public static let networkDown = BlobError(.io, "the network is down", isTransient: true)
    public static let diskFull = BlobError(.noSpace, "no space is left", hint: "free some")

    // MARK: BlobStorage

    public func get(_ id: BlobID, range: Range<Int64>?) async throws -> [UInt8] {
        let fault = try begin(.get, id.description)
        try await before(fault)
        var bytes = try await base.get(id, range: range)
        if case .short(let count) = fault { bytes.removeLast(min(count, bytes.count)) }
        try after(fault)
        return bytes
    }

    public func put(_ id: BlobID, _ bytes: [UInt8], retention: BlobRetention?) async throws {
        let fault = try begin(.put, id.description)
        if case .fail(let error) = fault { throw error }
        var stored = bytes
        if case .short(let count) = fault { stored.removeLast(min(count, stored.count)) }
        try await publish(id, stored, retention: retention, fault)
    }

    public func makeWriter(_ id: BlobID) async throws -> (any BlobWriter)? {
        guard takesBlobsInParts else { return nil }
        let fault = try begin(.makeWriter, id.description)
        try await before(fault)
        let writer = FaultyBlobWriter(id, of: self)
        try after(fault)
        return writer
    }

    public func delete(_ id: BlobID) async throws {
        let fault = try begin(.delete, id.description)
        try await before(fault)
        try await base.delete(id)
        state.withLock { _ = $0.durable.removeValue(forKey: id) }
        try after(fault)
    }

    public func metadata(of id: BlobID) async throws -> BlobMetadata {
        let fault = try begin(.metadata, id.description)
        try await before(fault)
        let metadata = try await base.metadata(of: id)
        try after(fault)
        return metadata
    }

    public func list(prefix: String) async throws -> [BlobMetadata] {
        let fault = try begin(.list, prefix)
        try await before(fault)
        var found = try await base.list(prefix: prefix)
        if case .hide(let isHidden) = fault { found.removeAll { isHidden($0.id) } }
        let seed = state.withLock { state in
            state.listingSeed = state.listingSeed.map { $0 &+ 1 }
            return state.listingSeed
        }
        if let seed {
            var generator = SeededGenerator(seed: seed)
            found.sort { $0.id < $1.id }
            found.shuffle(using: &generator)
        }
        try after(fault)
        return found
    }

    // MARK: Acting

    /// Makes the bytes visible, then durable.
    func publish(_ id: BlobID, _ bytes: [UInt8], retention: BlobRetention? = nil, _ fault: Fault?) async throws {
        try await base.put(id, bytes, retention: retention)
        if case .stall(let gate) = fault { await gate.wait() }
        try checkAlive()
        state.withLock { $0.durable[id] = bytes }
        try after(fault)
    }

    func countOpenWriters(_ change: Int) { state.withLock { $0.openWriters += change } }

    func begin(_ call: Call, _ id: String) throws -> Fault? {
        try checkAlive()
        return state.withLock { state in
            state.calls.append((call, id))
            for position in state.scripts.indices {
                let script = state.scripts[position]
                guard script.call == call, id.utf8.starts(with: script.prefix.utf8), script.remaining != 0 else {
                    continue
                }
                if script.skipped > 0 {
                    state.scripts[position].skipped -= 1
                    continue
                }
                state.scripts[position].remaining = script.remaining.map { $0 - 1 }
                return script.fault
            }
            return nil
        }
    }

    private func checkAlive() throws {
        if state.withLock({ $0.hasCrashed }) { throw BlobError(.io, "the process crashed") }
    }

    func before(_ fault: Fault?) async throws {
        switch fault {
        case .fail(let error): throw error
        case .stall(let gate):
            await gate.wait()
            try checkAlive()
        default: break
        }
    }

    func after(_ fault: Fault?) throws {
        if case .failAfterwards(let error) = fault { throw error }
    }
}
