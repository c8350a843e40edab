public import Secrets

/// How to reach one database. Prints without the password.
///
/// Source: PostgreSQL documentation, libpq, "Environment Variables" and "Parameter Key Words".
public struct PostgresSettings: Sendable, Hashable, CustomStringConvertible {
    /// libpq's key words and values, without `password`.
    public private(set) var parameters: [String: String]
    public var password: Secret?
    /// How long to wait for a place on a server that has no connection to spare (SQLSTATE 53300). Not at all for whoever has done
    /// nothing yet and can come again.
    public var patience: Duration = .zero

    /// The variables libpq reads and the key words they set.
    static let keywords: [(variable: String, keyword: String)] = [
        ("PGHOST", "host"), ("PGHOSTADDR", "hostaddr"), ("PGPORT", "port"), ("PGUSER", "user"),
        ("PGDATABASE", "dbname"), ("PGPASSFILE", "passfile"), ("PGSERVICE", "service"), ("PGOPTIONS", "options"),
        ("PGAPPNAME", "application_name"), ("PGSSLMODE", "sslmode"), ("PGSSLROOTCERT", "sslrootcert"),
        ("PGSSLCERT", "sslcert"), ("PGSSLKEY", "sslkey"), ("PGSSLCRL", "sslcrl"), ("PGREQUIREPEER", "requirepeer"),
        ("PGSSLMINPROTOCOLVERSION", "ssl_min_protocol_version"), ("PGCHANNELBINDING", "channel_binding"),
        ("PGGSSENCMODE", "gssencmode"), ("PGKRBSRVNAME", "krbsrvname"), ("PGCONNECT_TIMEOUT", "connect_timeout"),
        ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ]

    /// - Parameters:
    ///   - environment: where the `PG…` variables are looked up; empty values count as not set, as with libpq.
    ///   - overrides: key words that win over the environment; nil values do not.
    /// - Throws: `PostgresError.Code.settings`.
    public init(environment: [String: String], overrides: [String: String?] = [:]) throws(PostgresError) {
        var parameters: [String: String] = [:]
        for (variable, keyword) in Self.keywords {
            if let value = environment[variable], !value.isEmpty { parameters[keyword] = value }
        }
        for (keyword, value) in overrides {
            if let value { parameters[keyword] = value }
        }
        // libpq takes an empty PGSSLMODE for a mode it does not know, though other empty variables are none.
        if environment["PGSSLMODE"] == "", parameters["sslmode"] == nil, parameters["sslrootcert"] == nil {
            parameters["sslmode"] = "prefer"
        }
        // A certificate authority is given to know whom we talk to; libpq would still take any server for the right one.
        if parameters["sslrootcert"] != nil, parameters["sslmode"] == nil { parameters["sslmode"] = "verify-full" }
        self.parameters = parameters
        password = environment["PGPASSWORD"].flatMap { $0.isEmpty ? nil : Secret($0) }
        if let port = parameters["port"] { try Self.check(number: port, 1...65535, named: "port (PGPORT)") }
        if let timeout = parameters["connect_timeout"] {
            try Self.check(number: timeout, 0...3600, named: "connection timeout (PGCONNECT_TIMEOUT)")
        }
        for value in parameters.values where value.utf8.contains(0) {
            throw PostgresError(.settings, "a connection setting contains a NUL byte")
        }
    }

    /// A load balancer forgets flows that are silent for some minutes (Azure's after 4), and a dump's control connection is
    /// silent for hours. In libpq's key words and units: seconds, but for the last one milliseconds.
    static let keepalives: [(keyword: String, value: String)] = [
        ("keepalives", "1"), ("keepalives_idle", "60"), ("keepalives_interval", "15"), ("keepalives_count", "8"),
        ("tcp_user_timeout", "180000"),
    ]

    static var keepaliveText: String { keepalives.map { "\($0.keyword)=\($0.value)" }.joined(separator: " ") }

    private static func check(
        number: String, _ range: ClosedRange<Int>, named name: String
    ) throws(PostgresError) {
        guard let value = Int(number), range.contains(value) else {
            throw PostgresError(
                .settings, "the \(name) is \"\(number)\", not a number from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    public var database: String? { parameters["dbname"] }
    public var user: String? { parameters["user"] }
    public var host: String { parameters["host"] ?? parameters["hostaddr"] ?? "the local socket" }
    public var port: String { parameters["port"] ?? "5432" }

    public subscript(keyword: String) -> String? {
        get { parameters[keyword] }
        set { parameters[keyword] = newValue }
    }

    /// The same server and user with another database.
    public func with(database: String) -> PostgresSettings {
        var other = self
        other.parameters["dbname"] = database
        return other
    }

    /// `database "app1db" on ro.example:5432`, for messages.
    public var description: String {
        let place = host.hasPrefix("/") ? "\(host) port \(port)" : "\(host):\(port)"
        return database.map { "database \"\($0)\" on \(place)" } ?? place
    }

    /// What PostgreSQL's own programs inherit beside the `PG…` variables: how to find files, libraries, hosts (also through
    /// nss_wrapper), certificates and Kerberos tickets. Nothing else, because the rest may hold other secrets.
    static let inheritedVariables = [
        "PATH", "HOME", "TMPDIR", "TZ", "USER", "LOGNAME", "LD_LIBRARY_PATH", "LD_PRELOAD", "NSS_WRAPPER_HOSTS",
        "PGSERVICEFILE", "PGSYSCONFDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF", "KRB5_CONFIG", "KRB5CCNAME",
    ]

    /// The `PG…` variables for PostgreSQL's own programs: the password goes this way and never on a command line.
    ///
    /// - Parameter base: where the variables that are inherited come from.
    public func childEnvironment(base: [String: String]) -> [String: String] {
        var environment: [String: String] = [:]
        for name in Self.inheritedVariables { environment[name] = base[name] }
        for (variable, keyword) in Self.keywords { environment[variable] = parameters[keyword] }
        environment["PGPASSWORD"] = password?.revealed
        // Messages are shown to people and looked through for their meaning.
        environment["LC_ALL"] = "C"
        return environment
    }
}
