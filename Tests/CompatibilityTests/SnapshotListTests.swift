import GoFormats
import KopiaRepository
import KopiaSnapshot
import TestSupport
import Testing

struct SnapshotListTests {
    /// `kopia snapshot list --all --json` of `default`, member by member and in its order.
    @Test func equalsWhatKopiaLists() async throws {
        let expected = try #require(try Fixture.json("kopia/cli-output/snapshot-list.json").arrayValue)
        let ours = try await GoldenRepository.named("default").open { repository in
            let snapshots = try await repository.snapshots()
            return snapshots.map { snapshot in
                let reasons = RetentionPolicy(
                    keepLatest: 5, keepHourly: 48, keepDaily: 3, keepWeekly: 4, keepMonthly: 24, keepAnnual: 3
                ).reasons(for: snapshots.filter { $0.source == snapshot.source })
                let position = snapshots.filter { $0.source == snapshot.source }.firstIndex(of: snapshot) ?? 0
                var json = snapshot.json(idText: snapshot.id.description).objectValue ?? JSONObject()
                json["retentionReason"] = .array(reasons[position].map(JSONValue.string))
                return JSONValue.object(json)
            }
        }
        #expect(ours.map { GoJSON.text($0) } == expected.map { GoJSON.text($0) })
    }

    @Test func findsASnapshotByIDPrefixAndRoot() async throws {
        try await GoldenRepository.named("default").open { repository in
            let id = "210cb5b929cd5db0e038b76d00f083e1"
            for name in [id, "210c", "k44b80ccf0d7321c3fc3765d1fed348e6"] {
                let found = try await repository.snapshot(named: name)
                #expect(found.id.description == id)
            }
        }
    }

    @Test func saysWhatThereIsWhenANameFitsNothing() async throws {
        try await GoldenRepository.named("default").open { repository in
            for name in ["ffff", "210", "9028c5a8124be679344195073bdfddf4", "k0000", ""] {
                let error = await #expect(throws: RepositoryError.self) { try await repository.snapshot(named: name) }
                #expect(error?.code == .snapshotNotFound)
                #expect(error?.message == "there is no snapshot '\(name)' in \(repository.status.location)")
            }
            let snapshot = try await repository.snapshot(named: "1b10")
            let error = await #expect(throws: RepositoryError.self) {
                try await repository.entry(at: "sub/nowhere", in: snapshot)
            }
            #expect(error?.message == "there is no 'nowhere' in 'sub' of snapshot 1b10c044e7c030f16f8633e82bf8fc52")
            #expect(
                error?.hint
                    == "it has 'deep', 'empty-dir', 'dangling', 'nested.bin', 'näme 文 🔑.txt'")
        }
    }

    @Test func statusTellsWhatTheRepositoryIsMadeOf() async throws {
        let golden = try GoldenRepository.named("ecc-2")
        let status = try await golden.open { $0.status }
        #expect(status.formatVersion == 3)
        #expect(status.hash == "BLAKE2B-256-128")
        #expect(status.encryption == "AES256-GCM-HMAC-SHA256")
        #expect(status.keyDerivation == "scrypt-65536-8-1")
        #expect(status.splitter == "DYNAMIC-4M-BUZHASH")
        #expect(status.errorCorrectionPercent == 2)
        #expect(status.uniqueID == golden.facts["uniqueID"]?.stringValue)
        #expect(status.isReadOnly)
    }
}
