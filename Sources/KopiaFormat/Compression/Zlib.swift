internal import CZlib

/// gzip (RFC 1952, several members allowed) and raw deflate (RFC 1951) through zlib.
enum Zlib {
    enum Format {
        case gzip, raw
        var windowBits: Int32 { self == .gzip ? 15 + 16 : -15 }
    }

    /// `header ‖ stream`, or nil when that would be longer than `lengthMax`.
    static func compress(
        _ plaintext: [UInt8], level: Int32, format: Format, header: [UInt8], lengthMax: Int
    ) throws(FormatError) -> [UInt8]? {
        guard lengthMax > header.count else { return nil }
        guard plaintext.count <= Int(UInt32.max) else {
            throw FormatError(.unsupported, "\(plaintext.count) bytes are too many to compress at once")
        }
        var stream = z_stream()
        guard
            deflateInit2_(
                &stream, level, Z_DEFLATED, format.windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { throw FormatError(.library, "zlib could not make a compressor") }
        defer { deflateEnd(&stream) }
        let room = min(lengthMax, Int(UInt32.max))
        var code: Int32 = Z_OK
        let output = [UInt8](unsafeUninitializedCapacity: room) { buffer, filled in
            guard let base = buffer.baseAddress else { return }
            for (position, byte) in header.enumerated() { base[position] = byte }
            code = plaintext.withUnsafeBytes { input in
                // zlib's declaration lacks const; it does not write there.
                stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
                stream.avail_in = UInt32(input.count)
                stream.next_out = base + header.count
                stream.avail_out = UInt32(room - header.count)
                return deflate(&stream, Z_FINISH)
            }
            filled = code == Z_STREAM_END ? room - Int(stream.avail_out) : 0
        }
        return code == Z_STREAM_END ? output : nil
    }

    static func decompress(_ input: RawSpan, format: Format, lengthMax: Int) throws(StreamError) -> [UInt8] {
        guard input.byteCount <= Int(UInt32.max) else { throw StreamError("it is too long") }
        var stream = z_stream()
        guard inflateInit2_(&stream, format.windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw StreamError("zlib could not make a decompressor")
        }
        defer { inflateEnd(&stream) }
        var output = BoundedOutput(lengthMax: lengthMax, guess: input.byteCount)
        let failure: StreamError? = input.withUnsafeBytes { source in
            stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.avail_in = UInt32(source.count)
            while true {
                let code = output.extend { room, count in
                    stream.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    stream.avail_out = UInt32(clamping: room.count)
                    let offered = stream.avail_out
                    let code = inflate(&stream, Z_NO_FLUSH)
                    count = Int(offered - stream.avail_out)
                    return Int(code)
                }
                if output.isOverLimit { return .tooLong(lengthMax) }
                switch Int32(truncatingIfNeeded: code) {
                case Z_OK: continue
                case Z_STREAM_END:
                    if stream.avail_in == 0 { return nil }
                    guard format == .gzip else { return StreamError("there are bytes after its end") }
                    guard inflateReset(&stream) == Z_OK else { return StreamError("zlib could not go on") }
                case Z_BUF_ERROR where stream.avail_in == 0: return .cut
                default:
                    return StreamError(stream.msg.map { String(cString: $0) } ?? "zlib says \(code)")
                }
            }
        }
        if let failure { throw failure }
        return output.bytes
    }
}
