public import GoFormats
public import KopiaContent
public import KopiaObject

/// A directory object: its entries and their totals.
///
///     {"stream":"kopia:directory","entries":[…],"summary":{…}}⏎
///
/// Concurrency and memory: a value; a directory of a million entries takes some hundred MB while it is read.
///
/// Source: kopia `snapshot/manifest.go` `DirManifest`, `snapshot/snapshotfs/dir_manifest_builder.go`.
/// Vectors: `kopia-format` §14.8 and the golden repositories' directories, byte for byte.
public struct Directory: Sendable, Hashable {
    /// Directories first, each group by name, bytewise.
    public let entries: [DirectoryEntry]
    public let summary: DirectorySummary

    /// The letter before content IDs of directories.
    static let contentPrefix = UInt8(ascii: "k")
    /// Text of one directory that is read.
    static let lengthMax = 1 << 30

    /// Sorts the entries and adds them up.
    ///
    /// - Parameter modified: stands for the newest entry when there is none.
    /// - Throws: `SnapshotError.Code.invalid` for a name that is empty, not one path component, or there twice.
    public init(
        of entries: [DirectoryEntry], modified: Timestamp?, incompleteReason: String? = nil
    ) throws(SnapshotError) {
        var summary = DirectorySummary()
        var names: Set<[UInt8]> = []  // Bytes: two names may differ in Unicode normalisation alone.
        for entry in entries {
            if let problem = Self.problem(withName: entry.name) {
                throw SnapshotError(.invalid, "'\(entry.name)' cannot be a name in a directory: \(problem)")
            }
            guard names.insert(Array(entry.name.utf8)).inserted else {
                throw SnapshotError(.invalid, "'\(entry.name)' is twice in one directory")
            }
            summary.add(entry)
        }
        if entries.isEmpty { summary.newestModification = modified }
        summary.incompleteReason = incompleteReason
        self.summary = summary
        self.entries = entries.sorted { left, right in
            if (left.kind == .directory) != (right.kind == .directory) { return left.kind == .directory }
            return left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
        }
    }

    /// The bytes of the object.
    public var text: [UInt8] {
        let json: JSONValue = [
            "stream": "kopia:directory", "entries": entries.isEmpty ? .null : .array(entries.map(\.json)),
            "summary": summary.json,
        ]
        return GoJSON.encode(json, style: .encoder)
    }

    /// - Throws: `SnapshotError.Code.malformed`.
    public init(text: [UInt8], of object: ObjectID) throws(SnapshotError) {
        let json: JSONValue
        do { json = try JSONParser.parse(text, limits: .init(depth: 16, bytes: Self.lengthMax)) } catch {
            throw SnapshotError(.malformed, "directory \(object) is malformed: \(error)")
        }
        let reader = try JSONReader(json, of: "directory \(object)")
        let stream = try reader.string("stream") ?? ""
        guard stream == "kopia:directory" else {
            throw reader.malformed("its stream is '\(stream)', not 'kopia:directory'")
        }
        var entries: [DirectoryEntry] = []
        for item in try reader.array("entries") ?? [] {
            let entry = try DirectoryEntry(json: item)
            if let problem = Self.problem(withName: entry.name) {
                throw reader.malformed("it has an entry '\(entry.name)': \(problem)")
            }
            entries.append(entry)
        }
        self.entries = entries
        summary =
            try reader.value("summary").map { value throws(SnapshotError) in try DirectorySummary(json: value) }
            ?? DirectorySummary()
    }

    /// - Throws: as `init(text:of:)` and `ObjectReader`.
    public static func read(_ object: ObjectID, from contents: any ContentStore) async throws -> Directory {
        let text = try await ObjectReader.open(object, in: contents).readAll(limit: lengthMax)
        return try Directory(text: text, of: object)
    }

    /// - Parameter compression: header ID of the metadata compressor.
    public func write(to contents: any ContentStore, compression: UInt32) async throws -> ObjectID {
        let writer = try ObjectWriter(
            contents: contents, prefix: Self.contentPrefix, compression: compression,
            metadataCompression: compression, chunksInFlight: 1)
        return try await writer.write(text).id
    }

    /// What does not fit together in a directory that somebody else wrote: the order, a name twice, the totals. kopia
    /// checks none of it, and reading works all the same. Nil when everything fits.
    public var inconsistency: String? {
        do throws(SnapshotError) {
            let right = try Directory(of: entries, modified: nil)
            guard right.entries.map(\.name) == entries.map(\.name) else { return "its entries are not in order" }
            guard summary.incompleteReason == nil else { return nil }
            for (name, path) in DirectorySummary.totals where right.summary[keyPath: path] != summary[keyPath: path] {
                return "its summary says \(summary[keyPath: path]) \(name), "
                    + "its entries add up to \(right.summary[keyPath: path])"
            }
            return nil
        } catch {
            return error.message
        }
    }

    private static func problem(withName name: String) -> String? {
        if name.isEmpty { return "it is empty" }
        if name == "." || name == ".." { return "it means another directory" }
        if name.utf8.contains(UInt8(ascii: "/")) { return "it contains '/'" }
        if name.utf8.contains(0) { return "it contains a zero byte" }
        return nil
    }
}
