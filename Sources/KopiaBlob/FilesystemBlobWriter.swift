internal import BlockingIO
internal import Glibc
internal import Synchronization

/// A blob's temporary file, filled piece by piece.
///
/// Writes go past the page cache where the file system allows it (`O_DIRECT`): a backup reads nothing of what it writes, the
/// copy into fresh pages was a third of its computing time, and the pages would push out the database's own. Elsewhere
/// they are ordinary writes. Each write is 1 MiB from memory aligned to a page; the last one is filled up with zeros and the
/// file cut to its length.
///
/// Concurrency and memory: the lock is held while a call blocks in the kernel, on a thread that may block; 1 MiB.
final class FilesystemBlobWriter: BlobWriter {
    static let bufferLength = 1 << 20
    /// What direct writes are multiples of: no file system asks for more than a page.
    static let alignment = 4096

    private struct Place: Sendable {
        let id: BlobID
        let folder: String
        let final: String
        let temporary: String
    }

    private struct State: ~Copyable {
        /// -1 once closed.
        var descriptor: Int32
        var isDirect: Bool
        let buffer: UnsafeMutableRawBufferPointer
        var filled = 0
        /// Where in the file the buffer's first byte belongs.
        var flushed: Int64 = 0
        var isPublished = false
        var isDiscarded = false
        /// Why the bytes taken cannot be relied on any more.
        var failure: BlobError?

        var position: Int64 { flushed + Int64(filled) }

        deinit {
            if descriptor >= 0 { _ = close(descriptor) }
            buffer.deallocate()
        }
    }

    private let place: Place
    private let state: Mutex<State>

    init(_ id: BlobID, folder: String, name: String) throws(FileSystem.Failure) {
        let final = "\(folder)/\(name)"
        let temporary = FileSystem.temporaryPath(for: final)
        place = Place(id: id, folder: folder, final: final, temporary: temporary)
        let descriptor = try FileSystem.open(temporary, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        let isDirect = FileSystem.setDirect(descriptor, true)
        state = Mutex(
            State(
                descriptor: descriptor, isDirect: isDirect,
                buffer: .allocate(byteCount: Self.bufferLength, alignment: Self.alignment)))
    }

    deinit {
        let isLeftBehind = state.withLock { !$0.isPublished && !$0.isDiscarded }
        if isLeftBehind { try? FileSystem.remove(place.temporary) }
    }

    // MARK: BlobWriter

    func write(_ pieces: [[UInt8]], at offset: Int64) async throws {
        try Task.checkCancellation()
        try await onBlockingThread { [self] in
            try withState { state throws(FileSystem.Failure) in
                var start = offset
                for piece in pieces {
                    // A gap would be our caller's mistake; it shows as a pack that does not verify, never as wrong bytes.
                    let known = Int(min(max(0, state.position - start), Int64(piece.count)))
                    try append(piece, from: known, &state)
                    start += Int64(piece.count)
                }
            }
        }
    }

    func read(_ range: Range<Int64>) async throws -> [UInt8] {
        try Task.checkCancellation()
        return try await onBlockingThread { [self] in
            try withState { state throws(FileSystem.Failure) in try self.read(range, &state) }
        }
    }

    func finish() async throws {
        try Task.checkCancellation()
        try await onBlockingThread { [self] in
            try withState { state throws(FileSystem.Failure) in
                if state.isPublished { return }
                if state.descriptor >= 0 { try complete(&state) }
                try FileSystem.rename(place.temporary, to: place.final)
                state.isPublished = true
                try FileSystem.syncFolder(place.folder)
            }
        }
    }

    func discard() async {
        let (place, state) = (place, self)
        try? await onBlockingThread {
            state.state.withLock { state in
                guard !state.isPublished, !state.isDiscarded else { return }
                state.isDiscarded = true
                try? FileSystem.remove(place.temporary)
            }
        }
    }

    // MARK: Under the lock

    private func withState<Value: Sendable>(
        _ body: (inout State) throws(FileSystem.Failure) -> Value
    ) throws(BlobError) -> Value {
        let result = state.withLock { state -> Result<Value, BlobError> in
            if let failure = state.failure { return .failure(failure) }
            do throws(FileSystem.Failure) {
                return .success(try body(&state))
            } catch {
                let error = error.error(blob: place.id, "write blob '\(place.id)'")
                if state.descriptor < 0, !state.isPublished { state.failure = error }
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func append(_ piece: [UInt8], from start: Int, _ state: inout State) throws(FileSystem.Failure) {
        var start = start
        while start < piece.count {
            if state.filled == state.buffer.count { try flush(&state) }
            let count = min(state.buffer.count - state.filled, piece.count - start)
            piece.withUnsafeBytes { bytes in
                UnsafeMutableRawBufferPointer(rebasing: state.buffer[state.filled...]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: bytes[start..<(start + count)]))
            }
            state.filled += count
            start += count
        }
        if state.filled == state.buffer.count { try flush(&state) }
    }

    private func flush(_ state: inout State) throws(FileSystem.Failure) {
        try writeBuffer(state.filled, &state)
        state.flushed += Int64(state.filled)
        state.filled = 0
    }

    private func writeBuffer(_ count: Int, _ state: inout State) throws(FileSystem.Failure) {
        let bytes = UnsafeRawBufferPointer(rebasing: state.buffer[..<count])
        do throws(FileSystem.Failure) {
            try FileSystem.write(state.descriptor, path: place.temporary, bytes, at: state.flushed)
        } catch {
            // It allowed direct writes, but not these.
            guard error.number == EINVAL, state.isDirect, FileSystem.setDirect(state.descriptor, false) else {
                throw error
            }
            state.isDirect = false
            try FileSystem.write(state.descriptor, path: place.temporary, bytes, at: state.flushed)
        }
        // Starts writing back now what the sync at the end would have to wait for.
        if !state.isDirect {
            _ = posix_fadvise(state.descriptor, off_t(state.flushed), off_t(count), POSIX_FADV_DONTNEED)
        }
    }

    /// The rest of the bytes, the length, a sync. The descriptor is closed whatever happens after the sync began: what a
    /// failed one means for the bytes before is not known.
    private func complete(_ state: inout State) throws(FileSystem.Failure) {
        if state.filled > 0 {
            var count = state.filled
            if state.isDirect {
                count = (count + Self.alignment - 1) / Self.alignment * Self.alignment
                UnsafeMutableRawBufferPointer(rebasing: state.buffer[state.filled..<count]).initializeMemory(
                    as: UInt8.self, repeating: 0)
            }
            try writeBuffer(count, &state)
            if count > state.filled {
                try FileSystem.truncate(state.descriptor, path: place.temporary, to: state.position)
            }
        }
        let descriptor = state.descriptor
        state.descriptor = -1
        do throws(FileSystem.Failure) {
            try FileSystem.sync(descriptor, path: place.temporary)
        } catch {
            _ = close(descriptor)
            throw error
        }
        guard close(descriptor) == 0 else { throw FileSystem.Failure("close", place.temporary) }
    }

    private func read(_ range: Range<Int64>, _ state: inout State) throws(FileSystem.Failure) -> [UInt8] {
        guard range.lowerBound >= 0, range.upperBound <= state.position else {
            throw FileSystem.Failure("read", place.temporary, number: EINVAL)
        }
        var bytes: [UInt8] = []
        let inFile = range.clamped(to: 0..<state.flushed)
        if !inFile.isEmpty {
            // Opened again: direct reads would have to be aligned.
            let path = state.isPublished ? place.final : place.temporary
            let descriptor = try FileSystem.open(path, O_RDONLY)
            defer { _ = close(descriptor) }
            bytes = try FileSystem.read(descriptor, path: path, offset: inFile.lowerBound, count: inFile.count)
            guard bytes.count == inFile.count else { throw FileSystem.Failure("read", path, number: EIO) }
        }
        let inBuffer = range.clamped(to: state.flushed..<state.position)
        bytes += state.buffer[Int(inBuffer.lowerBound - state.flushed)..<Int(inBuffer.upperBound - state.flushed)]
        return bytes
    }
}
