import KopiaBlob
import KopiaContent
import KopiaObject

/// Packs and index blobs: what no snapshot can tell, because what no index names does not exist for a reader.
extension Verifier {
    mutating func checkBlobs() async throws {
        guard let blobs = repository.blobs else { return }
        for error in blobs.contents.damagedIndexes {
            add(
                .damage,
                Finding(
                    content: nil, blob: error.blob, message: error.message,
                    hint: error.hint ?? "what only this index blob names looks absent below"))
        }
        let comparison = try await blobs.contents.comparePacks()
        var brokenPacks: [BlobID: (finding: Finding, length: Int64)] = [:]
        for pack in comparison.broken {
            let problem =
                pack.length.map { "pack '\(pack.pack)' has \($0) bytes, its contents need \(pack.neededLength)" }
                ?? "pack '\(pack.pack)' is missing in \(blobs.storage.displayName)"
            let finding = Finding(
                content: nil, blob: pack.pack.description, message: problem,
                hint: pack.length == nil
                    ? "its \(pack.contentCount) contents are lost unless the blob can be restored"
                    : "contents behind its end are lost unless the blob can be restored")
            brokenPacks[pack.pack] = (finding, pack.length ?? 0)
            add(.damage, finding)
        }
        if !brokenPacks.isEmpty {
            blobs.contents.forEachEntry { entry in
                let end = Int64(entry.packOffset) + Int64(entry.packedLength)
                guard let pack = brokenPacks[entry.pack], end > pack.length else { return }
                contentsOfBrokenPacks[entry.id] = pack.finding
            }
        }
        try await checkUnindexed(comparison.unindexed, blobs)
    }

    /// A pack that no index names is what a writer that was interrupted leaves behind, what maintenance has emptied and
    /// will remove, or the trace of a lost index blob.
    private mutating func checkUnindexed(_ packs: [BlobMetadata], _ blobs: Repository.BlobSide) async throws {
        guard !packs.isEmpty else { return }
        let sessions = try await blobs.storage.list(prefix: "s").compactMap { Self.session(of: $0.id) }
        let watermark = try await blobs.storage.list(prefix: "xw")
            .compactMap { Int64($0.id.description.dropFirst(2)) }.max()
        for pack in packs {
            try Task.checkCancellation()
            let entries: [IndexEntry]
            do {
                entries = try await blobs.contents.localIndex(ofPack: pack.id)
            } catch let error as ContentError {
                let text = "no index names pack '\(pack.id)' of \(pack.length) bytes, and its own index is unreadable"
                add(.notice, Finding(content: nil, blob: pack.id.description, message: text, hint: error.message))
                continue
            }
            var lost: [IndexEntry] = []
            for entry in entries where try await blobs.contents.info(entry.id) == nil {
                // Maintenance forgot everything deleted up to the watermark; what it forgot is older still.
                if let watermark, entry.timestampSeconds <= watermark { continue }
                lost.append(entry)
            }
            guard !lost.isEmpty else { continue }
            let wasInterrupted = Self.session(of: pack.id).map(sessions.contains) ?? false
            let manifestCount = lost.count { $0.id.prefix == UInt8(ascii: "m") }
            let what = "no index names the \(lost.count) contents of pack '\(pack.id)'"
            add(
                wasInterrupted || !repository.status.usesEpochs ? .notice : .damage,
                Finding(
                    content: nil, blob: pack.id.description,
                    message: wasInterrupted
                        ? "\(what): a writer was interrupted, or is still at work"
                        : "\(what): an index blob is missing"
                            + (manifestCount > 0 ? ", and with it manifests, so that snapshots may be hidden" : ""),
                    hint: wasInterrupted
                        ? "maintenance will remove it when the writer's session has ended"
                        : "restore the index blob, or run 'repository recover-index'"))
        }
    }

    /// The writing session in the name of a pack or a session marker: what follows the last `-`.
    private static func session(of id: BlobID) -> String? {
        let parts = id.description.split(separator: "-")
        return parts.count >= 2 ? parts.last.map(String.init) : nil
    }
}
