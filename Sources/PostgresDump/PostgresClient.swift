import BlockingIO
import CPQ
import Glibc
public import Secrets
import Synchronization

/// One connection, for catalogs and for the steps around a dump or a restore. Not for bulk data.
///
/// Concurrency and memory: calls run one after the other, each on a thread that may block. Cancelling the task asks the
/// server to cancel the statement. A result is held in memory as a whole.
public final class PostgresClient: Sendable {
    public let settings: PostgresSettings
    let connection: Connection

    private init(settings: PostgresSettings, connection: Connection) {
        self.settings = settings
        self.connection = connection
    }

    /// Connects for the time of `body`; waits as long as `settings.patience` for a place.
    ///
    /// - Throws: `PostgresError`; what `body` throws; `CancellationError`.
    public static func with<Value: Sendable>(
        _ settings: PostgresSettings, body: (PostgresClient) async throws -> Value
    ) async throws -> Value {
        let client = PostgresClient(settings: settings, connection: try await connect(settings))
        do {
            try Task.checkCancellation()
            let value = try await body(client)
            await client.close()
            return value
        } catch {
            await client.close()
            try Task.checkCancellation()
            throw error
        }
    }

    private static func connect(_ settings: PostgresSettings) async throws -> Connection {
        let end = ContinuousClock.now.advanced(by: settings.patience)
        var delay = Duration.milliseconds(50)
        while true {
            try Task.checkCancellation()
            let isCancelled = Atomic(false)
            do {
                return try await withTaskCancellationHandler {
                    try await onDedicatedThread {
                        try Connection(settings, isCancelled: { isCancelled.load(ordering: .relaxed) })
                    }
                } onCancel: {
                    isCancelled.store(true, ordering: .relaxed)
                }
            } catch let error as PostgresError where error.sqlState == "53300" && .now.advanced(by: delay) < end {
                try await Task.sleep(for: delay)
                delay = min(delay * 2, .seconds(2))
            }
        }
    }

    /// Runs one statement with text parameters `$1…`. Without parameters there may be several statements; the rows are
    /// those of the last.
    ///
    /// - Throws: `PostgresError` with the SQLSTATE; `CancellationError`.
    @discardableResult
    public func query(_ sql: String, _ parameters: [String?] = []) async throws -> PostgresRows {
        try await onConnection { try $0.execute(sql, parameters) }
    }

    /// Runs a blocking call on the connection; cancelling the task asks the server to cancel the statement.
    func onConnection<Value: Sendable>(
        _ body: @escaping @Sendable (Connection) throws -> Value
    ) async throws -> Value {
        try Task.checkCancellation()
        do {
            return try await withTaskCancellationHandler {
                try await onDedicatedThread { [connection] in try body(connection) }
            } onCancel: { [connection] in
                startThread { connection.cancel() }
            }
        } catch {
            try Task.checkCancellation()
            throw error
        }
    }

    /// Takes back limits of time that a server, database or role sets for applications: each would end hours of work.
    public func liftTimeLimits() async throws {
        var names = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]
        if serverMajor >= 14 { names.append("idle_session_timeout") }
        if serverMajor >= 17 { names.append("transaction_timeout") }
        try await query(names.map { "SET \($0) = 0" }.joined(separator: "; "))
    }

    /// The server's version as a number: 150020 for 15.20.
    public var serverVersion: Int { connection.serverVersion }
    public var serverMajor: Int { serverVersion / 10_000 }

    /// A SCRAM verifier, so that the password itself is in no statement and no log.
    public func scramVerifier(user: String, password: Secret) throws(PostgresError) -> String {
        try connection.scramVerifier(user: user, password: password)
    }

    private func close() async {
        try? await onDedicatedThread { [connection] in connection.close() }
    }
}

/// libpq's handle, used by one thread at a time.
final class Connection: Sendable {
    struct Handle {
        /// Nil after `close`.
        nonisolated(unsafe) var pointer: OpaquePointer?
    }

    let handle: Mutex<Handle>
    /// libpq allows cancelling from another thread while a statement runs.
    private let cancellation: Mutex<Handle>
    let serverVersion: Int
    let place: String
    /// Warnings of the server, the last 100.
    let warnings: ServerWarnings

    init(_ settings: PostgresSettings, isCancelled: () -> Bool) throws {
        place = "\(settings)"
        let pointer = try Self.connect(settings, isCancelled: isCancelled)
        warnings = ServerWarnings()
        warnings.receive(from: pointer)
        serverVersion = Int(PQserverVersion(pointer))
        cancellation = Mutex(Handle(pointer: PQgetCancel(pointer)))
        handle = Mutex(Handle(pointer: pointer))
    }

    deinit { close() }

    func close() {
        handle.withLock { handle in
            PQfinish(handle.pointer)
            handle.pointer = nil
        }
        cancellation.withLock { handle in
            PQfreeCancel(handle.pointer)
            handle.pointer = nil
        }
    }

    func cancel() {
        cancellation.withLock { handle in
            guard let pointer = handle.pointer else { return }
            var message = [CChar](repeating: 0, count: 256)
            _ = PQcancel(pointer, &message, Int32(message.count))
        }
    }

    func execute(_ sql: String, _ parameters: [String?]) throws(PostgresError) -> PostgresRows {
        guard !sql.utf8.contains(0), !parameters.contains(where: { $0?.utf8.contains(0) ?? false }) else {
            throw PostgresError(
                .query, "a statement or its parameters contain a NUL byte, which PostgreSQL cannot store")
        }
        return try handle.withLock { (handle) throws(PostgresError) in
            guard let pointer = handle.pointer else {
                throw PostgresError(.cannotConnect, "the connection to \(place) is closed")
            }
            let result = Self.run(pointer, sql, parameters)
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
                return PostgresRows(copying: result)
            default:
                let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { String(cString: $0) }
                let text = String(cString: PQresultErrorMessage(result)).trimmingLines
                throw PostgresError(
                    sqlState: state, serverMessage: text.isEmpty ? String(cString: PQerrorMessage(pointer)) : text,
                    context: place, isConnecting: false)
            }
        }
    }

    private static func run(_ connection: OpaquePointer, _ sql: String, _ parameters: [String?]) -> OpaquePointer? {
        if parameters.isEmpty { return PQexec(connection, sql) }
        let copies = parameters.map { $0.flatMap { strdup($0) } }
        defer { for copy in copies { free(copy) } }
        let values = copies.map { $0.map { UnsafePointer($0) } }
        return PQexecParams(connection, sql, Int32(values.count), nil, values, nil, nil, 0)
    }

    func scramVerifier(user: String, password: Secret) throws(PostgresError) -> String {
        try handle.withLock { (handle) throws(PostgresError) in
            guard let pointer = handle.pointer,
                let verifier = PQencryptPasswordConn(pointer, password.revealed, user, "scram-sha-256")
            else { throw PostgresError(.query, "cannot make a password verifier for role \"\(user)\"") }
            defer { PQfreemem(verifier) }
            return String(cString: verifier)
        }
    }
}

extension Connection {
    /// Seconds to wait for a connection unless `connect_timeout` says otherwise.
    private static let defaultTimeoutSeconds = 30

    /// Connects step by step, so that cancelling is noticed and the time is bounded.
    private static func connect(
        _ settings: PostgresSettings, isCancelled: () -> Bool
    ) throws -> OpaquePointer {
        var parameters = settings.parameters
        parameters["password"] = settings.password?.revealed
        parameters["fallback_application_name"] = "pod-runner"
        for (keyword, value) in PostgresSettings.keepalives where parameters[keyword] == nil {
            parameters[keyword] = value
        }
        let timeout = parameters["connect_timeout"].flatMap { Int($0) } ?? defaultTimeoutSeconds
        let pairs = Array(parameters)
        let keywords = pairs.map { strdup($0.key) }
        let values = pairs.map { strdup($0.value) }
        defer { for copy in keywords + values { free(copy) } }
        let pointer = PQconnectStartParams(
            keywords.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 0)
        guard let pointer else { throw PostgresError(.cannotConnect, "libpq has no memory for a connection") }
        var isDone = false
        defer { if !isDone { PQfinish(pointer) } }
        // Shows the SQLSTATE, the only part of the message that does not depend on the server's language.
        PQsetErrorVerbosity(pointer, PQERRORS_VERBOSE)
        PQsetNoticeProcessor(pointer, { _, _ in }, nil)
        try poll(pointer, settings: settings, seconds: timeout, isCancelled: isCancelled)
        PQsetErrorVerbosity(pointer, PQERRORS_DEFAULT)
        PQsetClientEncoding(pointer, "UTF8")
        isDone = true
        return pointer
    }

    private static func poll(
        _ pointer: OpaquePointer, settings: PostgresSettings, seconds: Int, isCancelled: () -> Bool
    ) throws {
        let context = "cannot connect to \(settings)"
        let deadline = ContinuousClock.now + .seconds(seconds)
        var state = PQstatus(pointer) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
        while true {
            switch state {
            case PGRES_POLLING_OK: return
            case PGRES_POLLING_FAILED:
                let (sqlState, text) = Self.split(String(cString: PQerrorMessage(pointer)))
                throw PostgresError(sqlState: sqlState, serverMessage: text, context: context, isConnecting: true)
            default:
                let events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT
                var polled = pollfd(fd: PQsocket(pointer), events: Int16(events), revents: 0)
                while Glibc.poll(&polled, 1, 100) == 0 {
                    if isCancelled() { throw CancellationError() }
                    guard seconds == 0 || .now < deadline else {
                        throw PostgresError(
                            .cannotConnect, "\(context): no answer within \(seconds) seconds",
                            hint:
                                "check host and port (PGHOST, PGPORT) and the firewall; PGCONNECT_TIMEOUT sets the time",
                            isTransient: true)
                    }
                }
                state = PQconnectPoll(pointer)
            }
        }
    }

    /// Takes SQLSTATE and source location out of a verbose message.
    static func split(_ message: String) -> (sqlState: String?, text: String) {
        var sqlState: String?
        let lines = message.split(separator: "\n").filter { !$0.hasPrefix("LOCATION:") }.map { line in
            // "… FATAL:  28P01: password authentication failed": two spaces, five characters, a colon.
            let bytes = Array(line.utf8)
            guard bytes.count > 9 else { return String(line) }
            for start in 0..<(bytes.count - 9)
            where bytes[start] == 0x3a && bytes[start + 1] == 0x20 && bytes[start + 2] == 0x20
                && bytes[start + 8] == 0x3a
            {
                let state = bytes[(start + 3)..<(start + 8)]
                guard state.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) }) else { continue }
                sqlState = String(decoding: state, as: UTF8.self)
                return String(decoding: bytes[..<(start + 3)] + bytes[(start + 10)...], as: UTF8.self)
            }
            return String(line)
        }
        return (sqlState, lines.joined(separator: "\n").trimmingLines)
    }
}

extension String {
    /// Without line breaks and spaces at the end.
    var trimmingLines: String {
        var text = self[...]
        while let last = text.unicodeScalars.last, last == "\n" || last == "\r" || last == " " {
            text.unicodeScalars.removeLast()
        }
        return String(text)
    }
}
