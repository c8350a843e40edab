import GoFormats
import KopiaBlob
import KopiaContent
import KopiaFormat
import KopiaObject
import KopiaSnapshot
import TestSupport
import Testing

/// What kopia wrote, taken apart and put together by us, must be the same bytes: then equal trees have equal names.
struct GoldenBytesTests {
    @Test(arguments: ["default", "format-v1", "maintained", "indirect-two-levels"])
    func directoriesAreEncodedAsByKopia(name: String) async throws {
        let golden = try GoldenRepository.named(name)
        let storage = try await FilesystemBlobStorage.open(path: GoldenRepository.folder + name)
        let format = try await RepositoryFormat.open(storage, password: golden.password)
        let contents = try await LocalContentStore.open(storage, format: format, options: .init(isReadOnly: true))
        let directories = Set(
            golden.snapshots.flatMap { [$0.root] + $0.entries.filter { $0.kind == "d" }.map(\.object) })
        for text in directories.sorted() {
            let object = try #require(ObjectID(text))
            let bytes = try await ObjectReader.open(object, in: contents).readAll(limit: 1 << 20)
            let directory = try Directory(text: bytes, of: object)
            let again = try Directory(
                of: directory.entries.shuffled(), modified: directory.summary.newestModification,
                incompleteReason: directory.summary.incompleteReason)
            #expect(String(decoding: again.text, as: UTF8.self) == String(decoding: bytes, as: UTF8.self))
        }
        await contents.close()
    }
}
