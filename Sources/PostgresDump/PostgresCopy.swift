import CPQ
import Glibc
import Synchronization

/// What the server said against a statement, in its parts.
struct ServerFailure: Error, Sendable, Hashable {
    /// Nil when the connection is lost.
    var sqlState: String?
    var message: String
    var detail: String?
    var hint: String?
    var context: String?
    /// Characters from 1, in the statement.
    var position: Int?

    init(sqlState: String?, message: String, context: String? = nil, position: Int? = nil) {
        self.sqlState = sqlState
        self.message = message
        self.context = context
        self.position = position
    }

    init(_ result: OpaquePointer?, _ connection: OpaquePointer) {
        func field(_ code: Character) -> String? {
            code.asciiValue.flatMap { PQresultErrorField(result, Int32($0)) }.map { String(cString: $0) }
        }
        sqlState = field("C")
        message = field("M") ?? String(cString: PQerrorMessage(connection)).trimmingLines
        (detail, hint, context) = (field("D"), field("H"), field("W"))
        position = field("P").flatMap { Int($0) }
    }
}

/// What a statement wants next.
enum StatementOutcome: Sendable {
    case done
    case wantsRows
    case sendsRows
}

/// Warnings a server sends beside results.
final class ServerWarnings: Sendable {
    private let texts = Mutex<[String]>([])
    private static let limit = 100

    /// The object must live as long as the connection.
    func receive(from connection: OpaquePointer) {
        PQsetNoticeReceiver(
            connection,
            { context, result in
                guard let context, let severity = PQresultErrorField(result, Int32(UInt8(ascii: "V"))),
                    String(cString: severity) == "WARNING",
                    let message = PQresultErrorField(result, Int32(UInt8(ascii: "M")))
                else { return }
                Unmanaged<ServerWarnings>.fromOpaque(context).takeUnretainedValue().append(String(cString: message))
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func append(_ text: String) {
        texts.withLock { texts in
            if texts.count == Self.limit { texts.removeFirst() }
            texts.append(text)
        }
    }

    /// Those since the last call.
    func take() -> [String] {
        texts.withLock { texts in
            defer { texts = [] }
            return texts
        }
    }
}

extension Connection {
    func withHandle<Value>(_ body: (OpaquePointer) throws -> Value) throws -> Value {
        try handle.withLock { handle in
            guard let pointer = handle.pointer else {
                throw PostgresError(.cannotConnect, "the connection to \(place) is closed")
            }
            return try body(pointer)
        }
    }

    /// Runs one statement as it stands; its rows, if any, are thrown away.
    ///
    /// - Throws: `ServerFailure`.
    func run(statement: [UInt8]) throws -> StatementOutcome {
        try withResult(of: statement) { result, pointer in
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return .done
            case PGRES_COPY_IN: return .wantsRows
            case PGRES_COPY_OUT: return .sendsRows
            default: throw ServerFailure(result, pointer)
            }
        }
    }

    /// As above for a statement of ours.
    func run(statement: String) throws -> StatementOutcome { try run(statement: Array(statement.utf8)) }

    /// Whether a query returns any.
    ///
    /// - Throws: `ServerFailure`.
    func hasRows(statement: [UInt8]) throws -> Bool {
        try withResult(of: statement) { result, pointer in
            guard PQresultStatus(result) == PGRES_TUPLES_OK else { throw ServerFailure(result, pointer) }
            return PQntuples(result) > 0
        }
    }

    private func withResult<Value>(
        of statement: [UInt8], _ body: (_ result: OpaquePointer?, _ connection: OpaquePointer) throws -> Value
    ) throws -> Value {
        try withHandle { pointer in
            let result = (statement + [0]).withUnsafeBytes { bytes in
                PQexec(pointer, bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
            }
            defer { PQclear(result) }
            return try body(result, pointer)
        }
    }

    /// Ends a transaction, if there is one.
    ///
    /// - Throws: `ServerFailure`.
    func rollBack() throws {
        let isOpen = try withHandle { [PQTRANS_INTRANS, PQTRANS_INERROR].contains(PQtransactionStatus($0)) }
        if isOpen { _ = try run(statement: "ROLLBACK") }
    }

    /// - Throws: `ServerFailure`.
    func send(rows: [UInt8]) throws {
        try withHandle { pointer in
            var position = 0
            while position < rows.count {
                let count = min(rows.count - position, 1 << 30)
                let status = rows[position..<(position + count)].withUnsafeBytes { bytes in
                    PQputCopyData(
                        pointer, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
                }
                guard status == 1 else { throw endOfCopy(pointer) ?? ServerFailure(nil, pointer) }
                position += count
            }
        }
    }

    /// - Parameter abort: why the rows end here and must not count.
    /// - Throws: `ServerFailure`.
    func endRows(abort: String? = nil) throws {
        try withHandle { pointer in
            guard PQputCopyEnd(pointer, abort) == 1 else { throw ServerFailure(nil, pointer) }
            if let failure = endOfCopy(pointer) { throw failure }
        }
    }

    /// Reads the results that end a COPY.
    func endOfCopy(_ pointer: OpaquePointer) -> ServerFailure? {
        var failure: ServerFailure?
        while let result = PQgetResult(pointer) {
            let status = PQresultStatus(result)
            if status != PGRES_COMMAND_OK, failure == nil { failure = ServerFailure(result, pointer) }
            PQclear(result)
            // After a lost connection libpq may go on saying that it copies.
            if status == PGRES_COPY_IN || status == PGRES_COPY_OUT { break }
        }
        return failure
    }
}
