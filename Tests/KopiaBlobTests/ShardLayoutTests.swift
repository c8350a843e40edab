import TestSupport
import Testing

@testable import KopiaBlob

@Suite struct ShardLayoutTests {
    struct Place: Sendable, CustomTestStringConvertible {
        let id: String
        let layout: ShardLayout
        let path: String
        var testDescription: String { "\(id) in \(layout.shards)" }
    }

    /// `kopia-format` §1.3, §14.10, and the golden repositories.
    static let places = [
        Place(
            id: "xn0_41c1c866f534e14cd8875f23d8d3b004-s0011223344556677144-c1", layout: .standard,
            path: "x/n0_/41c1c866f534e14cd8875f23d8d3b004-s0011223344556677144-c1.f"),
        Place(
            id: "p0123456789abcdef0123456789abcdef-s0011223344556677144", layout: .standard,
            path: "p/012/3456789abcdef0123456789abcdef-s0011223344556677144.f"),
        Place(
            id: "p0123456789abcdef0123456789abcdef-s0011223344556677144", layout: .legacy,
            path: "p01/234/56789abcdef0123456789abcdef-s0011223344556677144.f"),
        Place(id: "kopia.repository", layout: .standard, path: "kopia.repository.f"),
        Place(id: "kopia.maintenance", layout: .standard, path: "kopia.maintenance.f"),
        Place(id: "xw1767225600", layout: .legacy, path: "xw1767225600.f"),
        Place(id: "xe12", layout: .standard, path: "xe12.f"),
        Place(id: "12345678901234567890", layout: .standard, path: "12345678901234567890.f"),
        Place(id: "123456789012345678901", layout: .standard, path: "1/234/56789012345678901.f"),
        Place(id: "123456789012345678901", layout: ShardLayout(shards: []), path: "123456789012345678901.f"),
        Place(id: "abcd", layout: ShardLayout(shards: [1, 3], nonShardedLengthMax: 0), path: "a/bcd.f"),
        Place(id: "abcde", layout: ShardLayout(shards: [0, 1, 3], nonShardedLengthMax: 0), path: "a/bcd/e.f"),
        Place(
            id: "p0123456789abcdef0123",
            layout: ShardLayout(
                shards: [1], overrides: [.init(prefix: "p0", shards: [2, 2]), .init(prefix: "p", shards: [])]),
            path: "p0/12/3456789abcdef0123.f"),
    ]

    @Test(arguments: places) func blobsLieWhereKopiaPutsThem(_ place: Place) throws {
        let id = try #require(BlobID(place.id))
        let (folders, file) = try #require(place.layout.place(id))
        #expect((folders + [file]).joined(separator: "/") == place.path)
    }

    @Test(arguments: ["..aaaaaaaaaaaaaaaaaaaaaaaaa", ".aaaaaaaaaaaaaaaaaaaaaaaaaaa"], [[2], [1, 1]])
    func noNameLeadsOutOfTheFolder(_ name: String, _ shards: [Int]) throws {
        let place = ShardLayout(shards: shards).place(try #require(BlobID(name)))
        #expect(place.map { $0.folders.contains { $0 == "." || $0 == ".." } } != true)
    }

    @Test(arguments: [
        #"{"default":[1,3],"maxNonShardedLength":20}"#,
        #"{"default":[3,3],"maxNonShardedLength":20}"#,
        #"{"default":[],"maxNonShardedLength":20}"#,
        #"{"default":[1,3],"overrides":[{"prefix":"p","shards":[3,3]}],"maxNonShardedLength":20}"#,
    ])
    func theFileComesBackAsItWas(_ text: String) throws {
        let layout = try ShardLayout.decode(Array(text.utf8), path: ".shards")
        #expect(String(decoding: layout.encoded, as: UTF8.self) == text + "\n")
    }

    @Test func absentMembersAreZeroAsInGo() throws {
        #expect(
            try ShardLayout.decode(Array(#"{"DEFAULT":null}"#.utf8), path: "x")
                == ShardLayout(shards: [], nonShardedLengthMax: 0))
    }

    @Test(arguments: [
        ("", "unexpected end of the text, expected a value at byte 0"),
        ("[]", "it is not a JSON object"),
        (#"{"default":[1,-3]}"#, "'default' holds something else than numbers from 0 to 512"),
        (#"{"default":"1,3"}"#, "'default' is not a list of at most 64 numbers"),
        (#"{"default":[1,1e300]}"#, "'default' holds something else than numbers from 0 to 512"),
        (#"{"default":[1],"maxNonShardedLength":-1}"#, "'maxNonShardedLength' is not a number of characters"),
        (#"{"default":[1],"overrides":[7]}"#, "'overrides' holds a non-object"),
    ])
    func aMalformedFileIsExplained(_ text: String, _ reason: String) {
        let error = #expect(throws: BlobError.self) { try ShardLayout.decode(Array(text.utf8), path: "/r/.shards") }
        #expect(error?.code == .invalidStorage)
        #expect(error?.message == "'/r/.shards' does not say how blobs are spread over folders: \(reason)")
    }
}
