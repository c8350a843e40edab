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
        var reader = TextReader()
        return reader.add(text) ? reader.table : nil
    }

    /// Reads the text block by block, if it is exactly as kopia writes it.
    ///
    /// Memory: the table so far, one block, and less than one piece's text.
    struct TextReader {
        private enum Expected { case head, piece, separator, end }

        /// Longer than the text of any piece.
        static let pieceTextMax = 512

        private var rest: [UInt8] = []
        private var expected = Expected.head
        private var pieces = PieceTable()
        private var isDone = false

        /// The whole table; nil before its end.
        var table: PieceTable? { isDone ? pieces : nil }
        /// Bytes that wait for the next block.
        var waitingCount: Int { rest.count }

        /// - Returns: false when the text has another form; then nothing more must be added.
        mutating func add(_ block: [UInt8]) -> Bool {
            let text = rest.isEmpty ? block : rest + block
            var position = 0
            while position < text.count {
                guard !isDone, let next = step(text, position) else { return false }
                guard next > position else { break }
                position = next
            }
            rest = Array(text[position...])
            return rest.count <= Self.pieceTextMax
        }

        /// What follows the next part of the text: the same position when it is not whole yet, nil when it is another.
        private mutating func step(_ text: [UInt8], _ position: Int) -> Int? {
            switch expected {
            case .head:
                guard let next = Self.skip(PieceTable.head, text, position) else { return nil }
                if next > position { expected = .piece }
                return next
            case .piece:
                guard let end = text[position...].firstIndex(of: UInt8(ascii: "}")) else { return position }
                guard end - position < Self.pieceTextMax else { return nil }
                var scanner = TextScanner(text: text, position: position)
                guard let (start, length, object) = scanner.piece(), scanner.position == end + 1,
                    start == pieces.length, pieces.append(object, length: length) == nil
                else { return nil }
                expected = .separator
                return end + 1
            case .separator:
                guard text[position] == UInt8(ascii: ",") else {
                    expected = .end
                    return step(text, position)
                }
                expected = .piece
                return position + 1
            case .end:
                guard let next = Self.skip(PieceTable.tail, text, position) else { return nil }
                if next > position { isDone = true }
                return next
            }
        }

        private static func skip(_ part: String, _ text: [UInt8], _ position: Int) -> Int? {
            let count = min(part.utf8.count, text.count - position)
            guard text[position..<position + count].elementsEqual(part.utf8.prefix(count)) else { return nil }
            return count == part.utf8.count ? position + count : position
        }
    }
}

private struct TextScanner {
    let text: [UInt8]
    var position: Int

    mutating func take(_ expected: StaticString) -> Bool {
        let count = expected.utf8CodeUnitCount
        guard position + count <= text.count else { return false }
        for offset in 0..<count where text[position + offset] != expected.utf8Start[offset] { return false }
        position += count
        return true
    }

    /// `{"s":2097152,"l":100,"o":"ffee…"}`
    mutating func piece() -> (start: Int64, length: Int64, object: ObjectID)? {
        guard take("{") else { return nil }
        var start: Int64 = 0
        var length: Int64 = 0
        if take("\"s\":") {
            guard let value = integer(), take(",") else { return nil }
            start = value
        }
        if take("\"l\":") {
            guard let value = integer(), take(",") else { return nil }
            length = value
        }
        guard take("\"o\":\""), let name = upToQuote(), take("\"}"), let object = ObjectID(name) else { return nil }
        return (start, length, object)
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
