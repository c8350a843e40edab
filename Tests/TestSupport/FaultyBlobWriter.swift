internal import KopiaBlob
internal import Synchronization

/// A writer of `FaultyBlobStorage`. What it took is in memory, and lost with it, until it is finished.
final class FaultyBlobWriter: BlobWriter {
    private struct State {
        var bytes: [UInt8] = []
        var isOpen = true
        var isPublished = false
    }

    private let id: BlobID
    private let storage: FaultyBlobStorage
    private let state = Mutex(State())

    init(_ id: BlobID, of storage: FaultyBlobStorage) {
        self.id = id
        self.storage = storage
        storage.countOpenWriters(1)
    }

    deinit { close() }

    func write(_ pieces: [[UInt8]], at offset: Int64) async throws {
        let fault = try storage.begin(.write, id.description)
        try await storage.before(fault)
        try state.withLock { state in
            guard state.isOpen || state.isPublished else { throw closed }
            var start = Int(offset)
            for piece in pieces {
                state.bytes += piece.dropFirst(max(0, state.bytes.count - start))
                start += piece.count
            }
            if case .short(let count) = fault { state.bytes.removeLast(min(count, state.bytes.count)) }
        }
        try storage.after(fault)
    }

    func read(_ range: Range<Int64>) async throws -> [UInt8] {
        let fault = try storage.begin(.get, id.description)
        try await storage.before(fault)
        var bytes = try state.withLock { state in
            guard range.lowerBound >= 0, range.upperBound <= state.bytes.count else {
                throw BlobError(
                    .invalidRange, blob: id, "\(state.bytes.count) bytes of '\(id)' were written, not \(range)")
            }
            return Array(state.bytes[Int(range.lowerBound)..<Int(range.upperBound)])
        }
        if case .short(let count) = fault { bytes.removeLast(min(count, bytes.count)) }
        try storage.after(fault)
        return bytes
    }

    func finish() async throws {
        let fault = try storage.begin(.finish, id.description)
        if case .fail(let error) = fault { throw error }
        var (bytes, isPublished) = try state.withLock { state in
            guard state.isOpen || state.isPublished else { throw closed }
            defer { state.isPublished = true }
            return (state.bytes, state.isPublished)
        }
        if isPublished { return try storage.after(fault) }
        if case .short(let count) = fault { bytes.removeLast(min(count, bytes.count)) }
        close()
        try await storage.publish(id, bytes, fault)
    }

    func discard() async {
        do {
            let fault = try storage.begin(.discard, id.description)
            try await storage.before(fault)
        } catch { return }
        close()
    }

    private var closed: BlobError { BlobError(.io, blob: id, "the writer of '\(id)' was discarded") }

    private func close() {
        let isLast = state.withLock { state in
            defer { state.isOpen = false }
            return state.isOpen
        }
        if isLast { storage.countOpenWriters(-1) }
    }
}
