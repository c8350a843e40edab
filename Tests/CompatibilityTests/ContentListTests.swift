import GoFormats
import KopiaBlob
import KopiaContent
import KopiaFormat
import TestSupport
import Testing

/// What stock kopia makes of contents that we wrote: its own list of them, and the indexes it rebuilds from our packs.
@Suite(.enabled(if: Kopia.isWanted, "set KOPIA_EXE to a kopia program"))
struct ContentListTests {
    private static let password = "contents"

    @Test(arguments: [1, 2, 3], [HashAlgorithm.blake2b256Truncated128, .hmacSHA224, .blake2b256])
    func kopiaListsAndRecoversWhatWeWrote(version: Int, hash: HashAlgorithm) async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path + "/repository"
        let storage = try await FilesystemBlobStorage.create(path: path)
        let ours = try await write(to: storage, version: version, hash: hash)
        let kopia = try await Kopia.connect(to: path, in: folder.path, password: Self.password)
        #expect(try await list(kopia) == ours)
        try await kopia.run(["content", "verify", "--full"])

        for prefix in ["x", "n"] {
            for blob in try await storage.list(prefix: prefix) { try await storage.delete(blob.id) }
        }
        try Files.makeFolder(folder.path + "/second")
        let second = try await Kopia.connect(to: path, in: folder.path + "/second", password: Self.password)
        try await second.run(["index", "recover", "--commit", "--dangerous-commands=enabled"])
        // Deletions are in index blobs only; everything else comes back from the packs.
        let recovered = try await list(second)
        #expect(Set(recovered.keys) == Set(ours.keys))
        try await second.run(["content", "verify", "--full"])
    }

    /// Contents of both kinds, compressed and not, several packs, two index blobs and a deletion.
    private func write(
        to storage: FilesystemBlobStorage, version: Int, hash: HashAlgorithm
    ) async throws -> [String: IndexEntry] {
        var options = RepositoryFormat.Options()
        options.version = version
        options.hash = hash
        options.maxPackSize = 10 << 20
        let format = try await RepositoryFormat.create(storage, password: Password(Self.password), options: options)
        let store = try await LocalContentStore.open(storage, format: format)
        let ids = try await withThrowingTaskGroup(of: ContentID.self) { group in
            for number in 0..<40 {
                let isMetadata = number % 5 == 0
                group.addTask {
                    var plaintext = SeededBytes.rnd(UInt64(number), 5000)
                    for _ in 0..<7 { plaintext += plaintext }
                    return try await store.write(
                        plaintext, prefix: isMetadata ? UInt8(ascii: "k") : 0,
                        compression: number % 3 == 0 ? 0x1101 : 0)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        try await store.flush()
        try store.markDeleted(Array(ids.prefix(2)))
        try await store.flush()
        var entries: [String: IndexEntry] = [:]
        store.forEachEntry { entries[$0.id.description] = $0 }
        return entries
    }

    private func list(_ kopia: Kopia) async throws -> [String: IndexEntry] {
        var entries: [String: IndexEntry] = [:]
        for item in try await kopia.json(["content", "list", "--deleted"]).arrayValue ?? [] {
            func number(_ key: String) -> Int64 { item[key]?.integerValue ?? 0 }
            let id = try #require(ContentID(item["contentID"]?.stringValue ?? ""))
            entries[id.description] = IndexEntry(
                id: id, pack: try #require(BlobID(item["packFile"]?.stringValue ?? "")),
                packOffset: UInt32(number("packOffset")), packedLength: UInt32(number("length")),
                originalLength: UInt32(number("originalLength")), timestampSeconds: number("time"),
                isDeleted: item["deleted"]?.boolValue ?? false, formatVersion: UInt8(number("formatVersion")),
                compression: UInt32(number("compression")))
        }
        return entries
    }
}
