import GoFormats
import KopiaManifest
import KopiaObject
import Testing

@testable import KopiaSnapshot

private func snapshot(_ time: String, incomplete: Bool = false) throws -> Snapshot {
    let start = try #require(Timestamp(rfc3339: time))
    let root = DirectoryEntry(
        name: "x", kind: .directory, mode: .everything, object: try #require(ObjectID("k0102")))
    return Snapshot(
        id: try #require(ManifestID("aa")), source: SnapshotSource(host: "h", userName: "u", path: "/p"),
        startTime: start, endTime: start, incompleteReason: incomplete ? "checkpoint" : nil, root: root)
}

/// The rules of the reference, §6.10; `CompatibilityTests` compare them with kopia's own answers.
struct RetentionTests {
    @Test func onePeriodKeepsTheNewestOfEach() throws {
        let snapshots = try [
            "2026-03-01T10:00:00Z", "2026-03-01T12:00:00Z", "2026-03-02T08:00:00Z", "2026-03-03T08:00:00Z",
        ].map { try snapshot($0) }
        #expect(
            RetentionPolicy(keepDaily: 2).reasons(for: snapshots) == [[], [], ["daily-2"], ["daily-1"]])
    }

    @Test func withoutAnyCountEverythingIsLatest() throws {
        let snapshots = try ["2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z"].map { try snapshot($0) }
        #expect(RetentionPolicy().reasons(for: snapshots) == [["latest-2"], ["latest-1"]])
        #expect(RetentionPolicy(keepDaily: 0).reasons(for: snapshots) == [["latest-2"], ["latest-1"]])
    }

    @Test func theCutoffIsCountedFromTheNewest() throws {
        let snapshots = try ["2026-01-29T00:00:00Z", "2026-03-31T00:00:00Z"].map { try snapshot($0) }
        #expect(RetentionPolicy(keepMonthly: 2).reasons(for: snapshots) == [[], ["monthly-1"]])
        #expect(RetentionPolicy(keepMonthly: 3).reasons(for: snapshots) == [["monthly-2"], ["monthly-1"]])
    }

    @Test func incompleteOnesStayWhileTheyAreFreshOrAmongTheFirstThree() throws {
        let snapshots = try [
            snapshot("2026-03-01T00:00:00Z"), snapshot("2026-03-02T00:00:00Z", incomplete: true),
            snapshot("2026-03-02T00:10:00Z", incomplete: true), snapshot("2026-03-02T00:20:00Z", incomplete: true),
            snapshot("2026-03-02T05:00:00Z", incomplete: true), snapshot("2026-03-02T06:00:00Z", incomplete: true),
        ]
        let incomplete = ["incomplete"]
        #expect(
            RetentionPolicy(keepLatest: 1).reasons(for: snapshots)
                == [["latest-1"], [], [], incomplete, incomplete, incomplete])
    }

    @Test func noSnapshotsNeedNoReasons() {
        #expect(RetentionPolicy(keepLatest: .max, keepAnnual: .max).reasons(for: []) == [])
    }

    @Test(arguments: [
        ("2026-01-01T00:00:00Z", "2026-01"), ("2027-01-01T00:00:00Z", "2026-53"), ("2024-12-30T12:00:00Z", "2025-01"),
        ("1969-12-28T00:00:00Z", "1969-52"), ("2026-11-25T00:00:00Z", "2026-48"),
    ])
    func weeksAreThoseOfISO8601(time: String, week: String) throws {
        #expect(try #require(Timestamp(rfc3339: time)).isoWeek == week)
    }

    @Test func aDayThatTheMonthDoesNotHaveRollsOver() throws {
        let time = try #require(Timestamp(rfc3339: "2026-03-31T01:02:03.5Z"))
        #expect(time.addingMonths(-1).description == "2026-03-03T01:02:03.5Z")
        #expect(time.addingMonths(-12).description == "2025-03-31T01:02:03.5Z")
        #expect(time.addingMonths(9).description == "2026-12-31T01:02:03.5Z")
    }
}
