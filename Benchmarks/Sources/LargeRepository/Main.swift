import GoFormats
import KopiaBlob
import KopiaContent
import KopiaFormat
import KopiaManifest
import KopiaObject
import KopiaSnapshot

#if canImport(Glibc)
    import Glibc
#endif

/// Fills a repository that exists with small contents and many snapshots, so that opening and listing can be measured:
///
///     LargeRepository FOLDER CONTENTS SNAPSHOTS         password: KOPIA_PASSWORD
///
/// Each snapshot is a file of CONTENTS / SNAPSHOTS pieces of 64 bytes, its table, its directory, and a manifest content of its own, as
/// one backup leaves them; the index is published every 100 snapshots, as if an hour's worth had been compacted. Same arguments, same contents.
@main
struct LargeRepository {
    static let pieceLength = 64
    static let snapshotsPerIndex = 100

    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let contentCount = Int(arguments[2]), let snapshotCount = Int(arguments[3]),
            snapshotCount > 0, contentCount >= snapshotCount, let password = getenv("KOPIA_PASSWORD")
        else {
            print("usage: LargeRepository FOLDER CONTENTS SNAPSHOTS, with KOPIA_PASSWORD")
            exit(2)
        }
        let storage = try await FilesystemBlobStorage.open(path: arguments[1])
        let format = try await RepositoryFormat.open(storage, password: Password(String(cString: password)))
        let store = try await LocalContentStore.open(
            storage, format: format, options: .init(username: "runner", hostname: "large"))
        let contents = HeldBack(store: store)
        let start = Timestamp(seconds: 1_700_000_000)
        for number in 0..<snapshotCount {
            let time = start.adding(seconds: Int64(number) * 600)
            // A store for each, so that no manifest is held and each has a content of its own.
            let manifests = ContentManifestStore(contents: contents, clock: { time })
            try await add(number, pieces: contentCount / snapshotCount, at: time, to: contents, manifests)
            if (number + 1) % snapshotsPerIndex == 0 { try await store.flush() }
        }
        try await store.flush()
        await store.close()
    }

    private static func add(
        _ number: Int, pieces: Int, at time: Timestamp, to contents: HeldBack, _ manifests: ContentManifestStore
    ) async throws {
        var table = #"{"stream":"kopia:indirect","entries":["#
        for piece in 0..<pieces {
            let id = try await contents.write(bytes(UInt64(number * pieces + piece)), prefix: 0, compression: 0)
            let offset = piece * pieceLength
            table += (piece > 0 ? "," : "") + (offset > 0 ? "{\"s\":\(offset)," : "{")
            table += "\"l\":\(pieceLength),\"o\":\"\(id)\"}"
        }
        let tableID = try await contents.write(Array((table + "]}\n").utf8), prefix: UInt8(ascii: "x"), compression: 0)
        guard let object = ObjectID("I\(tableID)") else { fatalError("an object ID is I and a content ID") }
        let file = DirectoryEntry(
            name: "backup.sql", kind: .file, mode: .file, size: Int64(pieces * pieceLength), modified: time,
            object: object)
        let directory = try Directory(of: [file], modified: time)
        let root = DirectoryEntry(
            name: "/kanister-backups", kind: .directory, mode: .everything, modified: time,
            object: try await directory.write(to: contents, compression: 0), summary: directory.summary)
        let database = "app\(number % 100)"
        var draft = SnapshotDraft(
            source: SnapshotSource(host: "large", userName: "runner", path: "/kanister-backups/\(database)"),
            startTime: time, endTime: time.adding(seconds: 5), root: root)
        draft.description = "PostgreSQL database \(database)"
        draft.tags = ["database": database]
        _ = try await SnapshotStore(manifests: manifests).put(draft)
        try await manifests.flush()
    }

    /// Never the same twice.
    private static func bytes(_ number: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        var state = number
        while bytes.count < pieceLength {
            // SplitMix64.
            state &+= 0x9e37_79b9_7f4a_7c15
            var word = state
            word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
            word ^= word >> 31
            withUnsafeBytes(of: word.littleEndian) { bytes += $0 }
        }
        withUnsafeBytes(of: number.littleEndian) { bytes.replaceSubrange(0..<8, with: $0) }
        return bytes
    }
}

/// Publishes nothing until it is told to.
private struct HeldBack: ContentStore {
    let store: LocalContentStore

    var supportsContentCompression: Bool { store.supportsContentCompression }
    var defaultSplitter: String { store.defaultSplitter }
    var statistics: ContentStatistics { get async { await store.statistics } }
    func write(_ plaintext: [UInt8], prefix: UInt8, compression: UInt32) async throws -> ContentID {
        try await store.write(plaintext, prefix: prefix, compression: compression)
    }
    func read(_ id: ContentID) async throws -> [UInt8] { try await store.read(id) }
    func info(_ id: ContentID) async throws -> ContentInfo? { try await store.info(id) }
    func list(prefix: UInt8) async throws -> [ContentInfo] { try await store.list(prefix: prefix) }
    func flush() async throws {}
    func refresh() async throws {}
}
