#if canImport(Glibc)
    import Glibc
#endif

/// One zone of the time zone database.
///
/// | bytes        | field                                                        |
/// |--------------|--------------------------------------------------------------|
/// | 0–3          | `TZif`                                                       |
/// | 4            | version: 0, `2`, `3`, `4`                                    |
/// | 20–43        | six counts: UT flags, standard flags, leaps, transitions, types, name bytes |
/// | then         | transition times, type of each, types (6 bytes), names       |
/// | from `2` on  | the same again with 64-bit times, then a POSIX rule between line breaks |
///
/// Source: RFC 9636; what Go's `time.LoadLocationFromTZData` makes of it.
struct ZoneFile: Sendable, Hashable {
    struct LocalType: Sendable, Hashable {
        let offset: Int
        let isDaylight: Bool
        let name: String
    }

    let transitions: [Int64]
    let transitionTypes: [Int]
    let types: [LocalType]
    /// What holds after the last transition.
    let rule: PosixZoneRule?

    private static let folder = "/usr/share/zoneinfo/"
    private static let maximumSize = 1 << 20

    /// Nil when the name is not that of a readable zone. Names that leave the folder are refused, as in Go.
    static func load(_ name: String) -> ZoneFile? {
        guard !name.contains(".."), !name.hasPrefix("/"), !name.contains("\\"), !name.contains("\0") else { return nil }
        let descriptor = open(folder + name, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while bytes.count < maximumSize {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 { return nil }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return ZoneFile(bytes)
    }

    init?(_ bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        guard let first = Header(&reader) else { return nil }
        var header = first
        var wide = false
        if first.version >= 0x32 {
            guard reader.skip(first.size(timeWidth: 4)), let second = Header(&reader) else { return nil }
            header = second
            wide = true
        }
        let width = wide ? 8 : 4
        guard header.typeCount > 0, reader.remaining >= header.size(timeWidth: width) else { return nil }
        transitions = (0..<header.transitionCount).map { _ in reader.signed(width) }
        transitionTypes = (0..<header.transitionCount).map { _ in reader.unsigned(1) }
        let raw = (0..<header.typeCount).map { _ in
            (offset: Int(reader.signed(4)), isDaylight: reader.unsigned(1) != 0, name: reader.unsigned(1))
        }
        let names = reader.take(header.nameBytes)
        types = raw.map { type in
            let text = names.dropFirst(type.name).prefix { $0 != 0 }
            return LocalType(
                offset: type.offset, isDaylight: type.isDaylight, name: String(decoding: text, as: UTF8.self))
        }
        guard transitionTypes.allSatisfy({ $0 < header.typeCount }) else { return nil }
        _ = reader.skip(header.leapCount * (width + 4) + header.standardCount + header.universalCount)
        let footer = reader.rest
        rule = wide && footer.first == 0x0a ? PosixZoneRule(footer.dropFirst().prefix { $0 != 0x0a }) : nil
    }

    func offset(at seconds: Int64) -> (name: String, seconds: Int) {
        if let last = transitions.last, seconds >= last, let rule { return rule.offset(at: seconds) }
        guard let first = transitions.first, seconds >= first else {
            if transitions.isEmpty, let rule { return rule.offset(at: seconds) }
            let type = initialType
            return (type.name, type.offset)
        }
        var (low, high) = (0, transitions.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if transitions[middle] <= seconds { low = middle } else { high = middle }
        }
        let type = types[transitionTypes[low]]
        return (type.name, type.offset)
    }

    /// What held before the first transition: type 0 unless a transition uses it, else the first standard time.
    private var initialType: LocalType {
        if !transitionTypes.contains(0), let first = types.first { return first }
        if let firstUsed = transitionTypes.first, types[firstUsed].isDaylight {
            for index in stride(from: firstUsed - 1, through: 0, by: -1) where !types[index].isDaylight {
                return types[index]
            }
        }
        return types.first { !$0.isDaylight } ?? types.first ?? LocalType(offset: 0, isDaylight: false, name: "UTC")
    }

    private struct Header {
        let version: UInt8
        let universalCount, standardCount, leapCount, transitionCount, typeCount, nameBytes: Int

        init?(_ reader: inout Reader) {
            guard reader.remaining >= 44, reader.take(4) == Array("TZif".utf8) else { return nil }
            version = reader.take(16).first ?? 0
            universalCount = reader.unsigned(4)
            standardCount = reader.unsigned(4)
            leapCount = reader.unsigned(4)
            transitionCount = reader.unsigned(4)
            typeCount = reader.unsigned(4)
            nameBytes = reader.unsigned(4)
        }

        func size(timeWidth: Int) -> Int {
            transitionCount * (timeWidth + 1) + typeCount * 6 + nameBytes + leapCount * (timeWidth + 4)
                + standardCount + universalCount
        }
    }

    /// Reads big-endian numbers; zeros past the end.
    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        var remaining: Int { bytes.count - position }
        var rest: ArraySlice<UInt8> { bytes[position...] }

        mutating func skip(_ count: Int) -> Bool {
            guard count <= remaining else { return false }
            position += count
            return true
        }

        mutating func take(_ count: Int) -> [UInt8] {
            let end = min(bytes.count, position + count)
            defer { position = end }
            return Array(bytes[position..<end])
        }

        mutating func unsigned(_ width: Int) -> Int { take(width).reduce(0) { $0 << 8 | Int($1) } }

        mutating func signed(_ width: Int) -> Int64 {
            let value = take(width).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return width == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(truncatingIfNeeded: value)
        }
    }
}
