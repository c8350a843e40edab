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

    /// What a killed writer leaves is as large as a pack, and kopia does not remove it either.
    @Test func filesThatWereNeverFinishedAreNamed() async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path + "/repository"
        try Files.copyTree(GoldenRepository.path("maintained"), to: path)
        try Files.makeFolder(path + "/p12")
        let young = "/p12/3456.f.tmp.0123456789abcdef"
        let old = "/kopia.repository.f.tmp.00000000000000ff"
        try Files.write([UInt8](repeating: 1, count: 2000), path + young)
        try Files.write([1, 2, 3], path + old)
        // Nobody else's: no hex digits, too few of them, no name of a blob.
        for name in ["/p12/3456.f.tmp.0123456789abcdeg", "/p12/3456.f.tmp.0123", "/p12/notes.tmp.0123456789abcdef"] {
            try Files.write([0], path + name)
        }
        let touched = try Program.run("touch", ["-d", "3 days ago", path + old])
        try #require(touched.exitCode == 0)

        let outcome = try await maintain(path)
        #expect(outcome.code == 0)
        #expect(outcome.text.contains("Unfinished files: 2 (2 KB)\n"), "\(outcome.text)")
        #expect(outcome.lines.contains { $0.hasPrefix("  \(path)\(old) 3 B, written 3d") })
        #expect(outcome.lines.contains { $0.hasPrefix("  \(path)\(young) 2 KB, written ") })
        #expect(outcome.errors.contains("1 unfinished file older than a day, left by killed writers: "))
        let report = try JSONParser.parse(try await maintain(path, ["--json"]).text)
        #expect(report["unfinishedFiles"]?.arrayValue?.map { $0["bytes"] } == [3, 2000])
        #expect(report["unfinishedFiles"]?.arrayValue?.first?["path"]?.stringValue == path + old)
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
