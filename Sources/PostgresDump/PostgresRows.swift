import CPQ
public import GoFormats

/// The rows of a statement, as text.
public struct PostgresRows: Sendable {
    public let columns: [String]
    public let rows: [PostgresRow]

    init(copying result: OpaquePointer?) {
        let columnCount = PQnfields(result)
        let columns = (0..<columnCount).map { String(cString: PQfname(result, $0)) }
        self.columns = columns
        rows = (0..<PQntuples(result)).map { row in
            PostgresRow(
                columns: columns,
                values: (0..<columnCount).map { column in
                    guard PQgetisnull(result, row, column) == 0, let value = PQgetvalue(result, row, column) else {
                        return nil
                    }
                    return String(cString: value)
                })
        }
    }

    /// - Throws: `PostgresError.Code.query` unless there is exactly one row.
    public func single() throws(PostgresError) -> PostgresRow {
        guard let row = rows.first, rows.count == 1 else {
            throw PostgresError(.query, "expected one row with \(columns.joined(separator: ", ")), got \(rows.count)")
        }
        return row
    }
}

/// One row; columns by name.
public struct PostgresRow: Sendable {
    private let columns: [String]
    private let values: [String?]

    init(columns: [String], values: [String?]) {
        self.columns = columns
        self.values = values
    }

    /// Nil for NULL and for a column that is not there.
    public func text(_ column: String) -> String? {
        columns.firstIndex(of: column).flatMap { values[$0] }
    }

    /// - Throws: `PostgresError.Code.query` for NULL, as the other accessors for a value of another kind.
    public func required(_ column: String) throws(PostgresError) -> String {
        guard let value = text(column) else { throw PostgresError(.query, "the server sent no value for \(column)") }
        return value
    }

    public func integer(_ column: String) throws(PostgresError) -> Int64 {
        let value = try required(column)
        guard let number = Int64(value) else {
            throw PostgresError(.query, "the server sent \"\(value)\" for \(column), not an integer")
        }
        return number
    }

    public func bool(_ column: String) throws(PostgresError) -> Bool {
        switch try required(column) {
        case "t": return true
        case "f": return false
        case let value: throw PostgresError(.query, "the server sent \"\(value)\" for \(column), not a boolean")
        }
    }

    /// A `json` or `jsonb` column.
    public func json(_ column: String) throws(PostgresError) -> JSONValue {
        do {
            return try JSONParser.parse(try required(column))
        } catch let error as PostgresError {
            throw error
        } catch {
            throw PostgresError(.query, "the server sent malformed JSON for \(column): \(error)")
        }
    }
}
