/// What a dump's `CREATE TABLE` says about loading its rows.
///
/// Source: PostgreSQL `src/bin/pg_dump/pg_dump.c`, `dumpTableSchema`.
struct CreatedTable: Sendable, Hashable {
    var name: TableName
    /// It holds no rows itself.
    var isPartitioned: Bool
    /// A check or a generated column calls a function that is not PostgreSQL's own, and which may read other tables though it
    /// should not.
    var callsFunctions: Bool
    var inherits: Bool

    /// Nil for any other statement, foreign tables too.
    init?(_ statement: DumpStatement) {
        let text = statement.text
        var cursor = Cursor(bytes: text)
        guard cursor.take(word: "create") else { return nil }
        _ = cursor.take(word: "unlogged")
        guard cursor.take(word: "table"), let (schema, table, _) = cursor.takeQualifiedName(),
            cursor.take(UInt8(ascii: "("))
        else { return nil }
        name = TableName(schema: schema, table: table)
        isPartitioned = text.firstRange(of: Array("\nPARTITION BY ".utf8)) != nil
        inherits = text.firstRange(of: Array("\nINHERITS (".utf8)) != nil
        callsFunctions = statement.checkCallsFunctions
    }
}

extension DumpStatement {
    /// Of `CREATE DOMAIN name AS type … CHECK (…)` with such a check: the name as it is written.
    var domainThatCallsFunctions: [UInt8]? {
        var cursor = Cursor(bytes: text)
        guard cursor.take(word: "create"), cursor.take(word: "domain"), let name = cursor.takeQualifiedName(),
            checkCallsFunctions
        else { return nil }
        return name.text
    }

    /// pg_dump qualifies what is not PostgreSQL's own: `"public"."valid"(`.
    fileprivate var checkCallsFunctions: Bool {
        let starts = ["CHECK (", "GENERATED ALWAYS AS ("].compactMap { text.firstRange(of: Array($0.utf8))?.upperBound }
        guard let start = starts.min() else { return false }
        var cursor = Cursor(bytes: text)
        cursor.position = start
        return cursor.findsQualifiedCall()
    }
}

extension Cursor {
    /// Whether `name.name(` follows somewhere, outside string constants.
    fileprivate mutating func findsQualifiedCall() -> Bool {
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "'"):
                position += 1
                position = (bytes[position...].firstIndex(of: UInt8(ascii: "'")) ?? bytes.count - 1) + 1
            case UInt8(ascii: "."):
                position += 1
                guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") || isNameByte(bytes[position]),
                    takeName() != nil
                else { continue }
                if position < bytes.count, bytes[position] == UInt8(ascii: "(") { return true }
            case UInt8(ascii: "\""):
                if takeName() == nil { return false }
            default: position += 1
            }
        }
        return false
    }
}
