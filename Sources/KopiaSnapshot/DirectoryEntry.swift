public import GoFormats
public import KopiaObject

/// One name in a directory object, or the root of a snapshot.
///
/// Source: kopia `snapshot/manifest.go`, `DirEntry`.
public struct DirectoryEntry: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable {
        case file = "f"
        case directory = "d"
        case symlink = "s"
    }

    /// One path component; for the root of a snapshot a base name or a path, possibly empty.
    public var name: String
    public var kind: Kind
    public var mode: FileMode
    /// Files: bytes. Symlinks: bytes of the target. Directories: 0, see `summary`.
    public var size: Int64
    public var modified: Timestamp?
    public var userID: UInt32
    public var groupID: UInt32
    public var object: ObjectID
    /// Directories, and a snapshot root that is a file.
    public var summary: DirectorySummary?

    public init(
        name: String, kind: Kind, mode: FileMode, size: Int64 = 0, modified: Timestamp? = nil, userID: UInt32 = 0,
        groupID: UInt32 = 0, object: ObjectID, summary: DirectorySummary? = nil
    ) {
        self.name = name
        self.kind = kind
        self.mode = mode
        self.size = size
        self.modified = modified
        self.userID = userID
        self.groupID = groupID
        self.object = object
        self.summary = summary
    }

    /// - Throws: `SnapshotError.Code.malformed` naming the member.
    init(json: JSONValue) throws(SnapshotError) {
        let reader = try JSONReader(json, of: "directory entry")
        name = try reader.string("name") ?? ""
        let kindText = try reader.string("type") ?? ""
        guard let kind = Kind(rawValue: kindText) else {
            throw reader.malformed("entry '\(name)' has type '\(kindText)', expected f, d or s")
        }
        self.kind = kind
        let modeText = try reader.string("mode") ?? "0"
        guard let mode = FileMode(text: modeText) else {
            throw reader.malformed("entry '\(name)' has mode '\(modeText)', expected an octal number")
        }
        self.mode = mode
        size = try reader.integer("size") ?? 0
        modified = try reader.timestamp("mtime")
        userID = UInt32(truncatingIfNeeded: try reader.integer("uid") ?? 0)
        groupID = UInt32(truncatingIfNeeded: try reader.integer("gid") ?? 0)
        let objectText = try reader.string("obj") ?? ""
        guard let object = ObjectID(objectText) else {
            throw reader.malformed("entry '\(name)' has object '\(objectText)', which is no object ID")
        }
        self.object = object
        summary = try reader.value("summ").map { value throws(SnapshotError) in try DirectorySummary(json: value) }
        guard size >= 0 else { throw reader.malformed("entry '\(name)' has size \(size)") }
    }

    /// Members in kopia's order, zero values left out.
    public var json: JSONValue {
        var object = JSONObject()
        if !name.isEmpty { object["name"] = .string(name) }
        object["type"] = .string(kind.rawValue)
        if mode.bits != 0 { object["mode"] = .string(mode.text) }
        if size != 0 { object["size"] = .integer(size) }
        if let modified, modified.unixNanoseconds != 0 { object["mtime"] = .string(modified.description) }
        if userID != 0 { object["uid"] = .integer(Int64(userID)) }
        if groupID != 0 { object["gid"] = .integer(Int64(groupID)) }
        object["obj"] = .string(self.object.description)
        if let summary { object["summ"] = summary.json }
        return .object(object)
    }

    /// Bytes of everything below: the summary's for directories, else the entry's own.
    public var totalSize: Int64 { summary?.size ?? size }
}

/// Permissions with setuid, setgid and sticky, as Go's `FileMode` numbers them. Without the bits of the type.
public struct FileMode: Sendable, Hashable {
    public let bits: UInt32

    /// Permissions 0777 and Go's setuid, setgid, sticky.
    private static let allowed: UInt32 = 0o777 | 0o40000000 | 0o20000000 | 0o4000000

    public init(bits: UInt32) { self.bits = bits & Self.allowed }

    /// Reads a number with C's prefixes: `0…` octal, `0x…` hexadecimal, else decimal.
    init?(text: String) {
        let lower = text.lowercased()
        let value: UInt32?
        if lower.hasPrefix("0x") {
            value = UInt32(lower.dropFirst(2), radix: 16)
        } else if lower.hasPrefix("0") {
            value = lower == "0" ? 0 : UInt32(lower.dropFirst(), radix: 8)
        } else {
            value = UInt32(lower)
        }
        guard let value else { return nil }
        self.init(bits: value)
    }

    /// `0644`, `04000777`.
    public var text: String { "0" + String(bits, radix: 8) }

    public static let file = FileMode(bits: 0o644)
    public static let everything = FileMode(bits: 0o777)

    /// As stat(2) numbers them: 07777.
    public var posix: UInt32 {
        (bits & 0o777) | (bits & 0o40000000 != 0 ? 0o4000 : 0) | (bits & 0o20000000 != 0 ? 0o2000 : 0)
            | (bits & 0o4000000 != 0 ? 0o1000 : 0)
    }
}

/// Totals of everything below a directory.
///
/// Source: kopia `fs/entry.go`, `DirectorySummary`.
public struct DirectorySummary: Sendable, Hashable {
    public struct Failure: Sendable, Hashable {
        public let path: String
        public let error: String
    }

    public var size: Int64 = 0
    public var files: Int64 = 0
    public var symlinks: Int64 = 0
    /// Including the directory itself.
    public var directories: Int64 = 1
    /// Newest modification below; for an empty directory its own.
    public var newestModification: Timestamp?
    public var incompleteReason: String?
    public var failedCount: Int64 = 0
    public var ignoredErrorCount: Int64 = 0
    public var failures: [Failure] = []

    public init() {}

    init(json: JSONValue) throws(SnapshotError) {
        let reader = try JSONReader(json, of: "directory summary")
        size = try reader.integer("size") ?? 0
        files = try reader.integer("files") ?? 0
        symlinks = try reader.integer("symlinks") ?? 0
        directories = try reader.integer("dirs") ?? 0
        newestModification = try reader.timestamp("maxTime")
        incompleteReason = try reader.string("incomplete")
        failedCount = try reader.integer("numFailed") ?? 0
        ignoredErrorCount = try reader.integer("numIgnoredErrors") ?? 0
        for item in try reader.array("errors") ?? [] {
            let failure = try JSONReader(item, of: "error of a directory summary")
            failures.append(
                Failure(path: try failure.string("path") ?? "", error: try failure.string("error") ?? ""))
        }
    }

    public var json: JSONValue {
        var object = JSONObject([
            "size": .integer(size), "files": .integer(files), "symlinks": .integer(symlinks),
            "dirs": .integer(directories),
            "maxTime": .string((newestModification ?? .goZero).description),
        ])
        if let incompleteReason { object["incomplete"] = .string(incompleteReason) }
        object["numFailed"] = .integer(failedCount)
        if ignoredErrorCount != 0 { object["numIgnoredErrors"] = .integer(ignoredErrorCount) }
        if !failures.isEmpty {
            object["errors"] = .array(
                failures.map { ["path": .string($0.path), "error": .string($0.error)] })
        }
        return .object(object)
    }

    static var totals: [(name: String, path: KeyPath<DirectorySummary, Int64>)] {
        [("bytes", \.size), ("files", \.files), ("symlinks", \.symlinks), ("directories", \.directories)]
    }

    /// Adds one entry, which for a directory brings its own summary.
    mutating func add(_ entry: DirectoryEntry) {
        switch entry.kind {
        case .directory:
            guard let below = entry.summary else {
                directories += 1
                return
            }
            size = size.addingClamped(below.size)
            files = files.addingClamped(below.files)
            symlinks = symlinks.addingClamped(below.symlinks)
            directories = directories.addingClamped(below.directories)
            failedCount = failedCount.addingClamped(below.failedCount)
            ignoredErrorCount = ignoredErrorCount.addingClamped(below.ignoredErrorCount)
            see(below.newestModification)
        case .file:
            size = size.addingClamped(entry.size)
            files += 1
            see(entry.modified)
        case .symlink:
            symlinks += 1
            see(entry.modified)
        }
    }

    private mutating func see(_ time: Timestamp?) {
        guard let time else { return }
        newestModification = newestModification.map { max($0, time) } ?? time
    }
}

extension Timestamp {
    /// Go's zero time, which kopia writes where there is none.
    static let goZero = Timestamp(seconds: -62_135_596_800)

    /// The modification time kopia gives the virtual root of a stream: Go's zero time pushed through 64-bit nanoseconds.
    public static let kopiaVirtualRoot = Timestamp(seconds: -6_795_364_579, nanoseconds: 128_654_848)
}

extension Int64 {
    /// Summaries of other people's directories are not to be trusted with overflow.
    func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other > 0 ? .max : .min) : sum
    }
}
