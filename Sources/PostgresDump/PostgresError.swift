/// What went wrong between us and a database, and whether trying again makes sense.
public struct PostgresError: Error, Sendable, Hashable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        private enum Kind: Sendable, Hashable {
            case settings, cannotConnect, authentication, missingDatabase, permission, conflictWithRecovery, version
            case missingProgram, dump, restore, targetInUse, query, connectionLost, lockTimeout, lagging
            case otherDump
        }
        private let kind: Kind

        /// The connection settings are incomplete or malformed.
        public static let settings = Code(kind: .settings)
        /// Nobody answers, or the server does not let anybody in now.
        public static let cannotConnect = Code(kind: .cannotConnect)
        public static let authentication = Code(kind: .authentication)
        public static let missingDatabase = Code(kind: .missingDatabase)
        public static let permission = Code(kind: .permission)
        /// The standby cancelled us because replay needed rows or locks that we held.
        public static let conflictWithRecovery = Code(kind: .conflictWithRecovery)
        /// A connection that worked ended: the server stopped, was promoted or lost sight of us.
        public static let connectionLost = Code(kind: .connectionLost)
        /// Somebody held a lock for longer than we wait.
        public static let lockTimeout = Code(kind: .lockTimeout)
        /// The standby is too far behind.
        public static let lagging = Code(kind: .lagging)
        /// Programs, server or snapshot are of versions that do not go together.
        public static let version = Code(kind: .version)
        public static let missingProgram = Code(kind: .missingProgram)
        /// pg_dump did not succeed.
        public static let dump = Code(kind: .dump)
        /// psql or one of the steps around it did not succeed.
        public static let restore = Code(kind: .restore)
        /// The dump is not the one that its record tells of.
        public static let otherDump = Code(kind: .otherDump)
        /// The database is there and not empty, and nobody allowed to replace it.
        public static let targetInUse = Code(kind: .targetInUse)
        /// The server refused a statement.
        public static let query = Code(kind: .query)
    }

    public let code: Code
    /// Five characters, when the server said so.
    public let sqlState: String?
    /// A whole sentence without the hint.
    public let message: String
    public let hint: String?
    public let isTransient: Bool

    public init(
        _ code: Code, _ message: String, hint: String? = nil, sqlState: String? = nil, isTransient: Bool = false
    ) {
        self.code = code
        self.sqlState = sqlState
        self.message = message
        self.hint = hint
        self.isTransient = isTransient
    }

    public var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}

extension PostgresError.Code: CustomStringConvertible {
    /// For records and reports: `conflictWithRecovery`.
    public var description: String { "\(kind)" }
}

extension PostgresError {
    /// An error the server sent while connecting or for a statement.
    ///
    /// - Parameter context: what was tried, for the start of the message: `cannot connect to …`.
    init(sqlState: String?, serverMessage: String, context: String, isConnecting: Bool) {
        let message = "\(context): \(serverMessage)"
        switch sqlState {
        case "28P01", "28000":
            self.init(
                .authentication, message,
                hint: "check user and password (PGUSER, PGPASSWORD) and the server's pg_hba.conf",
                sqlState: sqlState)
        case "3D000":
            self.init(
                .missingDatabase, message, hint: "check the database name (PGDATABASE)", sqlState: sqlState)
        case "42501":
            self.init(.permission, message, sqlState: sqlState)
        case "57P04", "40001", "40P01":
            self.init(
                .conflictWithRecovery, message,
                hint: "on a standby: raise max_standby_streaming_delay or set hot_standby_feedback, then try again",
                sqlState: sqlState, isTransient: true)
        case "57P03", "53300", "57P01", "57P02", "57P05", "08000", "08003", "08006", "08001", "08004":
            self.init(
                isConnecting ? .cannotConnect : .connectionLost, message,
                hint: "the server is busy or restarting: try again later",
                sqlState: sqlState, isTransient: true)
        case "55P03":
            self.init(.lockTimeout, message, sqlState: sqlState, isTransient: true)
        case nil where isConnecting && serverMessage.contains("certificate"):
            self.init(
                .authentication, message,
                hint:
                    "PGSSLROOTCERT must name a file with the authority that signed the server's certificate, and PGHOST "
                    + "a name that is in it")
        case nil where isConnecting && serverMessage.hasPrefix("invalid "):
            // libpq did not even try.
            self.init(.settings, message, hint: "check the PG… variables")
        case nil where !isConnecting:
            // libpq's own message: the server did not answer.
            self.init(
                .connectionLost, message, hint: "the server or the network between failed: try again later",
                isTransient: true)
        default:
            self.init(
                isConnecting ? .cannotConnect : .query, message,
                hint: isConnecting && sqlState == nil
                    ? "check that the server runs and that host and port (PGHOST, PGPORT) are right" : nil,
                sqlState: sqlState, isTransient: isConnecting && sqlState == nil)
        }
    }
}
