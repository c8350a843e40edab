import GoFormats
import KopiaContent
import KopiaFormat
import KopiaManifest
import Synchronization
import TestSupport
import Testing

private func id(_ text: String) throws -> ManifestID { try #require(ManifestID(text)) }

/// A store with a clock that ticks a second per call and IDs that count.
private func manifests(
    _ contents: any ContentStore, from second: Int64 = 1_700_000_000
) -> ContentManifestStore {
    let ticks = Mutex(second)
    let count = Mutex(0)
    return ContentManifestStore(
        contents: contents,
        clock: {
            ticks.withLock { seconds in
                seconds += 1
                return Timestamp(seconds: seconds)
            }
        },
        makeID: {
            count.withLock { count in
                count += 1
                return ManifestID(String(repeating: "0", count: 31) + "\(count)")
            }
        })
}

private func container(_ json: String) throws -> [UInt8] { try Gzip.compress(Array(json.utf8)) }

private func texts(_ store: MemoryContentStore) throws -> [String] {
    try store.plaintexts.filter { $0.key.prefix == UInt8(ascii: "m") }.values.map {
        String(decoding: try Gzip.decompress($0, lengthMax: 1 << 20), as: UTF8.self)
    }
}

struct ManifestStoreTests {
    @Test func everythingPutBeforeAFlushIsOneContainer() async throws {
        let contents = MemoryContentStore()
        let store = manifests(contents)
        let first = try await store.put(labels: ["type": "snapshot", "path": "/a<b"], payload: ["x": 1])
        _ = try await store.put(labels: ["type": "policy"], payload: [:])
        #expect(try texts(contents) == [])
        try await store.flush()
        #expect(
            try texts(contents) == [
                #"{"entries":[{"id":"00000000000000000000000000000001","labels":{"path":"/a\u003cb","type":"snapshot"},"#
                    + #""modified":"2023-11-14T22:13:21Z","data":{"x":1}},"#
                    + #"{"id":"00000000000000000000000000000002","labels":{"type":"policy"},"#
                    + #""modified":"2023-11-14T22:13:22Z","data":{}}]}"# + "\n"
            ])
        let entry = try #require(try await manifests(contents).get(first))
        #expect(entry.payload == ["x": 1])
        #expect(entry.labels == ["type": "snapshot", "path": "/a<b"])
        let content = try #require(contents.plaintexts.keys.first)
        #expect(contents.compression(of: content) == 0x1101)
    }

    @Test func deletingWritesATombstoneAndTheManifestIsGoneForAll() async throws {
        let contents = MemoryContentStore()
        let store = manifests(contents)
        let first = try await store.put(labels: ["type": "snapshot"], payload: [:])
        try await store.flush()
        try await store.delete(first)
        #expect(try await store.get(first) == nil)
        try await store.flush()
        #expect(
            try texts(contents).contains(
                #"{"entries":[{"id":"00000000000000000000000000000001","labels":null,"#
                    + #""modified":"2023-11-14T22:13:22Z","deleted":true,"data":null}]}"# + "\n"))
        #expect(try await manifests(contents).find(labels: ["type": "snapshot"]) == [])
    }

    @Test func deletingWhatIsNotThereWritesNothing() async throws {
        let contents = MemoryContentStore()
        let store = manifests(contents)
        try await store.delete(try id("abcd"))
        let pending = try await store.put(labels: ["type": "x"], payload: [:])
        try await store.delete(pending)
        try await store.flush()
        #expect(contents.plaintexts.isEmpty)
    }

    /// The clock of the one who deletes may be behind that of the one who wrote.
    @Test func aTombstoneIsLaterThanWhatItDeletes() async throws {
        let contents = MemoryContentStore()
        let ahead = manifests(contents, from: 1_800_000_000)
        let written = try await ahead.put(labels: ["type": "x"], payload: [:])
        try await ahead.flush()
        let behind = manifests(contents, from: 1_700_000_000)
        try await behind.delete(written)
        try await behind.flush()
        #expect(try await manifests(contents).get(written) == nil)
    }

    @Test func theNewestStateWinsWhateverTheOrderOfTheContainers() async throws {
        let contents = MemoryContentStore()
        func entry(_ second: Int, _ rest: String) -> String {
            #"{"entries":[{"id":"aa","modified":"2024-01-01T00:00:0\#(second)Z",\#(rest)}]}"#
        }
        for (name, text) in [
            ("m02", entry(3, #""labels":{"type":"x"},"data":3"#)), ("m01", entry(2, #""deleted":true"#)),
            ("m03", entry(1, #""labels":{"type":"x"},"data":1"#)),
        ] {
            contents.insert(try container(text), as: try #require(ContentID(name + "aa")))
        }
        #expect(try await manifests(contents).find(labels: [:]).map(\.payload) == [3])
    }

    @Test func findsByLabelsOldestFirst() async throws {
        let contents = MemoryContentStore()
        let store = manifests(contents)
        for path in ["/b", "/a", "/b"] {
            _ = try await store.put(labels: ["type": "snapshot", "path": path], payload: .string(path))
        }
        _ = try await store.put(labels: ["type": "policy", "path": "/b"], payload: [:])
        try await store.flush()
        let found = try await store.find(labels: ["type": "snapshot", "path": "/b"])
        #expect(found.map(\.id.description.last) == ["1", "3"])
        #expect(try await store.find(labels: ["type": "snapshot"]).count == 3)
    }

    @Test func aManifestNeedsAType() async throws {
        let error = await #expect(throws: ManifestError.self) {
            _ = try await manifests(MemoryContentStore()).put(labels: ["path": "/"], payload: [:])
        }
        #expect(error?.message == "a manifest needs the label 'type'")
    }

    static let malformed: [(String, String)] = [
        ("", "unexpected end of the text, expected a value at byte 0"), ("[]", "it has no array 'entries'"),
        (#"{"entries":null}"#, "it has no array 'entries'"), (#"{"entries":[7]}"#, "entry 0 has no ID"),
        (#"{"entries":[{"id":"a b"}]}"#, "entry 0 has no ID"),
        (#"{"entries":[{"id":"aa","modified":"yesterday"}]}"#, "entry aa has no time 'modified'"),
        (
            #"{"entries":[{"id":"aa","modified":"2024-01-01T00:00:00Z","labels":{"type":7}}]}"#,
            "label 'type' of entry aa is no string"
        ),
    ]

    @Test(arguments: malformed)
    func saysWhatIsWrongWithAContainer(text: String, problem: String) async throws {
        let contents = MemoryContentStore()
        contents.insert(try container(text), as: try #require(ContentID("m0102")))
        let store = manifests(contents)
        let error = await #expect(throws: ManifestError.self) { _ = try await store.find(labels: [:]) }
        #expect(error?.message == "manifest content m0102 is malformed: \(problem)")
        let (entries, problems) = try await store.findReadable(labels: [:])
        #expect(entries == [])
        #expect(problems.count == 1)
    }

    @Test func bytesThatAreNoGzipAreMalformed() async throws {
        let contents = MemoryContentStore()
        contents.insert(Array(#"{"entries":[]}"#.utf8), as: try #require(ContentID("m0102")))
        let error = await #expect(throws: ManifestError.self) { _ = try await manifests(contents).find(labels: [:]) }
        #expect(error?.code == .malformed)
    }
}

/// Lets a test act when the manifest store asks to refresh, as another client would.
private final class RefreshingStore: ContentStore {
    let base: MemoryContentStore
    private let stale: Mutex<[ContentInfo]?>
    private let onFlush: @Sendable () throws -> Void

    init(_ base: MemoryContentStore, stale: [ContentInfo]? = nil, onFlush: @escaping @Sendable () throws -> Void = {}) {
        self.base = base
        self.stale = Mutex(stale)
        self.onFlush = onFlush
    }

    var defaultSplitter: String { base.defaultSplitter }
    var supportsContentCompression: Bool { base.supportsContentCompression }
    var statistics: ContentStatistics { get async { await base.statistics } }
    func write(_ plaintext: [UInt8], prefix: UInt8, compression: UInt32) async throws -> ContentID {
        try await base.write(plaintext, prefix: prefix, compression: compression)
    }
    func read(_ id: ContentID) async throws -> [UInt8] { try await base.read(id) }
    func info(_ id: ContentID) async throws -> ContentInfo? { try await base.info(id) }
    func list(prefix: UInt8) async throws -> [ContentInfo] {
        if let stale = stale.withLock({ $0 }) { return stale }
        return try await base.list(prefix: prefix)
    }
    func flush() async throws {
        try onFlush()
        try await base.flush()
    }
    func refresh() async throws { stale.withLock { $0 = nil } }
}

struct ManifestConcurrencyTests {
    /// Another client compacts between our listing and our reading.
    @Test func startsAnewWhenAContainerVanishes() async throws {
        let contents = MemoryContentStore()
        let writer = manifests(contents)
        let kept = try await writer.put(labels: ["type": "x"], payload: 1)
        try await writer.flush()
        let stale = try await contents.list(prefix: UInt8(ascii: "m"))
        let text = try #require(try texts(contents).first).replacing("\"data\":1", with: "\"data\":1 ")
        for info in stale { contents.remove(info.id) }
        contents.insert(try container(text), as: try #require(ContentID("m0909")))
        let store = manifests(RefreshingStore(contents, stale: stale))
        #expect(try await store.get(kept)?.payload == 1)
    }

    /// A compaction may drop a manifest together with its tombstone.
    @Test func aManifestThatACompactionDroppedIsNotRemembered() async throws {
        let contents = MemoryContentStore()
        let store = manifests(contents)
        let gone = try await store.put(labels: ["type": "x"], payload: 1)
        try await store.flush()
        #expect(try await store.get(gone) != nil)
        for info in try await contents.list(prefix: UInt8(ascii: "m")) { contents.remove(info.id) }
        contents.insert(try container(#"{"entries":[]}"#), as: try #require(ContentID("m0909")))
        #expect(try await store.get(gone) == nil)
    }

    @Test func whatAFailedFlushDidNotPublishIsWrittenByTheNext() async throws {
        struct Full: Error {}
        let contents = MemoryContentStore()
        let isFull = Mutex(true)
        let store = manifests(RefreshingStore(contents, onFlush: { if isFull.withLock({ $0 }) { throw Full() } }))
        let written = try await store.put(labels: ["type": "x"], payload: 1)
        await #expect(throws: Full.self) { try await store.flush() }
        #expect(try await manifests(contents).get(written) == nil)
        isFull.withLock { $0 = false }
        try await store.flush()
        #expect(try await manifests(contents).get(written)?.payload == 1)
    }

    /// What a failed flush wrote may be published by a later one; whoever gave it up must not see it come back.
    @Test func whatIsGivenUpAfterAFailedFlushStaysAway() async throws {
        struct Full: Error {}
        let contents = MemoryContentStore()
        let isFull = Mutex(true)
        let store = manifests(RefreshingStore(contents, onFlush: { if isFull.withLock({ $0 }) { throw Full() } }))
        let written = try await store.put(labels: ["type": "x"], payload: 1)
        await #expect(throws: Full.self) { try await store.flush() }
        try await store.delete(written)
        isFull.withLock { $0 = false }
        try await store.flush()
        #expect(try await manifests(contents).get(written) == nil)
        #expect(try texts(contents).count == 2)
    }
}
