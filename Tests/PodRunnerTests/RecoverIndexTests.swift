import GoFormats
import TestSupport
import Testing

@testable import PodRunner

/// `repository recover-index`.
@Suite(.enabled(if: Files.exists(GoldenRepository.path("default")), "the golden repositories are not here"))
struct RecoverIndexTests {
    private static let data = "p4bd37714f81efb5d67e228157acfcde3-s882baefe353f1234147"
    private static let metadata = "qb88ea590b5df901a4364c05cf37cba34-s882baefe353f1234147"
    private static let flipped = "xn0_5713460fe36045c6d20a14ee975029f6-s882baefe353f1234147-c1"

    /// A world whose repository is a copy of a golden one.
    private func world(_ name: String) throws -> World {
        var world = try World()
        world.environment["KOPIA_PASSWORD"] = GoldenRepository.password
        try Files.copyTree(GoldenRepository.path(name), to: world.repositoryPath)
        return world
    }

    @Test func withoutCommitItOnlyLists() async throws {
        let world = try world("corrupt-index-missing")
        let before = world.repositoryFiles()
        let shown = await world.run(["repository", "recover-index"] + world.repository)
        #expect(shown.code == 0)
        #expect(shown.lines.dropLast().allSatisfy { $0.hasPrefix("would recover ") })
        for pack in [Self.data, Self.metadata] { #expect(shown.text.contains("contents of pack \(pack)")) }
        #expect(shown.errors == "nothing was written; give --commit to do it\n")
        #expect(world.repositoryFiles() == before)
    }

    /// The lost index blob hid a snapshot; afterwards it is there, whole, and nothing is left to do.
    @Test func aLostIndexIsWrittenAgain() async throws {
        let world = try world("corrupt-index-missing")
        let before = await world.run(["snapshot", "list"] + world.repository)
        #expect(await world.run(["repository", "verify"] + world.repository).code == 6)
        let recovered = await world.run(["repository", "recover-index", "--commit", "--json"] + world.repository)
        #expect(recovered.code == 0)
        let report = try JSONParser.parse(recovered.text)
        #expect(report["committed"] == true)
        #expect(report["recovered"]?.arrayValue?.compactMap { $0["pack"]?.stringValue } == [Self.data, Self.metadata])
        let verified = await world.run(["repository", "verify"] + world.repository)
        #expect(verified.code == 0, "\(verified.text)")
        let after = await world.run(["snapshot", "list"] + world.repository)
        #expect(after.lines.count > before.lines.count)
        let again = await world.run(["repository", "recover-index", "--commit", "--json"] + world.repository)
        #expect(try JSONParser.parse(again.text)["recovered"] == [])
    }

    /// A damaged index blob keeps the repository closed until it is gone.
    @Test func aDamagedIndexIsReplacedAndDeletedOnlyWhenAskedTo() async throws {
        let world = try world("corrupt-index-flipped")
        let shown = await world.run(["repository", "recover-index"] + world.repository)
        #expect(shown.code == 0)
        #expect(shown.lines.first == "damaged index blob \(Self.flipped)")
        let kept = await world.run(["repository", "recover-index", "--commit"] + world.repository)
        #expect(kept.code == 0)
        #expect(kept.errors.contains("the repository does not open while a damaged index blob is there"))
        #expect(await world.run(["snapshot", "list"] + world.repository).code == 5)
        let deleted = await world.run(
            ["repository", "recover-index", "--commit", "--delete-damaged"] + world.repository)
        #expect(deleted.code == 0)
        #expect(deleted.lines.first == "damaged index blob \(Self.flipped): deleted")
        let verified = await world.run(["repository", "verify"] + world.repository)
        #expect(verified.code == 0, "\(verified.text)")
    }

    @Test func whatCannotBeRecoveredIsNamed() async throws {
        let world = try world("corrupt-pack-truncated")
        let outcome = await world.run(["repository", "recover-index"] + world.repository)
        #expect(outcome.code == 6)
        #expect(outcome.lines.first?.hasPrefix("unreadable: the local index of pack '\(Self.data)'") == true)
    }

    /// What maintenance has dropped is not brought back, and a repository without damage needs nothing.
    @Test(arguments: ["default", "maintained", "epochs", "format-v1", "hash-hmac-sha3-256", "ecc-10"])
    func aSoundRepositoryHasNothingToRecover(name: String) async throws {
        let world = try world(name)
        let outcome = await world.run(["repository", "recover-index", "--json"] + world.repository)
        #expect(outcome.code == 0)
        #expect(try JSONParser.parse(outcome.text)["recovered"] == [])
    }

    @Test func deletingNeedsACommit() async throws {
        let world = try World()
        let outcome = await world.run(["repository", "recover-index", "--delete-damaged"] + world.repository)
        #expect(outcome.code == 2)
    }
}
