/// `COPY "schema"."table" ("a", "b") FROM stdin;` as bytes of the dump's encoding.
struct CopyHeader: Sendable, Hashable {
    var schema: [UInt8] = []
    var table: [UInt8] = []
    var columns: [[UInt8]] = []
    /// Schema and table as the statement has them, quotes and all.
    var relation: [UInt8] = []
    /// Whether something other than the semicolon follows `stdin`.
    var hasOptions = false

    /// Nil for any other statement. Options behind `stdin` are left alone: the rows follow all the same.
    init?(_ statement: [UInt8]) {
        var cursor = Cursor(bytes: statement)
        guard cursor.take(word: "copy"), let name = cursor.takeQualifiedName() else { return nil }
        (schema, table, relation) = name
        if cursor.take(UInt8(ascii: "(")) {
            repeat {
                guard let column = cursor.takeName() else { return nil }
                columns.append(column)
            } while cursor.take(UInt8(ascii: ","))
            guard cursor.take(UInt8(ascii: ")")) else { return nil }
        }
        guard cursor.take(word: "from"), cursor.take(word: "stdin") else { return nil }
        hasOptions = !cursor.take(UInt8(ascii: ";")) || !cursor.isAtEnd
    }

    var name: TableName { TableName(schema: schema, table: table) }

    /// False when the names are in an encoding other than UTF-8: then only the server can tell what they are.
    var isUTF8: Bool {
        ([schema, table] + columns).allSatisfy { String(validating: $0, as: UTF8.self) != nil }
    }

    func digest(_ content: RowsDigest) -> TableDigest {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        return TableDigest(
            schema: text(schema), table: text(table), columns: columns.map(text), content: content)
    }
}

/// A table in the dump's encoding.
struct TableName: Sendable, Hashable {
    /// Empty when the dump does not say.
    var schema: [UInt8]
    var table: [UInt8]
}

struct Cursor {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return position == bytes.count
        }
    }

    mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    mutating func take(word: String) -> Bool {
        skipSpace()
        let end = position + word.utf8.count
        guard end <= bytes.count, zip(bytes[position..<end], word.utf8).allSatisfy({ $0 | 0x20 == $1 }),
            end == bytes.count || !isNameByte(bytes[end])
        else { return false }
        position = end
        return true
    }

    /// - Returns: the names without quotes, and how they are written.
    mutating func takeQualifiedName() -> (schema: [UInt8], table: [UInt8], text: [UInt8])? {
        skipSpace()
        let start = position
        guard let first = takeName() else { return nil }
        let end = position
        guard take(UInt8(ascii: ".")) else {
            position = end
            return ([], first, Array(bytes[start..<end]))
        }
        guard let second = takeName() else { return nil }
        return (first, second, Array(bytes[start..<position]))
    }

    /// A quoted name without its quotes, or a bare one.
    mutating func takeName() -> [UInt8]? {
        skipSpace()
        guard position < bytes.count else { return nil }
        guard bytes[position] == UInt8(ascii: "\"") else {
            let name = bytes[position...].prefix { isNameByte($0) }
            position += name.count
            return name.isEmpty ? nil : Array(name)
        }
        position += 1
        var name: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") {
                guard position < bytes.count, bytes[position] == byte else { return name }
                position += 1
            }
            name.append(byte)
        }
        return nil
    }
}

/// Letters, digits, `_`, `$` and everything beyond ASCII, as PostgreSQL's scanner has it.
func isNameByte(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$") || byte >= 0x80
}
