internal import GoFormats

/// How a sharded provider (filesystem, SFTP, WebDAV, rclone) spreads blobs over folders; the content of `.shards`.
///
/// A blob whose ID has at most `nonShardedLengthMax` characters lies in the root; of a longer one, each shard takes that
/// many characters off the front as the name of a folder, as long as something is left. Every file ends in `.f`.
///
/// Source: kopia `repo/blob/sharded/sharded.go`, `sharded_parameters.go`; `kopia-format` §1.3.
public struct ShardLayout: Sendable, Hashable {
    /// Shards of the blobs whose ID starts with `prefix`.
    public struct Override: Sendable, Hashable {
        public var prefix: String
        public var shards: [Int]

        public init(prefix: String, shards: [Int]) {
            self.prefix = prefix
            self.shards = shards
        }
    }

    /// Characters per folder level; empty for a flat folder.
    public var shards: [Int]
    /// The first one that matches wins over `shards`.
    public var overrides: [Override]
    public var nonShardedLengthMax: Int

    public init(shards: [Int], overrides: [Override] = [], nonShardedLengthMax: Int = 20) {
        self.shards = shards
        self.overrides = overrides
        self.nonShardedLengthMax = nonShardedLengthMax
    }

    /// What kopia gives new repositories of format version 2 and 3.
    public static let standard = ShardLayout(shards: [1, 3])
    /// What repositories of format version 1 are created with, and what a folder without `.shards` uses.
    public static let legacy = ShardLayout(shards: [3, 3])

    static let fileName = ".shards"
    static let blobSuffix = ".f"
    /// More levels than any file system path could hold with IDs of at most 512 characters.
    private static let levelsMax = 64

    /// Folder names from the root down, then the file name. Nil when a name would be `.` or `..`, which no ID of kopia
    /// leads to.
    func place(_ id: BlobID) -> (folders: [String], file: String)? {
        var rest = Substring(id.description)
        var folders: [String] = []
        if rest.utf8.count > nonShardedLengthMax {
            for size in overrides.first(where: { id.hasPrefix($0.prefix) })?.shards ?? shards {
                guard rest.utf8.count > size else { break }
                guard size > 0 else { continue }
                let folder = String(rest.prefix(size))
                guard folder != ".", folder != ".." else { return nil }
                folders.append(folder)
                rest = rest.dropFirst(size)
            }
        }
        return (folders, rest + Self.blobSuffix)
    }

    /// The bytes of `.shards`: one JSON object and a line break.
    var encoded: [UInt8] {
        func list(_ sizes: [Int]) -> JSONValue { .array(sizes.map { .integer(Int64($0)) }) }
        var object: JSONObject = JSONObject(["default": list(shards)])
        if !overrides.isEmpty {
            object["overrides"] = .array(
                overrides.map { .object(JSONObject(["prefix": .string($0.prefix), "shards": list($0.shards)])) })
        }
        object["maxNonShardedLength"] = .integer(Int64(nonShardedLengthMax))
        return GoJSON.encode(.object(object), style: .encoder)
    }

    /// Reads `.shards`.
    ///
    /// - Throws: `BlobError.Code.invalidStorage` when it is not what kopia writes; `path` names it in the message.
    static func decode(_ bytes: [UInt8], path: String) throws(BlobError) -> ShardLayout {
        func malformed(_ reason: String) -> BlobError {
            BlobError(
                .invalidStorage, "'\(path)' does not say how blobs are spread over folders: \(reason)",
                hint: "restore the file from a copy; kopia writes {\"default\":[1,3],\"maxNonShardedLength\":20}")
        }
        func sizes(_ value: JSONValue?, _ name: String) throws(BlobError) -> [Int] {
            guard let value, !value.isNull else { return [] }
            guard let items = value.arrayValue, items.count <= levelsMax else {
                throw malformed("'\(name)' is not a list of at most \(levelsMax) numbers")
            }
            var sizes: [Int] = []
            for item in items {
                guard let size = item.integerValue, size >= 0, size <= 512 else {
                    throw malformed("'\(name)' holds something else than numbers from 0 to 512")
                }
                sizes.append(Int(size))
            }
            return sizes
        }
        let value: JSONValue
        do {
            value = try JSONParser.parse(bytes, limits: .init(depth: 8, bytes: 1 << 20))
        } catch {
            throw malformed("\(error)")
        }
        guard let object = value.objectValue else { throw malformed("it is not a JSON object") }
        var layout = ShardLayout(
            shards: try sizes(object.caseInsensitive("default"), "default"), nonShardedLengthMax: 0)
        if let length = object.caseInsensitive("maxNonShardedLength"), !length.isNull {
            guard let number = length.integerValue, number >= 0, number <= 1 << 20 else {
                throw malformed("'maxNonShardedLength' is not a number of characters")
            }
            layout.nonShardedLengthMax = Int(number)
        }
        if let overrides = object.caseInsensitive("overrides"), !overrides.isNull {
            guard let items = overrides.arrayValue else { throw malformed("'overrides' is not a list") }
            for item in items {
                guard let fields = item.objectValue else { throw malformed("'overrides' holds a non-object") }
                let prefix = fields.caseInsensitive("prefix")?.stringValue ?? ""
                let shards = try sizes(fields.caseInsensitive("shards"), "overrides.shards")
                layout.overrides.append(Override(prefix: prefix, shards: shards))
            }
        }
        return layout
    }
}
