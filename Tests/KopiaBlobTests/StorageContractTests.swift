import KopiaBlob
import TestSupport
import Testing

@Suite struct StorageContractTests {
    struct Layout: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let layout: ShardLayout
    }

    static let layouts = [
        Layout(testDescription: "standard", layout: .standard),
        Layout(testDescription: "legacy", layout: .legacy),
        Layout(testDescription: "flat", layout: ShardLayout(shards: [])),
        Layout(testDescription: "deep", layout: ShardLayout(shards: [1, 1, 1, 1, 2, 30], nonShardedLengthMax: 0)),
        Layout(
            testDescription: "overrides",
            layout: ShardLayout(
                shards: [2], overrides: [.init(prefix: "p", shards: [3, 3]), .init(prefix: "x", shards: [])])),
    ]

    @Test(arguments: layouts) func folderKeepsTheContract(_ layout: Layout) async throws {
        let directory = try TemporaryDirectory()
        let storage = try await FilesystemBlobStorage.create(path: directory.path + "/repo", layout: layout.layout)
        try await verifyStorageContract(storage)
        let reopened = try await FilesystemBlobStorage.open(path: directory.path + "/repo/")
        #expect(reopened.layout == layout.layout)
        #expect(reopened.path == directory.path + "/repo")
        try await verifyStorageContract(reopened)
    }

    @Test func memoryKeepsTheContract() async throws { try await verifyStorageContract(MemoryBlobStorage()) }

    @Test func faultyStorageWithoutFaultsKeepsTheContract() async throws {
        let storage = FaultyBlobStorage()
        storage.shuffleListings(seed: 1)
        try await verifyStorageContract(storage)
    }

    @Test func theContractNoticesAStorageThatBreaksIt() async throws {
        let storage = FaultyBlobStorage()
        storage.script(.put, times: nil, .short(1))
        let error = await #expect(throws: TestSupportError.self) { try await verifyStorageContract(storage) }
        #expect(error?.description.contains("do not come back") == true)
    }
}
