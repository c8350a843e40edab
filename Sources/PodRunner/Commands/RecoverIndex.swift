import ArgumentParser
import GoFormats
import KopiaRepository
import RunnerContract

extension RepositoryGroup {
    struct RecoverIndex: PodRunnerAction {
        static let configuration = CommandConfiguration(
            abstract: "Find contents that no index names any more, and index them again.",
            discussion: """
                For lost or damaged index blobs, which `repository verify` names. Every pack ends with an index of its own; entries keep \
                their times, so that deletions and newer copies still win. Without --commit nothing is written. Packs of writers that \
                may be at work are left alone, and so is what maintenance may have dropped on purpose, unless --include-dropped is \
                given. Let nobody write meanwhile, and verify afterwards.

                A damaged index blob keeps the repository from opening until it is gone: --delete-damaged deletes it once the new index \
                is durable. Deletions that only that blob recorded are forgotten; maintenance finds them again.

                Exit code 6 when a pack's own index cannot be read: its contents stay lost.
                """)

        @OptionGroup var repository: RepositoryOptions
        @Flag(help: "Write an index of what was found.") var commit = false
        @Flag(help: "After that, delete index blobs that cannot be read.") var deleteDamaged = false
        @Flag(help: "Also contents not newer than the deletion watermark.") var includeDropped = false
        @Flag(help: "As JSON.") var json = false

        mutating func validate() throws {
            guard commit || !deleteDamaged else { throw ValidationError("--delete-damaged needs --commit") }
        }

        func run(_ context: RunContext) async throws {
            let access = try await repository.resolve(context)
            var options = IndexRecoveryOptions()
            options.commits = commit
            options.deletesDamagedIndexes = deleteDamaged
            options.includesDropped = includeDropped
            let recovery = try await access.reporting {
                try await Repository.recoverIndexes(
                    at: access.location, password: access.password, identity: access.identity, options: options)
            }
            if json {
                try await context.print(GoJSON.text(Self.json(recovery)))
            } else {
                try await printText(recovery, context)
            }
            guard recovery.unreadable.isEmpty else {
                let count = recovery.unreadable.count
                throw PodRunnerError(
                    .verification, "the own index of \(count) \(count == 1 ? "pack" : "packs") cannot be read",
                    hint: "restore them from a copy of the storage; what indexes name of them is not affected")
            }
        }

        private func printText(_ recovery: IndexRecovery, _ context: RunContext) async throws {
            for blob in recovery.damagedIndexes {
                let isDeleted = recovery.deletedIndexes.contains(blob)
                try await context.print("damaged index blob \(blob)\(isDeleted ? ": deleted" : "")")
            }
            for pack in recovery.unreadable { try await context.print("unreadable: \(Listing.safe(pack.message))") }
            let verb = recovery.isCommitted ? "recovered" : "would recover"
            for pack in recovery.packs {
                let manifests = pack.manifestCount > 0 ? ", \(pack.manifestCount) with manifests" : ""
                try await context.print("\(verb) \(pack.contentCount) contents of pack \(pack.id)\(manifests)")
            }
            try await context.print(
                "\(recovery.packCount) packs: \(verb) \(recovery.contentCount) contents of \(recovery.packs.count)")
            if recovery.unfinishedPackCount > 0 {
                context.note(
                    "\(recovery.unfinishedPackCount) packs belong to writers that are at work or were interrupted: left alone"
                )
            }
            if recovery.droppedContentCount > 0 {
                context.note(
                    "\(recovery.droppedContentCount) contents are not newer than the deletion watermark: maintenance may have "
                        + "dropped them on purpose; --include-dropped takes them, too")
            }
            if !recovery.isCommitted, recovery.contentCount > 0 {
                context.note("nothing was written; give --commit to do it")
            }
            if recovery.damagedIndexes.count > recovery.deletedIndexes.count {
                context.note(
                    "the repository does not open while a damaged index blob is there; give --commit --delete-damaged")
            }
        }

        private static func json(_ recovery: IndexRecovery) -> JSONValue {
            [
                "committed": .bool(recovery.isCommitted), "packs": .integer(Int64(recovery.packCount)),
                "recovered": .array(
                    recovery.packs.map { pack in
                        [
                            "pack": .string(pack.id), "contents": .integer(Int64(pack.contentCount)),
                            "manifests": .integer(Int64(pack.manifestCount)),
                        ]
                    }),
                "unreadable": .array(
                    recovery.unreadable.map { ["pack": .string($0.id), "message": .string($0.message)] }),
                "unfinishedPacks": .integer(Int64(recovery.unfinishedPackCount)),
                "droppedContents": .integer(Int64(recovery.droppedContentCount)),
                "damagedIndexes": .array(recovery.damagedIndexes.map { .string($0) }),
                "deletedIndexes": .array(recovery.deletedIndexes.map { .string($0) }),
            ]
        }
    }
}
