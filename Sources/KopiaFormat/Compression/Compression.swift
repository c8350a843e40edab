/// kopia's compressors by header ID and name.
///
/// A compressed content is `u32be(header ID) ‖ stream`. The level within a family is a hint of the writer: any stream of
/// the family is valid under any of its IDs.
///
/// Concurrency and memory: may be used concurrently. Decompression never makes more than the expected length, or
/// `lengthMax` when that is not known.
///
/// Source: kopia `repo/compression/*.go`; `kopia-format` §3.3.
/// Vectors: `Tests/KopiaFormatTests/Fixtures/compression-vectors.json`.
public enum Compression {
    /// The longest content an index can describe: 28 bits of length.
    public static let lengthMax = 1 << 28

    enum Family {
        case gzip, zstd, s2, deflate, lz4
    }

    struct Method {
        let name: String
        let family: Family
        /// As the family's encoder counts.
        let level: Int32
        var tuning: Zstandard.Tuning?
    }

    /// Levels: zlib's own; for zstd those of libzstd nearest in effort to what kopia's encoder does under that name.
    /// Level 2 with a window of 512 KiB and a table of 16 Ki entries, which both stay in a core's own cache, makes a dump in chunks of 4 MiB
    /// as small as kopia's fastest (0.327 of it; level 1: 0.346) in less time than level 1. With chunks of 128 KiB a table of
    /// 8 Ki entries takes a tenth less time and makes 0.333 of the dump, where 16 Ki make 0.331.
    private static func method(_ headerID: UInt32) -> Method? {
        switch headerID {
        case 0x1000: Method(name: "gzip", family: .gzip, level: 6)
        case 0x1001: Method(name: "gzip-best-speed", family: .gzip, level: 1)
        case 0x1002: Method(name: "gzip-best-compression", family: .gzip, level: 9)
        case 0x1100: Method(name: "zstd", family: .zstd, level: 3)
        case 0x1101: Method(name: "zstd-fastest", family: .zstd, level: 2, tuning: fastest)
        case 0x1102: Method(name: "zstd-better-compression", family: .zstd, level: 7)
        case 0x1103: Method(name: "zstd-best-compression", family: .zstd, level: 11)
        case 0x1200: Method(name: "s2-default", family: .s2, level: 0)
        case 0x1201: Method(name: "s2-better", family: .s2, level: 1)
        case 0x1202: Method(name: "s2-parallel-4", family: .s2, level: 0)
        case 0x1203: Method(name: "s2-parallel-8", family: .s2, level: 0)
        case 0x1300: Method(name: "pgzip", family: .gzip, level: 6)
        case 0x1301: Method(name: "pgzip-best-speed", family: .gzip, level: 1)
        case 0x1302: Method(name: "pgzip-best-compression", family: .gzip, level: 9)
        case 0x1400: Method(name: "lz4", family: .lz4, level: 0)
        case 0x1500: Method(name: "deflate-default", family: .deflate, level: 6)
        case 0x1501: Method(name: "deflate-best-speed", family: .deflate, level: 1)
        case 0x1502: Method(name: "deflate-best-compression", family: .deflate, level: 9)
        default: nil
        }
    }

    private static let fastest = Zstandard.Tuning(windowLog: 19, hashLog: 14, mediumHashLog: 13, minMatch: 5)

    private static let knownIDs: [UInt32] = [
        0x1000, 0x1001, 0x1002, 0x1100, 0x1101, 0x1102, 0x1103, 0x1200, 0x1201, 0x1202, 0x1203, 0x1300, 0x1301,
        0x1302, 0x1400, 0x1500, 0x1501, 0x1502,
    ]

    /// The name policies use, for example `zstd-fastest` for 0x1101. Nil for unknown IDs.
    public static func name(of headerID: UInt32) -> String? { method(headerID)?.name }

    /// The header ID of a name policies use; 0 for `none` and the empty name; nil for unknown names.
    public static func headerID(named name: String) -> UInt32? {
        if name.isEmpty || name == "none" { return 0 }
        return knownIDs.first { Self.name(of: $0) == name }
    }

    /// - Returns: `u32be(header ID) ‖ stream` and the ID; or the plaintext and 0 when that is not longer, or asked for.
    /// - Throws: `FormatError.Code.unsupported` for an ID that is unknown or can only be read.
    public static func compress(
        _ plaintext: [UInt8], headerID: UInt32
    ) throws(FormatError) -> (bytes: [UInt8], headerID: UInt32) {
        if headerID == 0 { return (plaintext, 0) }
        guard let method = method(headerID), method.family != .lz4 else {
            throw FormatError(.unsupported, "compression \(describe(headerID)) cannot be written")
        }
        // Room for anything that is smaller; an encoder that runs out of it has lost.
        guard plaintext.count > 5 else { return (plaintext, 0) }
        let roomMax = plaintext.count - 5
        let stream: [UInt8]? =
            switch method.family {
            case .zstd:
                try Zstandard.compress(
                    plaintext, level: method.level, tuning: method.tuning, header: header(headerID), lengthMax: roomMax)
            case .gzip:
                try Zlib.compress(
                    plaintext, level: method.level, format: .gzip, header: header(headerID), lengthMax: roomMax)
            case .deflate:
                try Zlib.compress(
                    plaintext, level: method.level, format: .raw, header: header(headerID), lengthMax: roomMax)
            case .s2:
                S2Encoder.compress(plaintext, isBetter: method.level > 0, header: header(headerID), lengthMax: roomMax)
            case .lz4: nil
            }
        guard let stream else { return (plaintext, 0) }
        return (stream, headerID)
    }

    /// - Throws: `FormatError.Code.damagedStream` when the header does not say `headerID`, the stream is malformed or
    ///   cut, or its length is not `expectedLength`; `.unsupported` for an unknown ID.
    public static func decompress(
        _ stored: [UInt8], headerID: UInt32, expectedLength: Int?
    ) throws(FormatError) -> [UInt8] {
        if headerID == 0 {
            try check(length: stored.count, expected: expectedLength)
            return stored
        }
        guard let found = self.headerID(of: stored) else {
            throw FormatError(
                .damagedStream,
                "a content of \(stored.count) bytes is too short to be compressed with \(describe(headerID))")
        }
        guard found == headerID else {
            throw FormatError(
                .damagedStream,
                "a content starts with compression header \(hex(found)) where its index says \(describe(headerID))")
        }
        guard let method = method(headerID) else {
            throw FormatError(
                .unsupported, "compression header \(hex(headerID)) is not known",
                hint: "a newer kopia may have written it")
        }
        let limit = expectedLength ?? lengthMax
        guard limit >= 0, limit <= 1 << 30 else {
            throw FormatError(.damagedStream, "a content cannot be \(limit) bytes long")
        }
        let stream = stored.span.bytes.extracting(droppingFirst: 4)
        let plaintext: [UInt8]
        do throws(StreamError) {
            switch method.family {
            case .zstd: plaintext = try Zstandard.decompress(stream, lengthMax: limit)
            case .gzip: plaintext = try Zlib.decompress(stream, format: .gzip, lengthMax: limit)
            case .deflate: plaintext = try Zlib.decompress(stream, format: .raw, lengthMax: limit)
            case .s2: plaintext = try S2Decoder.decompress(stream, lengthMax: limit)
            case .lz4: plaintext = try LZ4Decoder.decompress(stream, lengthMax: limit)
            }
        } catch {
            throw FormatError(
                .damagedStream,
                "a content of \(stored.count) bytes compressed with \(method.name) is damaged: \(error.reason)")
        }
        try check(length: plaintext.count, expected: expectedLength)
        return plaintext
    }

    /// The header ID at the start of compressed bytes; nil when shorter than that.
    public static func headerID(of stored: [UInt8]) -> UInt32? {
        guard stored.count >= 4 else { return nil }
        return stored[0..<4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func header(_ headerID: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: headerID >> (24 - 8 * UInt32($0))) }
    }

    private static func check(length: Int, expected: Int?) throws(FormatError) {
        guard let expected, expected != length else { return }
        throw FormatError(.damagedStream, "a content gave \(length) bytes where its index says \(expected)")
    }

    private static func hex(_ headerID: UInt32) -> String { "0x" + String(headerID, radix: 16) }

    private static func describe(_ headerID: UInt32) -> String {
        method(headerID).map { "\($0.name) (\(hex(headerID)))" } ?? hex(headerID)
    }
}

/// Why a compressed stream cannot be read; the caller adds what it belongs to.
struct StreamError: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }

    static let cut = StreamError("the stream ends too early")
    static func tooLong(_ limit: Int) -> StreamError { StreamError("it gives more than the expected \(limit) bytes") }
}
