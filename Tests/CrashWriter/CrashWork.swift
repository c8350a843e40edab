import GoFormats
import KopiaObject
import KopiaRepository
import KopiaSnapshot
import TestSupport

/// One snapshot of the writer, the same bytes wherever it is computed: what was published can be compared.
struct CrashWork {
    let seed: UInt64
    let number: Int
    /// All of it in one pack of `largePackSize`, which goes to the disk in about ten writes.
    var isLarge = false

    static let fileName = "dump"

    /// Small enough that the bytes fill several packs, and that each content is longer than what makes a part of a pack.
    static let packSize = 20_000
    /// A writer keeps up to 1 MiB of a pack to itself; beyond that the beginning of the pack is on the disk while the rest is
    /// still to come.
    static let largePackSize = 8 << 20

    /// Half of it the same in every snapshot of the seed, so that there is something to deduplicate against.
    var bytes: [UInt8] {
        let half = isLarge ? 2 << 20 : 40_000
        return SeededBytes.rnd(seed, half) + SeededBytes.rnd(seed &* 1_000_003 &+ UInt64(number) &+ 1, half)
    }

    func write(to repository: Repository) async throws -> WrittenSnapshot {
        var options = SnapshotOptions()
        options.description = "\(seed) \(number)"
        options.splitter = .dynamic(averageLength: isLarge ? 64 << 10 : 4 << 10)
        options.compression = number % 2 == 0 ? "none" : "zstd-fastest"
        options.checkpointInterval = number % 3 == 0 && !isLarge ? .milliseconds(1) : nil
        let bytes = bytes
        var position = 0
        return try await repository.writeSnapshot(
            of: repository.status.source, options: options
        ) { writer in
            try await writer.addFile(Self.fileName) {
                guard position < bytes.count else { return nil }
                defer { position += 10_000 }
                return Array(bytes[position..<min(bytes.count, position + 10_000)])
            }
        }
    }

    static func status(_ splitter: String) -> RepositoryStatus {
        RepositoryStatus(
            location: "crash", uniqueID: "", formatVersion: 3, indexVersion: 2, hash: "", encryption: "",
            keyDerivation: "", splitter: splitter, packSizeMax: 0, usesEpochs: true, allowsPasswordChange: true,
            isReadOnly: false, identity: "crash@writer")
    }
}

extension RepositoryStatus {
    fileprivate var source: SnapshotSource { SnapshotSource(host: "writer", userName: "crash", path: "/crash") }
}
