internal import CZstd
internal import Glibc
internal import Synchronization

/// zstd through libzstd: frames without dictionary. Up to level 19 libzstd's window is at most 8 MiB, which every decoder
/// accepts; kopia's names map to levels far below.
///
/// Concurrency and memory: contexts are reused, if possible by the thread that had them, whose core's cache has their tables. At most 8 idle ones of each kind are kept (about 1 MiB
/// each at level 1, 10 MiB at level 7).
enum Zstandard {
    /// What replaces a level's own parameters for inputs longer than `shortLengthMax`.
    struct Tuning {
        /// ZSTD_fast: one probe a position. libzstd's levels take a slower one for inputs up to 256 KiB.
        static let strategy = Int32(bitPattern: ZSTD_fast.rawValue)
        /// log2 of the bytes it looks back on.
        let windowLog: Int32
        /// log2 of the hash table's entries of 4 bytes.
        let hashLog: Int32
        /// The same for inputs up to `mediumLengthMax`, which have less to find and should not pay for a larger table.
        let mediumHashLog: Int32
        /// Bytes.
        let minMatch: Int32
    }

    private static let shortLengthMax = 64 << 10
    private static let mediumLengthMax = 256 << 10

    /// `header ‖ frame`, or nil when that would be longer than `lengthMax`.
    static func compress(
        _ plaintext: [UInt8], level: Int32, tuning: Tuning? = nil, header: [UInt8], lengthMax: Int
    ) throws(FormatError) -> [UInt8]? {
        guard lengthMax > header.count, let context = compressors.take() else {
            if lengthMax <= header.count { return nil }
            throw FormatError(.library, "libzstd could not make a compressor")
        }
        defer { compressors.give(context) }
        _ = ZSTD_CCtx_reset(context.pointer, ZSTD_reset_session_and_parameters)
        _ = ZSTD_CCtx_setParameter(context.pointer, ZSTD_c_compressionLevel, level)
        if let tuning, plaintext.count > shortLengthMax {
            _ = ZSTD_CCtx_setParameter(context.pointer, ZSTD_c_strategy, Tuning.strategy)
            _ = ZSTD_CCtx_setParameter(context.pointer, ZSTD_c_windowLog, tuning.windowLog)
            _ = ZSTD_CCtx_setParameter(
                context.pointer, ZSTD_c_hashLog,
                plaintext.count > mediumLengthMax ? tuning.hashLog : tuning.mediumHashLog)
            _ = ZSTD_CCtx_setParameter(context.pointer, ZSTD_c_minMatch, tuning.minMatch)
        }
        var code = 0
        var output = OutputBuffers.take(lengthMax)
        output.append(addingCapacity: lengthMax) { (span: inout OutputSpan<UInt8>) in
            span.withUnsafeMutableBufferPointer { buffer, filled in
                guard let base = buffer.baseAddress else { return }
                for (position, byte) in header.enumerated() { base[position] = byte }
                code = plaintext.withUnsafeBytes { input in
                    ZSTD_compress2(
                        context.pointer, base + header.count, lengthMax - header.count, input.baseAddress, input.count)
                }
                filled = ZSTD_isError(code) == 0 ? header.count + code : 0
            }
        }
        guard ZSTD_isError(code) != 0 else { return output }
        OutputBuffers.give(&output)
        if ZSTD_getErrorCode(code) == ZSTD_error_dstSize_tooSmall { return nil }
        throw FormatError(.library, "libzstd could not compress: \(String(cString: ZSTD_getErrorName(code)))")
    }

    /// All frames of `stream`, one after another.
    static func decompress(_ stream: RawSpan, lengthMax: Int) throws(StreamError) -> [UInt8] {
        guard let context = decompressors.take() else { throw StreamError("libzstd could not make a decompressor") }
        defer { decompressors.give(context) }
        _ = ZSTD_DCtx_reset(context.pointer, ZSTD_reset_session_and_parameters)
        // kopia's encoder may use up to 8 MiB at its best level; 128 MiB is what libzstd allows by default.
        _ = ZSTD_DCtx_setParameter(context.pointer, ZSTD_d_windowLogMax, 27)
        var output = BoundedOutput(lengthMax: lengthMax, guess: stream.byteCount)
        let failure: StreamError? = stream.withUnsafeBytes { input in
            var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
            var hint = 1
            while source.pos < source.size || hint != 0 {
                let before = (source.pos, output.count)
                var isFull = false
                hint = output.extend { room, count in
                    var target = ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
                    let code = ZSTD_decompressStream(context.pointer, &target, &source)
                    count = target.pos
                    isFull = target.pos == target.size
                    return code
                }
                if ZSTD_isError(hint) != 0 { return StreamError(String(cString: ZSTD_getErrorName(hint))) }
                if output.isOverLimit { return .tooLong(lengthMax) }
                if before == (source.pos, output.count), !isFull { return .cut }
                if source.pos == source.size, hint != 0, !isFull { return .cut }
            }
            return nil
        }
        if let failure { throw failure }
        return output.bytes
    }

    // MARK: Contexts

    /// `@unchecked Sendable`: a context is either idle in the pool or with the one caller that took it.
    private struct Context: @unchecked Sendable {
        let pointer: OpaquePointer
        /// The one that used it last; of a computing thread the kernel keeps the core.
        var thread: pthread_t = 0
    }

    private final class Pool: Sendable {
        private let idle = Mutex<[Context]>([])
        private let make: @Sendable () -> OpaquePointer?
        private let free: @Sendable (OpaquePointer) -> Void

        init(make: @escaping @Sendable () -> OpaquePointer?, free: @escaping @Sendable (OpaquePointer) -> Void) {
            self.make = make
            self.free = free
        }

        func take() -> Context? {
            let thread = pthread_self()
            let found = idle.withLock { idle -> Context? in
                guard let warm = idle.lastIndex(where: { $0.thread == thread }) else { return idle.popLast() }
                return idle.remove(at: warm)
            }
            return found ?? make().map { Context(pointer: $0) }
        }

        func give(_ context: Context) {
            var context = context
            context.thread = pthread_self()
            let isKept = idle.withLock { [context] idle in
                guard idle.count < 8 else { return false }
                idle.append(context)
                return true
            }
            if !isKept { free(context.pointer) }
        }
    }

    private static let compressors = Pool(make: { ZSTD_createCCtx() }, free: { ZSTD_freeCCtx($0) })
    private static let decompressors = Pool(make: { ZSTD_createDCtx() }, free: { ZSTD_freeDCtx($0) })
}
