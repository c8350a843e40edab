import KopiaBlob
import KopiaContent
import KopiaObject
import KopiaSnapshot

/// The blobs without which snapshots cannot be read with stock kopia.
///
/// | kind | which |
/// |---|---|
/// | format, configuration | `kopia.repository`, `kopia.blobcfg` |
/// | index | all active index blobs: they are one table, in which a later entry moves or deletes what an earlier one says |
/// | epoch | epoch markers and deletion watermarks, which tell what index blobs are active |
/// | data, metadata | packs of all contents below the roots, tables and directories included; and of every manifest, because kopia lists no snapshots with one missing |
///
/// Memory: a few dozen bytes for each object and each pack.
struct NeededBlobs {
    private(set) var kinds: [BlobID: ImmutabilityReport.Blob.Kind] = [:]
    /// What could not be followed, and so is not known, a sentence each.
    private(set) var unreadable: [String] = []

    private let contents: LocalContentStore
    private var visited: Set<ObjectID> = []

    /// - Throws: what listing blobs throws; `CancellationError`. What cannot be read of a snapshot is in `unreadable`.
    init(of snapshots: [Snapshot], in blobs: Repository.BlobSide) async throws {
        contents = blobs.contents
        for (name, kind) in [
            ("kopia.repository", ImmutabilityReport.Blob.Kind.format), ("kopia.blobcfg", .configuration),
        ] {
            if let id = BlobID(name) { kinds[id] = kind }
        }
        for id in contents.activeIndexBlobs { kinds[id] = .index }
        for prefix in ["xe", "xw"] {
            for blob in try await blobs.storage.list(prefix: prefix) { kinds[blob.id] = .epoch }
        }
        for manifest in try await contents.list(prefix: UInt8(ascii: "m")) { add(manifest.id, of: "the manifests") }
        for snapshot in snapshots { try await follow(snapshot) }
    }

    private mutating func follow(_ snapshot: Snapshot) async throws {
        // An explicit stack: depth is other people's data.
        var stack = [(entry: snapshot.root, path: "")]
        while let (entry, path) = stack.popLast() {
            try Task.checkCancellation()
            guard visited.insert(entry.object).inserted else { continue }
            let place = path.isEmpty ? "the root of snapshot \(snapshot.id)" : "'\(path)' of snapshot \(snapshot.id)"
            do {
                let reader = try await ObjectReader.open(entry.object, in: contents)
                for id in reader.tableContentIDs { add(id, of: place) }
                for id in reader.contentIDs { add(id, of: place) }
                guard entry.kind == .directory else { continue }
                for child in try await Directory.read(entry.object, from: contents).entries {
                    stack.append((child, path.isEmpty ? child.name : "\(path)/\(child.name)"))
                }
            } catch let error as CancellationError {
                throw error
            } catch {
                let message = (RepositoryError.translating(error) as? RepositoryError)?.message ?? "\(error)"
                unreadable.append("\(place) cannot be followed: \(message)")
                if let pack = (error as? ContentError)?.blob.flatMap(BlobID.init) { add(pack) }
            }
        }
    }

    private mutating func add(_ id: ContentID, of place: String) {
        guard let pack = contents.pack(of: id) else {
            return unreadable.append("content \(id) of \(place) is in no index")
        }
        add(pack)
    }

    private mutating func add(_ pack: BlobID) { kinds[pack] = pack.hasPrefix("q") ? .metadata : .data }
}
