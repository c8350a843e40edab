internal import Diagnostics

/// How the decoded text of a scalar lies in the file: stretches that were copied, and places where an escape, a folded
/// line break or an indentation stands for something else.
///
/// Memory: one entry a line and an escape. The scalar is decoded a second time, by our own reading of YAML; should that
/// ever differ from libyaml's, the map says `isExact` false and every place is the whole scalar.
public struct YAMLTextMap: Sendable {
    struct Run: Sendable, Equatable {
        var decoded: Int
        var source: Int
        var sourceCount: Int
        var isCopy: Bool
    }

    /// True when places inside the scalar are good to the byte.
    public let isExact: Bool
    private let runs: [Run]
    private let whole: Range<Int>
    private let decodedCount: Int

    init(_ scalar: YAMLScalar, source: SourceFile, offsets: Range<Int>) {
        var runs: [Run]?
        if case .literal = scalar.style {
            runs = YAMLBlockText.runs(of: scalar, in: source.bytes, offsets: offsets)
        } else if case .folded = scalar.style {
            runs = YAMLBlockText.runs(of: scalar, in: source.bytes, offsets: offsets)
        } else {
            var text = YAMLTextScanner(bytes: source.bytes, offsets: offsets)
            text.skipProperties()
            text.flow(scalar.style)
            if text.decoded.elementsEqual(scalar.text.utf8) { runs = text.runs }
        }
        self.isExact = runs != nil
        self.runs = runs ?? []
        self.whole = offsets
        self.decodedCount = scalar.text.utf8.count
    }

    /// The bytes of the file that stand for these bytes of the decoded text. Offsets outside the text are moved to its
    /// ends.
    public func sourceOffsets(_ decoded: Range<Int>) -> Range<Int> {
        guard isExact, let last = runs.last else { return whole }
        let lower = max(0, min(decoded.lowerBound, decodedCount))
        let upper = max(lower, min(decoded.upperBound, decodedCount))
        if lower == decodedCount {
            let end = last.source + last.sourceCount
            return end..<end
        }
        let first = run(at: lower)
        let start = first.source + (first.isCopy ? lower - first.decoded : 0)
        guard upper > lower else { return start..<start }
        let final = run(at: upper - 1)
        let end = final.source + (final.isCopy ? upper - final.decoded : final.sourceCount)
        return start..<max(start, end)
    }

    private func run(at offset: Int) -> Run {
        var low = 0
        var high = runs.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if runs[middle].decoded <= offset { low = middle } else { high = middle }
        }
        return runs[low]
    }
}

/// Decodes scalars from the file and notes where every piece came from.
struct YAMLTextScanner {
    let bytes: [UInt8]
    var position: Int
    let end: Int
    private(set) var decoded: [UInt8] = []
    private(set) var runs: [YAMLTextMap.Run] = []

    init(bytes: [UInt8], offsets: Range<Int>) {
        self.bytes = bytes
        self.position = max(0, min(offsets.lowerBound, bytes.count))
        self.end = max(self.position, min(offsets.upperBound, bytes.count))
    }

    var current: UInt8? { position < end ? bytes[position] : nil }
    var isBlank: Bool { current == 0x20 || current == 0x09 }

    /// Length of the line break here; 0 when there is none.
    var breakCount: Int { breakCount(at: position) }

    /// YAML 1.1 knows NEL, LS and PS besides CR and LF.
    private func breakCount(at position: Int) -> Int {
        guard position < end else { return 0 }
        switch bytes[position] {
        case 0x0a: return 1
        case 0x0d: return position + 1 < end && bytes[position + 1] == 0x0a ? 2 : 1
        case 0xc2: return position + 1 < end && bytes[position + 1] == 0x85 ? 2 : 0
        case 0xe2:
            guard position + 2 < end, bytes[position + 1] == 0x80 else { return 0 }
            return bytes[position + 2] == 0xa8 || bytes[position + 2] == 0xa9 ? 3 : 0
        default: return 0
        }
    }

    /// Bytes from here to the next line break or the end.
    var restOfLineCount: Int {
        var stop = position
        while stop < end, breakCount(at: stop) == 0 { stop += 1 }
        return stop - position
    }

    /// What a line break of that length at that place decodes to.
    func breakText(at offset: Int, count: Int) -> [UInt8] {
        count == 3 ? Array(bytes[offset..<offset + 3]) : [0x0a]
    }

    mutating func copy(_ count: Int) {
        let count = min(count, end - position)
        guard count > 0 else { return }
        if let last = runs.last, last.isCopy, last.source + last.sourceCount == position {
            runs[runs.count - 1].sourceCount += count
        } else {
            runs.append(.init(decoded: decoded.count, source: position, sourceCount: count, isCopy: true))
        }
        decoded.append(contentsOf: bytes[position..<position + count])
        position += count
    }

    mutating func substitute(_ text: some Collection<UInt8>, from start: Int, to stop: Int) {
        guard !text.isEmpty else { return }
        runs.append(.init(decoded: decoded.count, source: start, sourceCount: stop - start, isCopy: false))
        decoded.append(contentsOf: text)
    }

    /// Goes past `&anchor` and `!tag`, which libyaml counts to the scalar.
    mutating func skipProperties() {
        while let byte = current {
            if byte == UInt8(ascii: "&") || byte == UInt8(ascii: "!") {
                while let byte = current, byte != 0x20, byte != 0x09, breakCount == 0 {
                    position += byte == 0 ? 0 : 1
                    if byte == 0 { return }
                }
                skipSpaceAndComments()
            } else {
                return
            }
        }
    }

    private mutating func skipSpaceAndComments() {
        while current != nil {
            if isBlank {
                position += 1
            } else if breakCount > 0 {
                position += breakCount
            } else if current == UInt8(ascii: "#") {
                while current != nil, breakCount == 0 { position += 1 }
            } else {
                return
            }
        }
    }

    // MARK: Plain and quoted

    mutating func flow(_ style: YAMLScalar.Style) {
        var quote: UInt8?
        if style == .singleQuoted { quote = UInt8(ascii: "'") }
        if style == .doubleQuoted { quote = UInt8(ascii: "\"") }
        if quote != nil { position += 1 }
        while let byte = current {
            if byte == quote {
                guard style == .singleQuoted, position + 1 < end, bytes[position + 1] == quote else { return }
                substitute([byte], from: position, to: position + 2)
                position += 2
            } else if byte == UInt8(ascii: "\\"), style == .doubleQuoted {
                escape()
            } else if isBlank || breakCount > 0 {
                space(escapedBreak: false)
            } else {
                copy(1)
            }
        }
    }

    /// White space between words: kept inside a line; around line breaks folded to one space or to the empty lines.
    private mutating func space(escapedBreak: Bool) {
        let start = position
        while isBlank { position += 1 }
        if breakCount == 0, !escapedBreak {
            let stop = position
            position = start
            return copy(stop - start)
        }
        var first: [UInt8] = []
        var more: [UInt8] = []
        var hasBreak = escapedBreak
        while current != nil {
            let count = breakCount
            if count > 0 {
                let text = breakText(at: position, count: count)
                if hasBreak { more += text } else { first = text }
                hasBreak = true
                position += count
            } else if isBlank {
                position += 1
            } else {
                break
            }
        }
        if first.first == 0x0a {
            substitute(more.isEmpty ? [0x20] : more, from: start, to: position)
        } else {
            substitute(first + more, from: start, to: position)
        }
    }

    private mutating func escape() {
        let start = position
        position += 1
        guard let byte = current else { return }
        let count = breakCount
        if count > 0 {
            position += count
            return space(escapedBreak: true)
        }
        position += 1
        let digits = [UInt8(ascii: "x"): 2, UInt8(ascii: "u"): 4, UInt8(ascii: "U"): 8][byte] ?? 0
        if digits > 0 {
            var value: UInt32 = 0
            for _ in 0..<digits {
                guard let digit = current, let number = Character(Unicode.Scalar(digit)).hexDigitValue else { return }
                value = value &<< 4 | UInt32(number)
                position += 1
            }
            let scalar = Unicode.Scalar(value) ?? "\u{fffd}"
            return substitute(Array(String(scalar).utf8), from: start, to: position)
        }
        substitute(Array(Self.escapes[byte, default: String(Unicode.Scalar(byte))].utf8), from: start, to: position)
    }

    private static let escapes: [UInt8: String] = [
        UInt8(ascii: "0"): "\0", UInt8(ascii: "a"): "\u{7}", UInt8(ascii: "b"): "\u{8}", UInt8(ascii: "t"): "\t",
        0x09: "\t", UInt8(ascii: "n"): "\n", UInt8(ascii: "v"): "\u{b}", UInt8(ascii: "f"): "\u{c}",
        UInt8(ascii: "r"): "\r", UInt8(ascii: "e"): "\u{1b}", UInt8(ascii: "N"): "\u{85}", UInt8(ascii: "_"): "\u{a0}",
        UInt8(ascii: "L"): "\u{2028}", UInt8(ascii: "P"): "\u{2029}",
    ]
}
