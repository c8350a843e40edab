import GoFormats
import KopiaManifest
import TestSupport
import Testing

@testable import KopiaSnapshot

private let source = SnapshotSource(host: "host", userName: "user", path: "/pg/app")

private func policy(_ target: PolicyTarget, _ json: String, id: String = "aa") throws -> Policy {
    Policy(
        id: try #require(ManifestID(id)), target: target,
        json: try #require(try JSONParser.parse(json).objectValue))
}

struct EffectivePolicyTests {
    @Test func theMostSpecialPolicyWinsAndIsNamed() throws {
        let policies = [
            try policy(.global, #"{"compression":{"compressorName":"none"},"splitter":{"algorithm":"FIXED-1M"}}"#),
            try policy(.host("host"), #"{"compression":{"compressorName":"gzip"}}"#),
            try policy(
                .path(SnapshotSource(host: "host", userName: "user", path: "/pg")),
                #"{"compression":{"compressorName":"zstd"}}"#),
            try policy(.user("other", host: "host"), #"{"compression":{"compressorName":"pgzip"}}"#),
            try policy(.path(source), #"{"compression":{"compressorName":""},"scheduling":{"manual":true}}"#),
        ]
        let effective = EffectivePolicy(of: source, policies: policies)
        #expect(effective.compressor.value == "zstd")
        #expect(effective.compressor.origin?.description == "user@host:/pg")
        #expect(effective.splitter == PolicySetting(value: "FIXED-1M", origin: .global))
        #expect(effective.metadataCompressor == PolicySetting(value: "zstd-fastest", origin: nil))
        #expect(effective.isManual == PolicySetting(value: true, origin: .path(source)))
        #expect(effective.retention.keepLatest == 10)
    }

    @Test func noParentEndsTheChainAndTheDefaults() throws {
        let policies = [
            try policy(.global, #"{"compression":{"compressorName":"gzip"},"retention":{"keepDaily":9}}"#),
            try policy(.user("user", host: "host"), #"{"retention":{"keepWeekly":2},"noParent":true}"#),
        ]
        let effective = EffectivePolicy(of: source, policies: policies)
        #expect(effective.compressor.value == "none")
        #expect(effective.retention == RetentionPolicy(keepWeekly: 2))
    }

    @Test func suffixListsAreJoinedUntilOneSaysNot() throws {
        let policies = [
            try policy(.global, #"{"compression":{"neverCompress":[".zip",".gz"],"onlyCompress":[".sql"]}}"#),
            try policy(
                .host("host"), #"{"compression":{"neverCompress":[".mp4"],"noParentOnlyCompress":true}}"#),
            try policy(.path(source), #"{"compression":{"neverCompress":[".gz"],"onlyCompress":[".txt"]}}"#),
        ]
        let effective = EffectivePolicy(of: source, policies: policies)
        #expect(effective.neverCompress == [".gz", ".mp4", ".zip"])
        #expect(effective.onlyCompress == [".txt"])
    }

    static let decisions: [(String, Int64?, String)] = [
        ("backup.sql", nil, "zstd"), ("backup.sql", 99, "none"), ("backup.sql", 100, "zstd"),
        ("backup.sql", 1_001, "none"), ("a.tar.gz", 500, "none"), ("archive.txt.zip", 500, "zstd"),
        ("noext", 500, "zstd"),
    ]

    @Test(arguments: decisions)
    func decidesByNameAndSizeButNeverSizesAStream(name: String, size: Int64?, expected: String) throws {
        let policies = [
            try policy(
                .global,
                #"{"compression":{"compressorName":"zstd","minSize":100,"maxSize":1000,"#
                    + #""neverCompress":[".gz",".zip"],"onlyCompress":[".zip"]}}"#)
        ]
        let effective = EffectivePolicy(of: source, policies: policies)
        #expect(effective.compressor(forFileNamed: name, size: size) == expected)
    }

    struct Choice: Sendable, CustomTestStringConvertible {
        let id: String
        let global: String
        var own: String?
        let isChoice: Bool
        let expected: String
        var testDescription: String { id }
    }

    @Test(arguments: [
        Choice(id: "nobody", global: "{}", isChoice: false, expected: "zstd-fastest"),
        Choice(
            id: "kopia's own none", global: #"{"compression":{"compressorName":"none"}}"#, isChoice: false,
            expected: "zstd-fastest"),
        Choice(
            id: "a global one", global: #"{"compression":{"compressorName":"gzip"}}"#, isChoice: true, expected: "gzip"),
        Choice(
            id: "none of the source", global: #"{"compression":{"compressorName":"gzip"}}"#,
            own: #"{"compression":{"compressorName":"none"}}"#, isChoice: true, expected: "none"),
        Choice(
            id: "never this suffix", global: #"{"compression":{"compressorName":"none","neverCompress":[".sql"]}}"#,
            isChoice: false, expected: "none"),
    ])
    func aStandardIsForThoseWhoChoseNothing(_ item: Choice) throws {
        var policies = [try policy(.global, item.global)]
        if let own = item.own { policies.append(try policy(.path(source), own)) }
        let effective = EffectivePolicy(of: source, policies: policies)
        #expect(effective.choosesCompressor == item.isChoice)
        let compressor = effective.compressor(forFileNamed: "backup.sql", size: nil, unlessChosen: "zstd-fastest")
        #expect(compressor == item.expected)
    }

    @Test func theLayersOfASourceGoUpItsPath() {
        #expect(
            PolicyTarget.layers(of: source).map(\.description) == [
                "user@host:/pg/app", "user@host:/pg", "user@host:/", "user@host", "@host", "(global)",
            ])
        let relative = SnapshotSource(host: "h", userName: "u", path: "rel/dir")
        #expect(
            PolicyTarget.layers(of: relative).map(\.description) == [
                "u@h:rel/dir", "u@h:rel", "u@h", "@h", "(global)",
            ])
    }
}

struct PolicyStoreTests {
    @Test func markingManualKeepsWhatThePolicySaysAndIsDoneOnce() async throws {
        let contents = MemoryContentStore()
        let manifests = ContentManifestStore(contents: contents)
        let store = PolicyStore(manifests: manifests)
        let json = try #require(
            try JSONParser.parse(#"{"compression":{"compressorName":"zstd"},"scheduling":{},"future":{"x":1}}"#)
                .objectValue)
        try await store.set(json, for: .path(source))
        try await manifests.flush()
        #expect(try await store.markManual(source))
        try await manifests.flush()
        #expect(try await !store.markManual(source))
        let policies = try await store.list()
        #expect(
            policies.map { GoJSON.text(.object($0.json)) } == [
                #"{"compression":{"compressorName":"zstd"},"scheduling":{"manual":true},"future":{"x":1}}"#
            ])
    }

    @Test func aNewPolicyHasAllOfKopiasSections() async throws {
        let manifests = ContentManifestStore(contents: MemoryContentStore())
        let store = PolicyStore(manifests: manifests)
        #expect(try await store.markManual(source))
        let entry = try #require(try await manifests.find(labels: ["type": "policy"]).first)
        #expect(
            entry.labels == [
                "type": "policy", "policyType": "path", "hostname": "host", "username": "user", "path": "/pg/app",
            ])
        // As in the golden repository `default`, manifest d3185b94….
        #expect(
            GoJSON.text(entry.payload)
                == #"{"retention":{},"files":{},"errorHandling":{},"scheduling":{"manual":true},"compression":{},"#
                + #""metadataCompression":{},"splitter":{},"actions":{},"osSnapshots":{"volumeShadowCopy":{}},"#
                + #""logging":{"directories":{},"entries":{}},"upload":{}}"#)
    }
}
