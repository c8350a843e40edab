public import GoFormats

/// The settings a row's COPY text depends on. Both sides of a comparison use the same: the dump's session, and the one
/// that reads the restored tables.
///
/// Source: PostgreSQL documentation, "Client Connection Defaults" and "Version and Platform Compatibility"; `pg_dump`
/// sets some of them itself (`src/bin/pg_dump/pg_dump.c`, `setup_connection`): the values here agree with it.
public struct CopyTextSettings: Sendable, Hashable {
    /// Name and value, in the order they are to be set.
    public let values: [(name: String, value: String)]

    /// The same for every database, so that a dump does not depend on how server, database or role are set up.
    public static let pinned: [(name: String, value: String)] = [
        ("DateStyle", "ISO"), ("IntervalStyle", "postgres"), ("TimeZone", "UTC"), ("extra_float_digits", "3"),
        ("bytea_output", "hex"), ("standard_conforming_strings", "on"),
        // How names of tables, types and roles are written in columns that hold them.
        ("search_path", ""), ("quote_all_identifiers", "on"),
    ]

    /// - Parameters:
    ///   - encoding: of the database, which is what pg_dump writes in.
    ///   - monetaryLocale: of the database. Not pinned, because a dump with another one would be read as other amounts.
    public init(encoding: String, monetaryLocale: String) {
        values = Self.pinned + [("client_encoding", encoding), ("lc_monetary", monetaryLocale)]
    }

    /// `SET` for all of them.
    public var statements: [String] {
        values.map { "SET \(SQLText.settingName($0.name)) TO \(SQLText.literal($0.value))" }
    }

    public static func == (left: Self, right: Self) -> Bool { left.values.elementsEqual(right.values, by: ==) }

    public func hash(into hasher: inout Hasher) {
        for (name, value) in values {
            hasher.combine(name)
            hasher.combine(value)
        }
    }

    /// An object with the settings as members.
    public var json: JSONValue {
        .object(JSONObject(values.map { JSONObject.Member(key: $0.name, value: .string($0.value)) }))
    }

    /// Nil unless every member is a text.
    public init?(json: JSONValue) {
        guard let members = json.objectValue?.members else { return nil }
        values = members.compactMap { member in member.value.stringValue.map { (member.key, $0) } }
        guard values.count == members.count else { return nil }
    }
}

/// The digests of a dump with what is needed to make them again.
public struct TableDigests: Sendable, Hashable {
    /// The sum of SipHash-1-3 codes of 128 bits.
    public static let algorithm = "siphash-1-3-128-sum"

    public var key: RowHashKey
    public var settings: CopyTextSettings
    /// In the order of the dump.
    public var tables: [TableDigest]

    public init(key: RowHashKey, settings: CopyTextSettings, tables: [TableDigest]) {
        self.key = key
        self.settings = settings
        self.tables = tables
    }

    public var rows: Int64 { tables.reduce(0) { $0 &+ $1.rows } }

    public var json: JSONValue {
        [
            "algorithm": .string(Self.algorithm), "key": .string(Hex.encode(key.bytes)), "settings": settings.json,
            "digests": .array(tables.map(\.json)),
        ]
    }

    /// Nil for another algorithm, which cannot be compared, and for members that are not what they should be.
    public init?(json: JSONValue) {
        guard json["algorithm"]?.stringValue == Self.algorithm,
            let key = json["key"]?.stringValue.flatMap({ Hex.decode($0.utf8) }).flatMap({ RowHashKey($0) }),
            let settings = json["settings"].flatMap({ CopyTextSettings(json: $0) }),
            let tables = json["digests"]?.arrayValue?.map({ TableDigest(json: $0) }), !tables.contains(nil)
        else { return nil }
        self.init(key: key, settings: settings, tables: tables.compactMap { $0 })
    }
}
