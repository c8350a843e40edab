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
    private func withHandle<Value>(_ body: (OpaquePointer) throws -> Value) throws -> Value {
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
        try withHandle { pointer in
            let result = (statement + [0]).withUnsafeBytes { bytes in
                PQexec(pointer, bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
            }
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return .done
            case PGRES_COPY_IN: return .wantsRows
            case PGRES_COPY_OUT: return .sendsRows
            default: throw ServerFailure(result, pointer)
            }
        }
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
    private func endOfCopy(_ pointer: OpaquePointer) -> ServerFailure? {
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

    /// Up to about a megabyte of rows of a COPY … TO STDOUT; empty at its end.
    ///
    /// - Throws: `ServerFailure`.
    func receiveRows() throws -> [UInt8] {
        try withHandle { pointer in
            var rows: [UInt8] = []
            while rows.count < 1 << 20 {
                var buffer: UnsafeMutablePointer<CChar>?
                let count = PQgetCopyData(pointer, &buffer, 0)
                if count < 0 {
                    if count == -2 { throw ServerFailure(nil, pointer) }
                    if let failure = endOfCopy(pointer) { throw failure }
                    return rows
                }
                guard let buffer else { continue }
                rows += UnsafeRawBufferPointer(start: buffer, count: Int(count))
                PQfreemem(buffer)
            }
            return rows
        }
    }
}

extension PostgresClient {
    /// Runs `COPY … TO STDOUT` and hands on its rows in order.
    ///
    /// Memory: about a megabyte, or one row.
    ///
    /// - Throws: `PostgresError`; what `body` throws; `CancellationError`.
    public func copyOut(_ sql: String, _ body: ([UInt8]) throws -> Void) async throws {
        do {
            let outcome = try await onConnection { try $0.run(statement: Array(sql.utf8)) }
            guard case .sendsRows = outcome else {
                throw PostgresError(.query, "the server sends no rows for: \(sql)")
            }
            var isAtEnd = false
            while !isAtEnd {
                let rows = try await onConnection { try $0.receiveRows() }
                // A short answer is followed by the end only when libpq has seen it, which it then has.
                isAtEnd = rows.count < 1 << 20
                if !rows.isEmpty { try body(rows) }
            }
        } catch let failure as ServerFailure {
            throw PostgresError(
                sqlState: failure.sqlState, serverMessage: "ERROR: \(failure.message)", context: "\(settings)",
                isConnecting: false)
        }
    }
}
