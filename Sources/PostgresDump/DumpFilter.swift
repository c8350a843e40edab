import Glibc

/// Makes a plain dump safe and fit to be run by psql on a fresh database, while it streams through.
///
/// - Settings at the start that an older target does not know are left out, by list.
/// - With `--clean`, a dump starts with DROPs: there is nothing to drop in a fresh database, so they are left out.
/// - The dump's own `\restrict` pair is taken out, because the caller puts its own around the whole: the dump could
///   otherwise lift its restriction itself and run commands on this machine.
///
/// Lines are blanked, not removed, so that psql's line numbers are those of the dump. Only the part before the first
/// other statement is looked at line by line; the rest passes through.
///
/// Concurrency and memory: a value; holds at most one line of the start (64 KiB) and the last 4 KiB.
///
/// Source: PostgreSQL `src/bin/pg_dump/pg_backup_archiver.c`, `RestoreArchive`, `_doSetFixedOutputState`;
/// `src/bin/psql/command.c`, `exec_command_restrict`.
public struct DumpFilter: Sendable {
    /// Settings a dump may start with and the first major that knows them.
    public static let knownSettings: [String: Int] = [
        "idle_in_transaction_session_timeout": 10, "default_table_access_method": 12, "transaction_timeout": 17,
    ]

    private let targetMajor: Int
    private var line: [UInt8] = []
    private var isInStart = true
    private var restrictKey: [UInt8]?
    private var tail: [UInt8] = []
    /// Settings that were left out, for the log: `SET transaction_timeout = 0;`.
    public private(set) var leftOut: [String] = []
    /// DROPs that were left out.
    public private(set) var leftOutDrops = 0
    /// The text calls itself a dump of pg_dump, so it must also have pg_dump's end.
    private var isDump = false
    /// After the start: whether the next byte begins a line.
    private var wasAtLineStart = false

    private static let lineLimit = 64 << 10
    private static let tailLimit = 4 << 10

    public init(targetMajor: Int) { self.targetMajor = targetMajor }

    /// The bytes to hand on; may be empty.
    public mutating func filter(_ chunk: [UInt8]) -> [UInt8] {
        tail += chunk.suffix(Self.tailLimit)
        if tail.count > Self.tailLimit { tail.removeFirst(tail.count - Self.tailLimit) }
        guard isInStart else { return withoutRestriction(chunk) }
        var kept: [UInt8] = []
        var position = 0
        while position < chunk.count {
            let end = chunk[position...].firstIndex(of: 0x0a)
            line += chunk[position..<(end ?? chunk.count)]
            guard let end else {
                if line.count > Self.lineLimit {
                    isInStart = false
                    wasAtLineStart = false
                }
                break
            }
            kept += takeLine()
            kept.append(0x0a)
            position = end + 1
            if !isInStart {
                wasAtLineStart = true
                return kept + withoutRestriction(Array(chunk[position...]))
            }
        }
        if !isInStart {
            kept += line
            line = []
        }
        return kept
    }

    /// What is held back at the end of the stream.
    public mutating func finish() -> [UInt8] {
        defer { line = [] }
        return line == unrestrictLine ? [] : line
    }

    /// False when pg_dump's own end is missing: the producer died and somebody stored what there was.
    public var isComplete: Bool {
        let text = String(decoding: tail, as: UTF8.self)
        return !isDump || text.contains("-- PostgreSQL database dump complete")
            || text.contains("-- PostgreSQL database cluster dump complete")
    }

    private mutating func takeLine() -> [UInt8] {
        defer { line = [] }
        let text = String(decoding: line, as: UTF8.self)
        if text.isEmpty || text == "\r" { return line }
        if text.hasPrefix("--") {
            if text.hasPrefix("-- PostgreSQL database dump") || text.hasPrefix("-- PostgreSQL database cluster dump") {
                isDump = true
            }
            return line
        }
        if text.hasPrefix("\\restrict ") {
            restrictKey = Array(line.dropFirst("\\restrict ".utf8.count))
            return []
        }
        if text.hasPrefix("SET "), text.hasSuffix(";") {
            let name = text.dropFirst(4).prefix { $0 != " " && $0 != "=" }
            if let since = Self.knownSettings[String(name)], since > targetMajor {
                leftOut.append(text)
                return []
            }
            return line
        }
        if text.hasPrefix("SELECT pg_catalog.set_config("), text.hasSuffix(";") { return line }
        if isDrop(text) {
            leftOutDrops += 1
            return []
        }
        isInStart = false
        return line
    }

    /// A whole statement of the section `--clean` puts first. The schema `public` is there in a fresh database, and the
    /// dump makes it again when it drops it, so that one stays.
    private func isDrop(_ text: String) -> Bool {
        guard text.hasSuffix(";"), !["DROP SCHEMA public;", "DROP SCHEMA \"public\";"].contains(text) else {
            return false
        }
        return text.hasPrefix("DROP ") || (text.hasPrefix("ALTER ") && text.contains(" DROP "))
    }

    private var unrestrictLine: [UInt8]? { restrictKey.map { Array("\\unrestrict ".utf8) + $0 } }

    /// Blanks the line that lifts the dump's own restriction. Its key is random: no data looks like it.
    ///
    /// `line` holds what may be the beginning of that line, always from a line's start.
    private mutating func withoutRestriction(_ chunk: [UInt8]) -> [UInt8] {
        guard let marker = unrestrictLine else { return chunk }
        let bytes = line.isEmpty ? chunk : line + chunk
        // A chunk that does not continue a held line starts in the middle of one, unless the last ended with a break.
        let isAtLineStart = !line.isEmpty || wasAtLineStart
        line = []
        guard let last = bytes.last else { return [] }
        wasAtLineStart = last == 0x0a
        var cuts: [Range<Int>] = []
        bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            var start = isAtLineStart ? 0 : Self.afterLineBreak(base, from: 0, count: buffer.count)
            while start < buffer.count {
                if buffer[start] == 0x5c {
                    let rest = UnsafeRawBufferPointer(rebasing: buffer[start...].prefix(marker.count + 1))
                    if rest.count > marker.count, rest.last == 0x0a, rest.dropLast().elementsEqual(marker) {
                        cuts.append(start..<(start + marker.count))
                    } else if rest.count <= marker.count, marker.starts(with: rest) {
                        cuts.append(start..<buffer.count)
                        line = Array(rest)
                        return
                    }
                }
                start = Self.afterLineBreak(base, from: start, count: buffer.count)
            }
        }
        guard !cuts.isEmpty else { return bytes }
        var kept: [UInt8] = []
        var position = 0
        for cut in cuts {
            kept += bytes[position..<cut.lowerBound]
            position = cut.upperBound
        }
        return kept + bytes[position...]
    }

    private static func afterLineBreak(_ base: UnsafeRawPointer, from start: Int, count: Int) -> Int {
        guard let found = memchr(base + start, 0x0a, count - start) else { return count }
        return base.distance(to: UnsafeRawPointer(found)) + 1
    }
}
