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

    /// The text, made piece by piece.
    ///
    /// Memory: what was not taken yet.
    struct TextWriter: Sendable {
        private(set) var pieces = PieceSum()
        private var text = Array(PieceTable.head.utf8)

        /// Bytes that wait to be taken.
        var waitingCount: Int { text.count }

        /// - Returns: nil, or what is wrong with the piece.
        mutating func append(_ object: ObjectID, length: Int64) -> String? {
            let (start, isFirst) = (pieces.length, pieces.count == 0)
            if let problem = pieces.add(object, length: length) { return problem }
            var piece = isFirst ? "{" : ",{"
            if start != 0 { piece += "\"s\":\(start)," }
            if length != 0 { piece += "\"l\":\(length)," }
            piece += "\"o\":\"\(object)\"}"
            text.append(contentsOf: piece.utf8)
            return nil
        }

        /// What there is of the text beyond what was taken before.
        mutating func take() -> [UInt8] {
            defer { text = [] }
            return text
        }

        /// The rest of the text, when all pieces were appended.
        mutating func end() -> [UInt8] {
            text.append(contentsOf: PieceTable.tail.utf8)
            return take()
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
        var table = PieceTable()
        guard reader.add(text, { _ = table.append($0, length: $1) }), reader.isDone else { return nil }
        return table
    }

    /// Reads the text block by block, if it is exactly as kopia writes it.
    ///
    /// Memory: one block, and less than one piece's text.
    struct TextReader {
        private enum Expected { case head, piece, separator, end }

        /// Longer than the text of any piece.
        static let pieceTextMax = 512

        private var rest: [UInt8] = []
        private var expected = Expected.head
        private var pieces = PieceSum()
        /// The end of the table was there.
        private(set) var isDone = false

        /// Bytes that wait for the next block.
        var waitingCount: Int { rest.count }

        /// - Parameter body: gets the pieces in order, direct objects with their lengths.
        /// - Returns: false when the text has another form; then nothing more must be added.
        mutating func add(_ block: [UInt8], _ body: (ObjectID, Int64) -> Void) -> Bool {
            let text = rest.isEmpty ? block : rest + block
            var position = 0
            while position < text.count {
                guard !isDone, let next = step(text, position, body) else { return false }
                guard next > position else { break }
                position = next
            }
            rest = Array(text[position...])
            return rest.count <= Self.pieceTextMax
        }

        /// What follows the next part of the text: the same position when it is not whole yet, nil when it is another.
        private mutating func step(
            _ text: [UInt8], _ position: Int, _ body: (ObjectID, Int64) -> Void
        ) -> Int? {
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
                    start == pieces.length, pieces.add(object, length: length) == nil
                else { return nil }
                body(object, length)
                expected = .separator
                return end + 1
            case .separator:
                guard text[position] == UInt8(ascii: ",") else {
                    expected = .end
                    return step(text, position, body)
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
