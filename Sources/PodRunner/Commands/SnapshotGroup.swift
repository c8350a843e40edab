import ArgumentParser
import GoFormats
import KopiaRepository
import RunnerContract

/// `snapshot list|show|cat|restore|verify|expire|delete`.
struct SnapshotGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot", abstract: "Look at snapshots, also at those of kopia and kando.",
        subcommands: [List.self, Show.self, Cat.self, Restore.self, Verify.self, Expire.self, Remove.self])
}

extension SnapshotGroup {
    struct List: PodRunnerAction {
        static let configuration = CommandConfiguration(
            abstract: "List the snapshots of every source.",
            discussion: "With --json in the form of `kopia snapshot list --all --json`.")

        @OptionGroup var repository: RepositoryOptions
        @Option(help: ArgumentHelp("Only this source.", valueName: "user@host:path")) var source: String?
        @Flag(help: "Also incomplete snapshots.") var incomplete = false
        @Flag(help: "As JSON.") var json = false

        func run(_ context: RunContext) async throws {
            let wanted = try source.map { text in
                guard let source = SnapshotSource(text) else {
                    throw PodRunnerError(.input, "--source is \"\(text)\", not user@host:path")
                }
                return source
            }
            let access = try await repository.resolve(context)
            let listed = try await access.open(.readOnly) { repository in
                // Retention counts incomplete snapshots too, shown or not.
                let all = try await repository.snapshots(source: wanted, includeIncomplete: true)
                let reasons = try await repository.retentionReasons(for: all)
                return zip(all, reasons).filter { incomplete || $0.0.incompleteReason == nil }
            }
            if json { return try await printJSON(listed, context) }
            var current: SnapshotSource?
            for (snapshot, reasons) in listed {
                if snapshot.source != current {
                    if current != nil { try await context.print("") }
                    try await context.print("\(snapshot.source)")
                    current = snapshot.source
                }
                try await context.print(Self.line(snapshot, reasons))
            }
            if listed.isEmpty { context.note("there are no snapshots in \(access.location)") }
        }

        /// One snapshot a line, as kopia prints it.
        private func printJSON(_ listed: [(Snapshot, [String])], _ context: RunContext) async throws {
            let items = listed.map { snapshot, reasons in
                var object = snapshot.json(idText: snapshot.id.description).objectValue ?? JSONObject()
                if !reasons.isEmpty { object["retentionReason"] = .array(reasons.map { .string($0) }) }
                return " " + GoJSON.text(.object(object))
            }
            // Without a line break at the end, as kopia: the two can be compared byte by byte.
            let text = items.isEmpty ? "[\n]" : "[\n\(items.joined(separator: ",\n"))\n]"
            try await context.output(Array(text.utf8))
        }

        private static func line(_ snapshot: Snapshot, _ reasons: [String]) -> String {
            let root = snapshot.root
            var line = "  \(Listing.time(snapshot.startTime)) \(snapshot.id) \(Figures.bytes(snapshot.totalSize))"
            line += " \(Listing.mode(root))"
            if let summary = root.summary { line += " files:\(summary.files) dirs:\(summary.directories)" }
            if let reason = snapshot.incompleteReason { line += " incomplete:\(reason)" }
            if !reasons.isEmpty { line += " (\(reasons.joined(separator: ",")))" }
            if !snapshot.pins.isEmpty { line += " pins:\(snapshot.pins.joined(separator: ","))" }
            if !snapshot.description.isEmpty { line += " \(Listing.safe(snapshot.description))" }
            return line
        }
    }

    struct Show: PodRunnerAction {
        static let configuration = CommandConfiguration(abstract: "Show a snapshot and its entries.")

        @OptionGroup var repository: RepositoryOptions
        @Argument(help: "Its ID, the beginning of it, or the object ID of its root.") var snapshot: String
        @Argument(help: "A folder inside it.") var path: String = ""
        @Flag(help: "Everything below.") var recursive = false
        @Flag(help: "As JSON.") var json = false

        func run(_ context: RunContext) async throws {
            let access = try await repository.resolve(context)
            try await access.open(.readOnly) { repository in
                let found = try await repository.snapshot(named: snapshot)
                let start = try await repository.entry(at: path, in: found)
                let prefix = path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
                if json {
                    try await printJSON(found, start, prefix, repository, context)
                    return
                }
                try await context.print("Snapshot:    \(found.id)")
                try await context.print("Source:      \(found.source)")
                try await context.print("Started:     \(found.startTime)")
                try await context.print("Ended:       \(found.endTime)")
                if let reason = found.incompleteReason { try await context.print("Incomplete:  \(reason)") }
                if !found.description.isEmpty {
                    try await context.print("Description: \(Listing.safe(found.description))")
                }
                for (key, value) in found.tags.sorted(by: { $0.key < $1.key }) {
                    try await context.print(
                        "Tag:         \(Listing.safe("\(key.hasPrefix("tag:") ? String(key.dropFirst(4)) : key)=\(value)"))"
                    )
                }
                try await context.print("")
                guard start.kind == .directory else {
                    try await context.print(
                        Listing.line(SnapshotEntry(path: prefix.isEmpty ? start.name : prefix, entry: start)))
                    return
                }
                try await repository.forEachEntry(of: start, path: prefix, recursive: recursive) { entry in
                    try await context.print(Listing.line(entry))
                }
            }
        }

        /// The manifest with an `entries` list, each entry as its directory has it, with `path` in front.
        private func printJSON(
            _ snapshot: Snapshot, _ start: DirectoryEntry, _ prefix: String, _ repository: Repository,
            _ context: RunContext
        ) async throws {
            let manifest = GoJSON.text(snapshot.json(idText: snapshot.id.description))
            try await context.output(Array((String(manifest.dropLast()) + ",\"entries\":[").utf8))
            var isFirst = true
            func put(_ found: SnapshotEntry) async throws {
                var object = JSONObject(["path": .string(found.path)])
                for member in found.entry.json.objectValue?.members ?? [] { object[member.key] = member.value }
                try await context.output(Array(((isFirst ? "\n " : ",\n ") + GoJSON.text(.object(object))).utf8))
                isFirst = false
            }
            if start.kind == .directory {
                try await repository.forEachEntry(of: start, path: prefix, recursive: recursive) { try await put($0) }
            } else {
                try await put(SnapshotEntry(path: prefix, entry: start))
            }
            try await context.output(Array((isFirst ? "]}\n" : "\n]}\n").utf8))
        }
    }

    struct Cat: PodRunnerAction {
        static let configuration = CommandConfiguration(
            abstract: "Write one file of a snapshot to standard output.")

        @OptionGroup var repository: RepositoryOptions
        @Argument(help: "Its ID, the beginning of it, or the object ID of its root.") var snapshot: String
        @Argument(help: "The file's path; empty when the snapshot is a single file.") var path: String = ""

        func run(_ context: RunContext) async throws {
            let access = try await repository.resolve(context)
            try await access.open(.readOnly) { repository in
                let found = try await repository.snapshot(named: snapshot)
                let entry = try await repository.entry(at: path, in: found)
                try await repository.openFile(entry).forEachChunk { chunk in try await context.output(chunk) }
            }
        }
    }

    struct Remove: PodRunnerAction {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Delete snapshots; those that are gone already are fine.")

        @OptionGroup var repository: RepositoryOptions
        @Argument(help: "Their IDs.") var snapshots: [String]

        func run(_ context: RunContext) async throws {
            let access = try await repository.resolve(context)
            try await access.open(.readWrite) { repository in
                for name in snapshots {
                    let id: ManifestID
                    do {
                        id = try await repository.snapshot(named: name).id
                    } catch let error as RepositoryError where error.code == .snapshotNotFound {
                        context.note("snapshot \(name) is not in \(access.location): nothing to delete")
                        continue
                    }
                    try await repository.deleteSnapshot(id)
                    context.note("deleted snapshot \(id); its space is freed by the repository's maintenance")
                }
            }
        }
    }
}

/// How entries are shown to people. Names and descriptions are other people's: no control character reaches a terminal.
enum Listing {
    static func time(_ time: Timestamp) -> String {
        // 2026-11-22T12:13:26.28Z → 2026-11-22 12:13:26 UTC
        let text = time.description
        return text.prefix(19).split(separator: "T").joined(separator: " ") + " UTC"
    }

    static func mode(_ entry: DirectoryEntry) -> String {
        let kind = entry.kind == .directory ? "d" : entry.kind == .symlink ? "l" : "-"
        let letters: [Character] = ["r", "w", "x"]
        return kind
            + (0..<9).map { bit in
                entry.mode.bits & (0o400 >> UInt32(bit)) != 0 ? String(letters[bit % 3]) : "-"
            }.joined()
    }

    static func line(_ found: SnapshotEntry) -> String {
        let entry = found.entry
        let size = String(entry.totalSize)
        let padding = String(repeating: " ", count: max(0, 14 - size.count))
        let time = entry.modified.map(Self.time) ?? "-"
        let slash = entry.kind == .directory ? "/" : ""
        return "\(mode(entry)) \(padding)\(size) \(time) \(entry.object) \(safe(found.path))\(slash)"
    }

    static func safe(_ text: String) -> String {
        var shown = ""
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
            shown += isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
        return shown
    }
}
