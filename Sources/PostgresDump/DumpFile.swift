/// A dump that can be read from any place.
///
/// Concurrency and memory: a value; `read` may run several times at once, and holds what it reads ahead each time.
public struct DumpFile: Sendable {
    /// Bytes.
    public let length: Int64
    /// Calls its second argument with the bytes of a range in order.
    public let read:
        @Sendable (_ range: Range<Int64>, _ write: @Sendable ([UInt8]) async throws -> Void) async throws -> Void

    public init(
        length: Int64,
        read:
            @escaping @Sendable (
                _ range: Range<Int64>, _ write: @Sendable ([UInt8]) async throws -> Void
            ) async throws -> Void
    ) {
        self.length = length
        self.read = read
    }

    /// Calls `write` with the bytes in order, and `passOver` where the rows of each area begin: when it says true, they are left
    /// out, but for the line that ends them.
    ///
    /// - Parameter areas: as `TableDigests.areas` gives them.
    func read(
        _ areas: [RowsArea], passingOver passOver: (RowsArea) throws -> Bool,
        _ write: @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        var position: Int64 = 0
        for area in areas {
            try await read(position..<area.range.lowerBound, write)
            position = try passOver(area) ? area.range.upperBound : area.range.lowerBound
        }
        try await read(position..<length, write)
    }
}

/// Where in a dump the rows of one table lie, without the line `\.` behind them.
struct RowsArea: Sendable, Hashable {
    /// Of the table in the record, and so among the tables with rows in the dump.
    let index: Int
    let range: Range<Int64>
    let rows: Int
    let table: TableDigest

    /// Bytes of the line `\.`.
    static let endLength: Int64 = 3

    func isOf(_ header: CopyHeader) -> Bool {
        // The server translated the names of the record from the dump's encoding.
        !header.isUTF8
            || (header.schema.elementsEqual(table.schema.utf8) && header.table.elementsEqual(table.table.utf8))
    }

    /// The record says what the dump does not.
    var error: PostgresError {
        PostgresError(
            .otherDump,
            "the dump is not the one that was recorded with it: \(range.count) bytes of rows of \(table.qualifiedName) do not "
                + "begin at byte \(range.lowerBound)",
            hint: Self.hint)
    }

    fileprivate static let hint =
        "restore another snapshot; a restore with --jobs 1 does not look where rows are recorded to begin"
}

extension TableDigests {
    /// The tables with many rows, in the order of the dump; none of records that do not say where rows lie.
    ///
    /// - Parameters:
    ///   - minimum: bytes of rows.
    ///   - length: of the dump.
    /// - Throws: `PostgresError.Code.otherDump` when rows cannot lie where the record says.
    func areas(ofAtLeast minimum: Int64, in length: Int64) throws -> [RowsArea] {
        var areas: [RowsArea] = []
        var end: Int64 = 0
        for (index, table) in tables.enumerated() {
            guard let start = table.at else { continue }
            let (behind, isTooLarge) = start.addingReportingOverflow(table.bytes)
            guard start >= end, !isTooLarge, behind <= length - RowsArea.endLength, table.rows <= table.bytes,
                let rows = Int(exactly: table.rows)
            else {
                throw PostgresError(
                    .otherDump,
                    "the dump is not the one that was recorded with it: \(table.rows) rows of \(table.qualifiedName) with "
                        + "\(table.bytes) bytes cannot begin at byte \(start) of \(length)",
                    hint: RowsArea.hint)
            }
            end = behind + RowsArea.endLength
            guard table.bytes >= minimum else { continue }
            areas.append(RowsArea(index: index, range: start..<behind, rows: rows, table: table))
        }
        return areas
    }
}
