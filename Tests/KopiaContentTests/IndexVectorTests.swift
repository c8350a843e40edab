import GoFormats
import KopiaBlob
import Testing

@testable import KopiaContent

/// Indexes built by kopia's own code from known entries. Provenance: `Fixtures/index-vectors.json`, made with the
/// packages of kopia 0.23.1 plus 83 commits (4ebb2be6c).
@Suite struct IndexVectorTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let set: String
        let version: PackIndex.Version
        let index: [UInt8]?
        let error: String?
        let entries: [IndexEntry]
        let readBack: [IndexEntry]
        var testDescription: String { "\(set), version \(version.rawValue)" }
    }

    static let vectors: [Vector] = {
        do {
            let file = try FixtureFiles.json("index-vectors.json")
            return try (file["vectors"]?.arrayValue ?? []).map { vector in
                let set = try #require(vector["set"]?.stringValue)
                return Vector(
                    set: set,
                    version: try #require(PackIndex.Version(rawValue: UInt8(vector["version"]?.integerValue ?? 0))),
                    index: vector["index"]?.stringValue.map(base64), error: vector["error"]?.stringValue,
                    entries: try (file["inputs"]?[set]?.arrayValue ?? []).map(entry),
                    readBack: try (vector["readBack"]?.arrayValue ?? []).map(entry))
            }
        } catch {
            Issue.record(error)
            return []
        }
    }()

    static func entry(_ value: JSONValue) throws -> IndexEntry {
        func number(_ key: String) -> UInt32 { UInt32(value[key]?.integerValue ?? 0) }
        return IndexEntry(
            id: try contentID(value["contentID"]?.stringValue ?? ""),
            pack: try blobID(value["packFile"]?.stringValue ?? ""),
            packOffset: number("packOffset"), packedLength: number("length"), originalLength: number("originalLength"),
            timestampSeconds: value["time"]?.integerValue ?? 0, isDeleted: value["deleted"]?.boolValue ?? false,
            formatVersion: UInt8(number("formatVersion")), compression: number("compression"))
    }

    @Test func everyVectorOfTheFileIsUsed() {
        #expect(Self.vectors.count == 13)
    }

    @Test(arguments: vectors)
    func theIndexBuiltFromTheEntriesEqualsKopiasBytes(vector: Vector) throws {
        let builder = PackIndexBuilder(vector.entries)
        if vector.error != nil {
            #expect(throws: IndexError.self) { try builder.encode(vector.version) }
        } else if let index = vector.index {
            #expect(try builder.encode(vector.version) == index)
            #expect(try builder.encodeShards(vector.version) == [index])
        } else {
            #expect(try builder.encodeShards(vector.version) == [])
        }
    }

    @Test(arguments: vectors.filter { $0.index != nil })
    func readingKopiasBytesGivesKopiasEntries(vector: Vector) throws {
        let bytes = try #require(vector.index)
        let index = try PackIndex(decoding: bytes + Array(repeating: 0x55, count: 32))
        #expect(index.count == vector.readBack.count)
        #expect(index.entries == vector.readBack)
        let hashLength = try #require(vector.readBack.first).id.hash.count
        var merged = MergedIndex(hashLength: hashLength)
        merged.add(index)
        for entry in vector.readBack { #expect(merged.entry(entry.id) == entry) }
        var listed: [IndexEntry] = []
        merged.forEach { listed.append($0) }
        #expect(listed == vector.readBack)
        #expect(merged.invalidEntryCount == 0)
    }

    @Test(arguments: vectors.filter { $0.index != nil })
    func everyTruncationIsRefusedOrReadWithoutATrap(vector: Vector) throws {
        let bytes = try #require(vector.index)
        for length in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 300)) {
            guard let index = try? PackIndex(decoding: Array(bytes[..<length])) else { continue }
            #expect(index.entries.count <= index.count)
        }
    }

    @Test(arguments: vectors.filter { $0.index != nil && $0.readBack.count < 20 })
    func flippedBitsNeverTrap(vector: Vector) throws {
        let bytes = try #require(vector.index)
        for position in 0..<min(bytes.count, 400) {
            for bit in [UInt8(1), 16, 128, 255] {
                var damaged = bytes
                damaged[position] ^= bit
                guard let index = try? PackIndex(decoding: damaged) else { continue }
                var merged = MergedIndex(hashLength: 16)
                merged.add(index)
                #expect(merged.entryCount + merged.invalidEntryCount <= index.count)
            }
        }
    }
}
