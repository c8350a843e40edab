import GoFormats
import TestSupport
import Testing

@testable import PodRunner

/// A repository damaged on purpose, and what `snapshot verify` has to name.
struct DamagedRepository: Sendable, CustomTestStringConvertible {
    let name: String
    /// Texts that must appear: blobs, contents, snapshots, files.
    let named: [String]
    var testDescription: String { name }

    private static let data = "p4bd37714f81efb5d67e228157acfcde3-s882baefe353f1234147"
    private static let metadata = "qb88ea590b5df901a4364c05cf37cba34-s882baefe353f1234147"
    private static let snapshot = "of snapshot 3e45d9bd2005d78542110cea71289bca (runner@fixture:/data/tree)"

    static let all = [
        DamagedRepository(
            name: "corrupt-index-flipped",
            named: ["xn0_5713460fe36045c6d20a14ee975029f6-s882baefe353f1234147-c1", data, metadata]),
        DamagedRepository(name: "corrupt-index-missing", named: [data, metadata, "an index blob is missing"]),
        DamagedRepository(
            name: "corrupt-metadata-pack-missing", named: [metadata, "content m07220ebdf96707706bf33702fb5bf08c"]),
        DamagedRepository(
            name: "corrupt-pack-flipped",
            named: [
                "'run.sh' \(snapshot)", "content e02223dc94a2ba0c0e9a8f6fab44216d", data, "'table.sql' \(snapshot)",
            ]),
        DamagedRepository(
            name: "corrupt-pack-missing", named: ["pack '\(data)' is missing", "'sub/näme 文 🔑.txt' \(snapshot)"]),
        DamagedRepository(
            name: "corrupt-pack-truncated",
            named: ["pack '\(data)' has 18109 bytes, its contents need 24500", "'table.sql' \(snapshot)"]),
        DamagedRepository(
            name: "ecc-10-beyond",
            named: [
                "'random.bin' of snapshot d29d01058fd61651a17d5dedf521f033", "content 9f5f056129ce3e754321b1bd2657d3bf",
                "pef2577dfbe58894393bb45f6bf46c6b7-s60741d1a84988eb0147",
            ]),
        DamagedRepository(
            name: "corrupt-format-blob", named: ["the format block 'kopia.repository' of 615 bytes is damaged"]),
    ]
}

@Suite(.enabled(if: Files.exists(GoldenRepository.path("default")), "the golden repositories are not here"))
struct VerifyCommandTests {
    private func verify(_ name: String, _ arguments: [String] = []) async throws -> World.Outcome {
        var world = try World()
        world.environment["KOPIA_PASSWORD"] = GoldenRepository.password
        return await world.run(
            ["snapshot", "verify", "--repository", "file://\(GoldenRepository.path(name))"] + arguments)
    }

    @Test(arguments: DamagedRepository.all)
    func whatIsDamagedIsNamed(_ item: DamagedRepository) async throws {
        let outcome = try await verify(item.name)
        #expect(outcome.code == 6)
        for text in item.named { #expect((outcome.text + outcome.errors).contains(text), "\(text)") }
        #expect(outcome.errors.hasPrefix("pod-runner: error: "))
    }

    @Test(arguments: DamagedRepository.all)
    func asJSONEveryProblemIsThere(_ item: DamagedRepository) async throws {
        let outcome = try await verify(item.name, ["--all", "--read-data", "--json"])
        #expect(outcome.code == 6)
        let report = try JSONParser.parse(outcome.text)
        #expect(report["sound"] == false)
        let problems = report["problems"]?.arrayValue ?? []
        #expect(problems.contains { $0["severity"] == "damage" })
        #expect(problems.allSatisfy { $0["message"]?.stringValue?.isEmpty == false })
    }

    /// A wrong password is no damage, and a format block that was altered cannot be told from one.
    @Test(arguments: [("default", "wrong"), ("corrupt-format-tampered", GoldenRepository.password)])
    func whatDoesNotDecryptIsARepositoryThatCannotBeOpened(name: String, password: String) async throws {
        var world = try World()
        world.environment["KOPIA_PASSWORD"] = password
        for command in [["snapshot", "verify"], ["repository", "verify", "--json"]] {
            let outcome = await world.run(command + ["--repository", "file://\(GoldenRepository.path(name))"])
            #expect(outcome.code == 5)
            #expect(outcome.text == "")
            #expect(
                outcome.errors == """
                    pod-runner: error: the password is wrong, or the format block 'kopia.repository' was altered: it does not \
                    decrypt
                    hint: check the password; if it is right, restore 'kopia.repository' from a copy

                    """)
        }
    }

    @Test func aSoundOneIsSaidToBe() async throws {
        let outcome = try await verify("default")
        #expect(outcome.code == 0)
        #expect(outcome.errors == "")
        #expect(outcome.lines.count == 1)
        #expect(outcome.text.hasSuffix(", every byte read: no damage\n"))
    }

    /// Damage elsewhere in the same repository counts as well: the packs are the repository's.
    @Test func oneSnapshotCanBeChosen() async throws {
        let outcome = try await verify("corrupt-pack-flipped", ["3e45d9bd"])
        #expect(outcome.code == 6)
        #expect(outcome.lines.last?.hasPrefix("verified 1 snapshots, ") == true)
        let unknown = try await verify("default", ["0000000000"])
        #expect(unknown.code == 3)
        #expect(unknown.errors.contains("there is no snapshot '0000000000'"))
    }

    @Test func withoutReadingFlippedBitsStayUnseen() async throws {
        let outcome = try await verify("corrupt-pack-flipped", ["--no-read-data"])
        #expect(outcome.code == 0)
        #expect(outcome.text.hasSuffix(", contents not read: no damage\n"))
    }

    @Test func verifyingTheRepositoryIsVerifyingAllSnapshots() async throws {
        var world = try World()
        world.environment["KOPIA_PASSWORD"] = GoldenRepository.password
        let outcome = await world.run([
            "repository", "verify", "--repository", "file://\(GoldenRepository.path("corrupt-pack-truncated"))",
        ])
        let all = try await verify("corrupt-pack-truncated")
        #expect(outcome.code == 6)
        #expect(outcome.text == all.text)
    }
}
