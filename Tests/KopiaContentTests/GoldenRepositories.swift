import GoFormats
import KopiaBlob
import KopiaFormat
import TestSupport
import Testing

@testable import KopiaContent

/// Golden repositories whose index can be read, with what kopia lists of each.
enum GoldenLists {
    static let sound = [
        "compressors", "default", "ecc-2", "empty", "enc-chacha20-poly1305", "epochs",
        "epochs-before-cleanup", "flat", "format-v1", "format-v1-compacted", "format-v1-small", "format-v2",
        "hash-blake2b-256", "hash-blake2s-128", "hash-blake2s-256", "hash-blake3-256", "hash-blake3-256-128",
        "hash-hmac-sha224", "hash-hmac-sha256", "hash-hmac-sha256-128", "hash-hmac-sha3-224", "hash-hmac-sha3-256",
        "indirect-two-levels", "kdf-pbkdf2", "maintained", "password-changed", "password-unicode",
        "upgraded-v1-to-v3",
    ]
    /// Their packs or some indexes are damaged; what is left of the index reads.
    static let damaged = [
        "compressors-0.22", "corrupt-index-missing", "corrupt-metadata-pack-missing", "corrupt-pack-flipped",
        "corrupt-pack-missing", "corrupt-pack-truncated", "ecc-10-beyond", "ecc-10-repairable",
    ]

    static func open(_ name: String, options: LocalContentStore.Options? = nil) async throws -> LocalContentStore {
        let password =
            switch name {
            case "password-changed": "after-the-change"
            case "password-unicode": "pässwörd-日本-🔑 with spaces"
            default: GoldenRepository.password
            }
        let storage = try await FilesystemBlobStorage.open(path: GoldenRepository.path(name))
        let format = try await RepositoryFormat.open(storage, password: Password(password))
        return try await LocalContentStore.open(
            storage, format: format, options: options ?? LocalContentStore.Options(isReadOnly: true))
    }

    static func kopiaList(_ name: String) throws -> [IndexEntry] {
        try (FixtureFiles.json("content-lists/\(name).json").arrayValue ?? []).map(IndexVectorTests.entry)
    }
}

/// One opening for all checks of a repository: deriving its key is what takes the time.
@Suite struct GoldenRepositoryTests {
    @Test(arguments: GoldenLists.sound)
    func contentsAndPacksOfASoundRepositoryAreAsKopiaListsThem(name: String) async throws {
        let store = try await GoldenLists.open(name)
        let entries = try check(store, name)
        let ids = entries.map(\.id)
        try await expectHashes(of: ids, in: store)
        let comparison = try await store.comparePacks()
        #expect(comparison.broken == [])
        for pack in Set(entries.map(\.pack)) {
            let local = try await store.localIndex(ofPack: pack)
            // The index may have a newer entry for what the pack holds, but places nothing in it that it does not hold.
            let placed = entries.filter { $0.pack == pack && !$0.isDeleted }
            #expect(Set(placed).subtracting(local) == [], "pack \(pack)")
        }
    }

    @Test(arguments: GoldenLists.damaged)
    func theIndexOfADamagedRepositoryIsReadAsKopiaReadsIt(name: String) async throws {
        let store = try await GoldenLists.open(name)
        let entries = try check(store, name)
        if name == "ecc-10-repairable" { try await expectHashes(of: entries.map(\.id), in: store) }
    }

    private func check(_ store: LocalContentStore, _ name: String) throws -> [IndexEntry] {
        var entries: [IndexEntry] = []
        store.forEachEntry { entries.append($0) }
        #expect(entries == (try GoldenLists.kopiaList(name)))
        return entries
    }

    private func expectHashes(of ids: [ContentID], in store: LocalContentStore) async throws {
        let together = try await store.read(ids)
        #expect(together.count == ids.count)
        for (id, plaintext) in zip(ids, together) {
            #expect(try store.crypto.hash(plaintext) == id.hash)
            #expect(try await store.info(id)?.originalLength == Int64(plaintext.count))
        }
        if let first = ids.first { #expect(try await store.read(first) == together[0]) }
    }
}
