import KopiaRepository
import TestSupport
import Testing

struct GoldenSoundnessTests {
    @Test(arguments: GoldenRepository.sound)
    func verifyingFindsNothing(_ golden: GoldenRepository) async throws {
        let report = try await verify(golden)
        #expect(report.problems == [])
        #expect(report.snapshotCount == golden.snapshots.count)
        let files = golden.snapshots.flatMap { $0.entries.filter { $0.kind != "d" }.map(\.object) }
        #expect(report.fileCount == Set(files).count)
    }
}

private func verify(
    _ golden: GoldenRepository, reading: Bool = true
) async throws -> VerificationReport {
    var options = VerifyOptions()
    options.readsFiles = reading
    return try await Repository.verify(
        at: golden.location, password: golden.password, identity: GoldenRepository.identity, options: options)
}

/// A repository damaged on purpose, and what has to be said about it. kopia's own words are in `MANIFEST.json` of the
/// fixtures it was made with; for a missing index kopia says nothing at all.
struct DamageCase: Sendable, CustomTestStringConvertible {
    let name: String
    /// `severity path content blob`, `-` where there is none.
    let problems: [String]
    let message: String

    var testDescription: String { name }

    private static let data = "p4bd37714f81efb5d67e228157acfcde3-s882baefe353f1234147"
    private static let metadata = "qb88ea590b5df901a4364c05cf37cba34-s882baefe353f1234147"
    private static let index = "xn0_5713460fe36045c6d20a14ee975029f6-s882baefe353f1234147-c1"
    private static let contents = [
        "sub/deep/er/file.txt": "47523b43417ec04a0c571fbd7e1fa839", "sub/dangling": "8084863be1db0361b3b6e4bc1eef9182",
        "sub/nested.bin": "f411819489d4cf651bfcfe4d3b86a252", "sub/näme 文 🔑.txt": "a7ccff20d663ad6aef6a562285d5d326",
        "empty.txt": "c67a51a6a953eabb6111373476275831", "hello.txt": "10d49eb56fc8d801a1207dc6ced2a19d",
        "link": "8fab392c5fbbd73c887e491c6580a1e9", "one.bin": "dc4a8911c845ec0cb5dfdd5eaee06617",
        "random-4096.bin": "aa0272fb6aa76b12a7f712f57eedbb79", "run.sh": "e02223dc94a2ba0c0e9a8f6fab44216d",
        "table.sql": "6438336089faef002b054b90245d8248",
    ]

    private static func file(_ path: String) -> String { "damage \(path) \(contents[path] ?? "?") \(data)" }

    static let all: [DamageCase] = [
        DamageCase(
            name: "corrupt-index-flipped",
            problems: ["damage - - \(index)", "damage - - \(data)", "damage - - \(metadata)"],
            message: "no index names the 11 contents of pack '\(data)': an index blob is missing"),
        DamageCase(
            name: "corrupt-index-missing", problems: ["damage - - \(data)", "damage - - \(metadata)"],
            message: "no index names the 6 contents of pack '\(metadata)': an index blob is missing, and with it "
                + "manifests, so that snapshots may be hidden"),
        DamageCase(
            name: "corrupt-metadata-pack-missing",
            problems: [
                "damage - - \(metadata)", "damage - m07220ebdf96707706bf33702fb5bf08c \(metadata)",
            ],
            message: "manifests are lost, and with them snapshots may be: content m07220ebdf96707706bf33702fb5bf08c, "
                + "642 bytes at offset 1664 of pack '\(metadata)', cannot be read: the pack is missing in @"),
        DamageCase(
            name: "corrupt-pack-flipped",
            problems: [
                file("sub/deep/er/file.txt"), file("sub/nested.bin"), file("random-4096.bin"), file("run.sh"),
                file("table.sql"),
            ],
            message: "'run.sh' of snapshot 3e45d9bd2005d78542110cea71289bca (runner@fixture:/data/tree): "
                + "content e02223dc94a2ba0c0e9a8f6fab44216d, 46 bytes at offset 32 of pack '\(data)', cannot be read: "
                + "46 encrypted bytes did not authenticate: they were altered, cut short, or belong elsewhere"),
        DamageCase(
            name: "corrupt-pack-missing",
            problems: ["damage - - \(data)"]
                + [
                    "sub/deep/er/file.txt", "sub/dangling", "sub/nested.bin", "sub/näme 文 🔑.txt", "empty.txt",
                    "hello.txt", "link", "one.bin", "random-4096.bin", "run.sh", "table.sql",
                ].map(file),
            message: "pack '\(data)' is missing in @"),
        DamageCase(
            name: "corrupt-pack-truncated", problems: ["damage - - \(data)", file("table.sql")],
            message: "pack '\(data)' has 18109 bytes, its contents need 24500"),
        DamageCase(
            name: "ecc-10-beyond",
            problems: [
                "damage random.bin 9f5f056129ce3e754321b1bd2657d3bf pef2577dfbe58894393bb45f6bf46c6b7-s60741d1a84988eb0147"
            ],
            message: "'random.bin' of snapshot d29d01058fd61651a17d5dedf521f033 (runner@fixture:/data/random): "
                + "content 9f5f056129ce3e754321b1bd2657d3bf, 164580 bytes at offset 32 of pack "
                + "'pef2577dfbe58894393bb45f6bf46c6b7-s60741d1a84988eb0147', cannot be read: 164580 stored bytes are damaged "
                + "beyond what error correction can repair: block 1 of 19 lost 125 of 128 data shards"),
    ]
}

struct GoldenDamageTests {
    @Test(arguments: DamageCase.all)
    func verifyingNamesBlobContentSnapshotAndFile(_ item: DamageCase) async throws {
        let golden = try GoldenRepository.named(item.name)
        let report = try await verify(golden)
        let problems = report.problems.map { problem in
            "\(problem.severity.rawValue) \(problem.place?.path ?? "-") \(problem.content ?? "-") \(problem.blob ?? "-")"
        }
        #expect(problems == item.problems)
        let messages = report.problems.map { "\($0)".replacing("\(golden.location)", with: "@") }
        #expect(messages.contains(item.message), "\(messages)")
        #expect(!report.isSound)
    }

    /// What is not damaged comes out, what is damaged does not, and nothing is made up.
    @Test(arguments: ["corrupt-pack-flipped", "corrupt-pack-missing", "corrupt-pack-truncated", "ecc-10-beyond"])
    func readingGivesTheRightBytesOrAnError(name: String) async throws {
        let golden = try GoldenRepository.named(name)
        let bad = Set(try await verify(golden).problems.compactMap { $0.place?.path })
        try await golden.open { repository in
            for expected in golden.snapshots {
                let snapshot = try await repository.snapshot(named: expected.id)
                for entry in try await repository.entries(of: snapshot.root, recursive: true) {
                    let wanted = expected.entries.first { $0.path == entry.path }
                    guard let sha256 = wanted?.sha256 else { continue }
                    do {
                        let bytes = try await repository.openFile(entry.entry).readAll(limit: 1 << 20)
                        #expect(!bad.contains(entry.path))
                        #expect(SHA256.hex(bytes) == sha256)
                    } catch let error as RepositoryError {
                        #expect(error.code == .damaged)
                        #expect(bad.contains(entry.path), "\(entry.path)")
                    }
                }
            }
        }
    }

    @Test(arguments: ["corrupt-pack-missing", "corrupt-pack-truncated"])
    func withoutReadingTheSameFilesAreNamed(name: String) async throws {
        let golden = try GoldenRepository.named(name)
        let read = try await verify(golden).problems.compactMap { $0.place?.path }
        let looked = try await verify(golden, reading: false).problems.compactMap { $0.place?.path }
        #expect(looked == read)
    }
}

struct GoldenRefusalTests {
    static let cases: [(String, String?, RepositoryError.Code, String)] = [
        (
            "corrupt-format-blob", nil, .damaged,
            "the format block 'kopia.repository' of 615 bytes is damaged or cut short: "
                + "unexpected end of the text inside a string at byte 615"
        ),
        (
            "corrupt-format-tampered", nil, .wrongPassword,
            "the password is wrong, or the format block 'kopia.repository' was altered: it does not decrypt"
        ),
        (
            "default", "wrong", .wrongPassword,
            "the password is wrong, or the format block 'kopia.repository' was altered: it does not decrypt"
        ),
        (
            "password-changed", "before-the-change", .wrongPassword,
            "the password is wrong, or the format block 'kopia.repository' was altered: it does not decrypt"
        ),
        (
            "required-feature", nil, .unsupportedFormat,
            "the repository needs the feature 'feature-from-the-future', which this program does not have"
        ),
        (
            "upgrade-lock", nil, .upgradeInProgress,
            "'owner' is upgrading the repository since 2026-11-22T12:26:26.793805307Z: "
                + "Upgrading from format version 1 -> 3"
        ),
        (
            "no-such-folder", "x", .notInitialized,
            "there is no repository at '@no-such-folder': the folder does not exist"
        ),
        (
            "default/p", "x", .notInitialized,
            "'@default/p' is not a kopia repository: it has neither '.shards' nor 'kopia.repository.f'"
        ),
        ("default/.shards", "x", .notInitialized, "'@default/.shards' is not a folder"),
    ]

    @Test(arguments: cases)
    func opensNothingThatIsNotRight(
        name: String, password: String?, code: RepositoryError.Code, message: String
    ) async throws {
        let password = try password.map(RepositoryPassword.init) ?? GoldenRepository.named(name).password
        let error = await #expect(throws: RepositoryError.self) {
            try await Repository.with(
                at: .filesystem(path: GoldenRepository.folder + name), password: password,
                identity: GoldenRepository.identity
            ) { _ in Issue.record("opened") }
        }
        #expect(error?.code == code)
        #expect(error?.message.replacing(GoldenRepository.folder, with: "@") == message)
        #expect(error?.hint != nil)
    }
}
