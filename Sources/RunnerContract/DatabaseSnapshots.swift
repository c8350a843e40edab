import GoFormats

/// The artifact of a backup of several databases:
/// `[{"database":"a","kopiaSnapshot":{"id":…}},{"database":"b","error":"…"}]`.
public struct DatabaseSnapshots: Sendable, Hashable {
    public struct Member: Sendable, Hashable {
        public var database: String
        /// Nil for a database that could not be backed up.
        public var snapshot: KopiaSnapshotReference?
    }

    public var members: [Member]

    /// Nil for a text that is no array; the artifact of one database is an object.
    ///
    /// - Throws: `KopiaSnapshotReferenceError` for an array of anything else.
    public init?(parsing text: String) throws(KopiaSnapshotReferenceError) {
        guard text.hasPrefix("[") else { return nil }
        guard let list = (try? JSONParser.parse(text))?.arrayValue else { throw .malformed }
        members = []
        for json in list {
            guard let database = json["database"]?.stringValue else { throw .malformed }
            var snapshot: KopiaSnapshotReference?
            if let reference = json["kopiaSnapshot"] {
                snapshot = try KopiaSnapshotReference(parsing: GoJSON.text(reference))
            } else if json["error"] == nil {
                throw .malformed
            }
            members.append(Member(database: database, snapshot: snapshot))
        }
    }

    /// Those of the databases named, all without names.
    public func members(named names: [String]) -> [Member] {
        names.isEmpty ? members : members.filter { names.contains($0.database) }
    }
}
