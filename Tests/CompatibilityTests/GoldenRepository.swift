import GoFormats
import KopiaRepository
import TestSupport
import Testing

/// A repository that the kopia CLI made, with what is in it. See `Fixtures/kopia/MANIFEST.json`.
struct GoldenRepository: Sendable, CustomTestStringConvertible {
    struct Entry: Sendable {
        let path: String
        let kind: String
        let mode: String
        let object: String
        let size: Int64
        let sha256: String?
    }

    struct Snapshot: Sendable {
        let id: String
        let root: String
        let isIncomplete: Bool
        let entries: [Entry]
    }

    let name: String
    let facts: JSONValue
    let snapshots: [Snapshot]

    var testDescription: String { name }
    var password: RepositoryPassword { RepositoryPassword(facts["password"]?.stringValue ?? "") }
    var isDamaged: Bool { facts["damage"] != nil }
    var location: RepositoryLocation { .filesystem(path: Self.folder + name) }

    static let folder = Fixture.path("kopia/repos/")

    static let all: [GoldenRepository] = {
        let manifest = (try? Fixture.json("kopia/MANIFEST.json")) ?? .null
        return (manifest["repositories"]?.objectValue?.members ?? []).map { member in
            GoldenRepository(
                name: member.key, facts: member.value,
                snapshots: (member.value["snapshots"]?.arrayValue ?? []).map(snapshot))
        }
    }()

    /// Refused or damaged on purpose: tests of their own.
    private static let unusable: Set<String> = [
        "required-feature", "upgrade-lock", "ecc-10-beyond", "corrupt-format-blob", "corrupt-format-tampered",
        "corrupt-index-flipped", "corrupt-index-missing", "corrupt-metadata-pack-missing", "corrupt-pack-flipped",
        "corrupt-pack-missing", "corrupt-pack-truncated",
    ]

    /// Those whose every byte must come out.
    static let sound = all.filter { !unusable.contains($0.name) }

    static func named(_ name: String) throws -> GoldenRepository { try #require(all.first { $0.name == name }) }

    static let identity = RepositoryIdentity(userName: "runner", host: "fixture")

    func open<Result>(_ body: (Repository) async throws -> Result) async throws -> Result {
        try await Repository.with(
            at: location, password: password, access: .readOnly, identity: Self.identity, body)
    }

    private static func snapshot(_ json: JSONValue) -> Snapshot {
        Snapshot(
            id: json["id"]?.stringValue ?? "", root: json["rootEntry"]?["obj"]?.stringValue ?? "",
            isIncomplete: json["incomplete"] != nil,
            entries: (json["entries"]?.arrayValue ?? []).map { entry in
                Entry(
                    path: entry["path"]?.stringValue ?? "", kind: entry["type"]?.stringValue ?? "",
                    mode: entry["mode"]?.stringValue ?? "", object: entry["objectID"]?.stringValue ?? "",
                    size: entry["size"]?.integerValue ?? 0, sha256: entry["sha256"]?.stringValue)
            })
    }
}
