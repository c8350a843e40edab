public import GoFormats

/// The key of the row hash: 16 bytes.
///
/// It travels beside the digests and protects nothing: whoever can change a snapshot's dump can change its digests, and
/// the repository's encryption is what stops that. What it does is to keep those who write rows, who never see it, from
/// making two sets of rows with the same sum. So it comes from the repository's secret and stays the same for all
/// backups of a repository: equal digests in two snapshots mean equal rows.
public struct RowHashKey: Sendable, Hashable {
    let low: UInt64
    let high: UInt64

    /// Nil unless there are 16 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        func word(_ start: Int) -> UInt64 { bytes[start..<(start + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        (low, high) = (word(0), word(8))
    }

    public var bytes: [UInt8] {
        [low, high].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    }
}

/// How many rows, how many bytes, and an order-independent hash of a multiset of rows: the sum modulo 2¹²⁸ of the
/// keyed hash of each row's COPY text. Two tables with the same rows have the same digest in whatever order they are
/// read, provided that `CopyTextSettings` are the same on both sides.
///
/// Concurrency and memory: a value of 48 bytes beside the key.
///
/// Source: Clarke, Devadas, van Dijk, Gassend, Suh, "Incremental Multiset Hash Functions" (MSet-Add-Hash).
public struct RowsDigest: Sendable, Hashable {
    public internal(set) var rows: Int64 = 0
    /// Of the rows in COPY's text form, each with its line feed.
    public internal(set) var bytes: Int64 = 0
    public internal(set) var hash: UInt128 = 0

    public init() {}

    /// Adds one row of `COPY … TO STDOUT` as it comes, with or without its line feed.
    @inline(__always)
    public mutating func add(row: UnsafeRawBufferPointer, key: RowHashKey) {
        guard let start = row.baseAddress else {
            add(code: SipHash(key).finish(), length: 0)
            return
        }
        var count = row.count
        if count > 0, row[count - 1] == 0x0a { count -= 1 }
        add(code: SipHash.code(key, start, count), length: count)
    }

    /// As above for bytes that somebody owns.
    public mutating func add(row: [UInt8], key: RowHashKey) {
        row.withUnsafeBytes { add(row: $0, key: key) }
    }

    /// The digest of both sets of rows together.
    func adding(_ other: RowsDigest) -> RowsDigest {
        var sum = self
        sum.hash &+= other.hash
        sum.rows &+= other.rows
        sum.bytes &+= other.bytes
        return sum
    }

    @inline(__always) mutating func add(code: UInt128, length: Int) {
        hash &+= code
        rows &+= 1
        bytes &+= Int64(length) &+ 1
    }
}

/// The rows of one table of a dump, to be compared with those of the table that was restored from it.
///
/// A table's rows in a dump are those of `COPY "schema"."table" ("columns", …) TO STDOUT`: of a partitioned table each
/// partition has its own, columns that are generated are not among them, and of a table that belongs to an extension the
/// dump has only what `pg_extension_config_dump` says.
public struct TableDigest: Sendable, Hashable {
    public var schema: String
    public var table: String
    /// In the order of the dump's COPY; empty for a table without columns.
    public var columns: [String]
    public var content: RowsDigest
    /// Bytes of the dump before the first row. The rows, `bytes` of them, follow without a gap, and then the line `\.`. Nil in
    /// records of before. Of no account when digests are compared: the same rows may lie elsewhere in another dump.
    public var at: Int64?

    public init(schema: String, table: String, columns: [String], content: RowsDigest, at: Int64? = nil) {
        self.schema = schema
        self.table = table
        self.columns = columns
        self.content = content
        self.at = at
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.schema == right.schema && left.table == right.table && left.columns == right.columns
            && left.content == right.content
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(schema)
        hasher.combine(table)
        hasher.combine(columns)
        hasher.combine(content)
    }

    public var rows: Int64 { content.rows }
    public var bytes: Int64 { content.bytes }
    public var hash: UInt128 { content.hash }

    /// `"public"."items"`, quoted for SQL.
    public var qualifiedName: String {
        schema.isEmpty ? SQLText.identifier(table) : "\(SQLText.identifier(schema)).\(SQLText.identifier(table))"
    }

    /// The statement whose rows have this digest.
    public var copyStatement: String {
        let list = columns.isEmpty ? "" : " (\(columns.map(SQLText.identifier).joined(separator: ", ")))"
        return "COPY \(qualifiedName)\(list) TO STDOUT"
    }
}

extension TableDigest {
    public var json: JSONValue {
        var members = [
            JSONObject.Member(key: "schema", value: .string(schema)),
            JSONObject.Member(key: "table", value: .string(table)),
            JSONObject.Member(key: "columns", value: .array(columns.map { .string($0) })),
            JSONObject.Member(key: "rows", value: .integer(rows)),
            JSONObject.Member(key: "bytes", value: .integer(bytes)),
            JSONObject.Member(key: "hash", value: .string(Self.text(hash))),
        ]
        if let at { members.append(JSONObject.Member(key: "at", value: .integer(at))) }
        return .object(JSONObject(members))
    }

    /// Nil when a member is missing or not what it should be; `at` may be.
    public init?(json: JSONValue) {
        guard let schema = json["schema"]?.stringValue, let table = json["table"]?.stringValue,
            let columns = json["columns"]?.arrayValue?.map(\.stringValue), !columns.contains(nil),
            let rows = json["rows"]?.integerValue, let bytes = json["bytes"]?.integerValue, rows >= 0, bytes >= 0,
            let digits = json["hash"]?.stringValue, let code = Hex.decode(digits.utf8), code.count == 16
        else { return nil }
        let hash = code.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        var content = RowsDigest()
        (content.rows, content.bytes, content.hash) = (rows, bytes, hash)
        self.init(
            schema: schema, table: table, columns: columns.compactMap { $0 }, content: content,
            at: json["at"]?.integerValue)
    }

    /// 32 hexadecimal digits.
    public static func text(_ hash: UInt128) -> String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }
}
