import GoFormats
import TestSupport
import Testing

@testable import PodRunner

/// `repository maintain`: figures as `kopia maintenance info --json` has them for the same repositories.
@Suite(.enabled(if: Files.exists(GoldenRepository.path("default")), "the golden repositories are not here"))
struct MaintainCommandTests {
    private func maintain(_ path: String, _ arguments: [String] = []) async throws -> World.Outcome {
        var world = try World()
        world.environment["KOPIA_PASSWORD"] = GoldenRepository.password
        return await world.run(["repository", "maintain", "--repository", "file://\(path)"] + arguments)
    }

    @Test func whatKopiaDidLastIsShown() async throws {
        let outcome = try await maintain(GoldenRepository.path("maintained"), ["--json"])
        #expect(outcome.code == 0)
        let report = try JSONParser.parse(outcome.text)
        #expect(report["owner"] == "runner@fixture")
        #expect(
            report["quick"] == [
                "enabled": true, "intervalSeconds": 3600, "next": "2026-11-22T13:21:29.63092987Z", "due": true,
            ])
        #expect(
            report["full"] == [
                "enabled": true, "intervalSeconds": 86_400, "next": "2026-11-23T12:21:29.63092963Z", "due": true,
            ])
        #expect(report["contents"] == 33)
        #expect(report["unindexedPacks"] == 0)
        let runs = report["lastRuns"]?.arrayValue ?? []
        #expect(runs.count == 10)
        #expect(runs.last == ["task": "snapshot-gc", "start": "2026-11-22T12:21:29.641945622Z", "error": nil])
    }

    @Test func whatNeverRanIsDue() async throws {
        let outcome = try await maintain(GoldenRepository.path("default"))
        #expect(outcome.code == 0)
        #expect(
            outcome.lines.prefix(3) == [
                "Owner:             runner@fixture", "Quick:             every 1 h, never ran, due",
                "Full:              every 24 h, never ran, due",
            ])
        #expect(
            outcome.errors == """
                due: run 'kopia maintenance run --full' as runner@fixture, or take over with \
                'kopia maintenance set --owner=me'

                """)
    }

    @Test func aDamagedScheduleIsSaidBecauseItStopsKopiasMaintenance() async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path + "/repository"
        try Files.copyTree(GoldenRepository.path("maintained"), to: path)
        var bytes = try Files.read(path + "/kopia.maintenance.f")
        bytes[40] ^= 1
        try Files.write(bytes, path + "/kopia.maintenance.f")
        let outcome = try await maintain(path)
        #expect(outcome.code == 5)
        #expect(
            outcome.errors == """
                pod-runner: error: blob 'kopia.maintenance' of \(bytes.count) bytes does not decrypt
                hint: delete it with kopia; the schedule starts again, nothing else is lost

                """)
    }
}
