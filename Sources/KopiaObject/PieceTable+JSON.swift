import GoFormats
import KopiaContent

/// The text of a table:
///
///     {"stream":"kopia:indirect","entries":[{"l":2097152,"o":"0011…"},{"s":2097152,"l":100,"o":"ffee…"}]}⏎
///
/// `s` start, `l` length, both left out when 0; `o` a direct object ID.
///
/// Source: kopia `repo/object/indirect.go`.
extension PieceTable {
    private static let head = #"{"stream":"kopia:indirect","entries":["#
    private static let tail = "]}\n"

    /// The text in blocks of about 64 KiB, so that a table of a million pieces is never text as a whole.
    struct TextBlocks {
        private let table: PieceTable
        private var next = 0
        private var isDone = false

        init(_ table: PieceTable) { self.table = table }

        mutating func nextBlock() -> [UInt8]? {
            guard !isDone else { return nil }
            var block = next == 0 ? Array(PieceTable.head.utf8) : []
            while next < table.count, block.count < 64 << 10 {
                let piece = table[next]
                if next > 0 { block.append(UInt8(ascii: ",")) }
                var text = "{"
                if piece.range.lowerBound != 0 { text += "\"s\":\(piece.range.lowerBound)," }
                if piece.length != 0 { text += "\"l\":\(piece.length)," }
                text += "\"o\":\"\(piece.object)\"}"
                block.append(contentsOf: text.utf8)
                next += 1
            }
            if next == table.count {
                block.append(contentsOf: PieceTable.tail.utf8)
                isDone = true
            }
            return block
        }
    }

    /// - Throws: `ObjectError.Code.malformed` when the text is no table, or its pieces are not contiguous from 0.
    init(text: [UInt8], of object: ObjectID) throws(ObjectError) {
        if let table = Self.scan(text) {
            self = table
            return
        }
        // Anything that is not exactly as kopia writes it takes the slow road, which also knows what is wrong.
        self.init()
        func malformed(_ detail: String) -> ObjectError {
            ObjectError(
                .malformed, object: object, "the table of object \(object) is malformed: \(detail)",
                hint: "the object cannot be read; other objects are not affected")
        }
        let json: JSONValue
        do { json = try JSONParser.parse(text, limits: .init(depth: 8, bytes: 1 << 30)) } catch {
            throw malformed("\(error)")
        }
        let stream = json.objectValue?.caseInsensitive("stream")?.stringValue ?? ""
        guard stream == "kopia:indirect" else { throw malformed("its stream is '\(stream)', not 'kopia:indirect'") }
        for entry in json.objectValue?.caseInsensitive("entries")?.arrayValue ?? [] {
            guard let members = entry.objectValue else { throw malformed("piece \(count) is no object") }
            let start = members.caseInsensitive("s")?.integerValue ?? 0
            let length = members.caseInsensitive("l")?.integerValue ?? 0
            guard start == self.length else {
                throw malformed("piece \(count) starts at \(start), the one before ends at \(self.length)")
            }
            let name = members.caseInsensitive("o")?.stringValue ?? ""
            guard let piece = ObjectID(name) else { throw malformed("piece \(count) is '\(name)', no object ID") }
            if let problem = append(piece, length: length) { throw malformed(problem) }
        }
        guard !isEmpty else { throw malformed("it has no pieces") }
    }

    /// Reads a table exactly as kopia writes it, without building a JSON tree; nil for everything else.
    private static func scan(_ text: [UInt8]) -> PieceTable? {
        guard text.starts(with: head.utf8) else { return nil }
        var scanner = TextScanner(text: text, position: head.utf8.count)
        var table = PieceTable()
        repeat {
            guard scanner.take("{") else { return nil }
            var start: Int64 = 0
            var length: Int64 = 0
            if scanner.take("\"s\":") {
                guard let value = scanner.integer(), scanner.take(",") else { return nil }
                start = value
            }
            if scanner.take("\"l\":") {
                guard let value = scanner.integer(), scanner.take(",") else { return nil }
                length = value
            }
            guard scanner.take("\"o\":\""), let name = scanner.upToQuote(), scanner.take("\"}"),
                start == table.length, let piece = ObjectID(name), table.append(piece, length: length) == nil
            else { return nil }
        } while scanner.take(",")
        guard scanner.take(tail), scanner.isAtEnd else { return nil }
        return table
    }
}

private struct TextScanner {
    let text: [UInt8]
    var position: Int

    var isAtEnd: Bool { position == text.count }

    mutating func take(_ expected: StaticString) -> Bool {
        let count = expected.utf8CodeUnitCount
        guard position + count <= text.count else { return false }
        for offset in 0..<count where text[position + offset] != expected.utf8Start[offset] { return false }
        position += count
        return true
    }

    mutating func take(_ expected: String) -> Bool {
        guard text[position...].starts(with: expected.utf8) else { return false }
        position += expected.utf8.count
        return true
    }

    /// Up to 18 digits, so that nothing overflows.
    mutating func integer() -> Int64? {
        let start = position
        var value: Int64 = 0
        while position < text.count, position - start < 18, text[position] >= 0x30, text[position] <= 0x39 {
            value = value * 10 + Int64(text[position] - 0x30)
            position += 1
        }
        return position > start ? value : nil
    }

    mutating func upToQuote() -> String? {
        let start = position
        while position < text.count, text[position] != UInt8(ascii: "\"") {
            guard position - start < 256, text[position] != UInt8(ascii: "\\") else { return nil }
            position += 1
        }
        return position < text.count ? String(decoding: text[start..<position], as: UTF8.self) : nil
    }
}
