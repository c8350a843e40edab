public import GoFormats

/// Which part of a database is dumped. The patterns are pg_dump's own.
public struct DumpScope: Sendable, Hashable {
    /// Only these tables, views and sequences, without what they depend on.
    public var tables: [String] = []
    /// Their definitions, but not their rows.
    public var excludedTableData: [String] = []
    /// No rows at all.
    public var schemaOnly = false

    public init() {}

    /// Nothing is left out.
    public var isWhole: Bool { self == DumpScope() }

    /// `--strict-names`, because a pattern that matches nothing is a mistake, and pg_dump would go on with the others.
    var arguments: [String] {
        var arguments = tables.map { "--table=\($0)" } + excludedTableData.map { "--exclude-table-data=\($0)" }
        if !tables.isEmpty { arguments.append("--strict-names") }
        if schemaOnly { arguments.append("--schema-only") }
        return arguments
    }

    public var json: JSONValue {
        [
            "tables": .array(tables.map { .string($0) }),
            "excludedTableData": .array(excludedTableData.map { .string($0) }), "schemaOnly": .bool(schemaOnly),
        ]
    }

    public init(json: JSONValue) {
        tables = (json["tables"]?.arrayValue ?? []).compactMap(\.stringValue)
        excludedTableData = (json["excludedTableData"]?.arrayValue ?? []).compactMap(\.stringValue)
        schemaOnly = json["schemaOnly"]?.boolValue ?? false
    }
}
