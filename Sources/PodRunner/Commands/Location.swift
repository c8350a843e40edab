import ArgumentParser
import GoFormats
import KopiaRepository
import ProcessIO
import RunnerContract

/// `location push|pull|delete`: flags, messages and results of kando.
struct Location: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Push, pull and delete data at a profile's location, as kando does.",
        subcommands: [Push.self, Pull.self, Remove.self])
}

/// kando's flags of every location command.
struct LocationFlags: ParsableArguments, Sendable {
    @OptionGroup var repository: RepositoryOptions

    @Option(
        name: [.customShort("s", allowingJoined: true), .customLong("path")],
        help: ArgumentHelp("Path of the data in the location; the last part names the file.", valueName: "path"))
    var path: String = ""

    @OptionGroup var verbosity: VerbosityOption
}

extension Location {
    struct Push: PodRunnerAction {
        static let configuration = CommandConfiguration(
            abstract:
                "Store a file, a folder, or standard input as a snapshot or, with a profile of object storage, an object."
        )

        @OptionGroup var location: LocationFlags

        @Option(
            name: [.customShort("o", allowingJoined: true), .customLong("output-name")],
            help: ArgumentHelp("Key of the output line.", valueName: "key"))
        var outputName: String = "kandoOutput"

        @Option(
            help: ArgumentHelp(
                "kopia's name of a compression, or none (default: what the policies say).", valueName: "name"))
        var compression: String?

        @Option(
            help: ArgumentHelp(
                """
                kopia's name of a splitter, or the average size of a chunk: 24K, 1M (default: the policies'; else the repository's, \
                and of standard input 128K, larger the longer it was the last time).
                """,
                valueName: "name"))
        var splitter: String?

        @Argument(help: ArgumentHelp("A file or folder, or - for standard input.", valueName: "source"))
        var sources: [String] = []

        mutating func validate() throws {
            _ = try OneArgument.of(sources)
            try Splitter.validate(splitter)
        }

        func run(_ context: RunContext) async throws {
            // A key that cannot be printed is found before anything is stored.
            _ = try PhaseOutput(checking: outputName, value: "")
            let source = try OneArgument.of(sources)
            if source == "-", context.inputIsTerminal() {
                throw PodRunnerError(
                    .input, "Stdin must be piped when the source parameter is \"-\"",
                    hint: "pipe or redirect something into it, or name a file")
            }
            switch try await location.repository.resolveTarget(context) {
            case .objects(let place, let report):
                try await report.during { try await place.push(source, path: location.path, context) }
            case .repository(let access): try await push(source, to: access, context)
            }
        }

        private func push(_ source: String, to access: RepositoryAccessPoint, _ context: RunContext) async throws {
            let written: WrittenSnapshot
            let start = context.clock()
            if source == "-" {
                let path = try LocationPath(location.path)
                let input = try context.input()
                let folder = access.identity.source(path: path.folder)
                try await context.print("Snapshotting \(folder) ...")
                written = try await access.open(.readWrite) { repository in
                    var options = options
                    options.stream = .unknown
                    return try await repository.writeSnapshot(of: folder, options: options) { writer in
                        try await input.readingAhead { next in _ = try await writer.addFile(path.file, from: next) }
                    }
                }
            } else {
                let tree = try LocalTree(source)
                let folder = access.identity.source(path: tree.sourcePath)
                try await context.print("Snapshotting \(folder) ...")
                written = try await access.open(.readWrite) { repository in
                    var options = options
                    tree.apply(to: &options)
                    return try await repository.writeSnapshot(of: folder, options: options) { writer in
                        try await tree.store(in: writer)
                    }
                }
            }
            let snapshot = written.snapshot
            let seconds = context.clock().secondsSince(start)
            try await context.print(
                "Created snapshot with root \(snapshot.root.object) and ID \(snapshot.id) in \(Figures.seconds(seconds))"
            )
            for warning in written.warnings { context.note("warning: \(warning)") }
            try await context.print(Self.outputLine(outputName, written))
        }

        /// kando's description; retention is never applied.
        private var options: SnapshotOptions {
            var options = SnapshotOptions()
            options.description = "Kanister Database Backup"
            options.compression = compression
            options.splitter = splitter.flatMap { Splitter(nameOrSize: $0) }
            return options
        }

        static func outputLine(_ key: String, _ written: WrittenSnapshot) throws -> String {
            let reference = KopiaSnapshotReference(
                id: written.snapshot.id.description, logicalSize: written.logicalBytes,
                physicalSize: written.uploadedBytes)
            return try PhaseOutput(checking: key, value: reference.json).line
        }
    }

    struct Pull: PodRunnerAction {
        static let configuration = CommandConfiguration(
            abstract: "Bring a snapshot or object back to a file or folder, or to standard output.")

        @OptionGroup var location: LocationFlags
        @OptionGroup var snapshot: SnapshotArgument
        @Argument(help: ArgumentHelp("A file or folder, or - for standard output.", valueName: "target"))
        var targets: [String] = []

        mutating func validate() throws { _ = try OneArgument.of(targets) }

        func run(_ context: RunContext) async throws {
            let target = try OneArgument.of(targets)
            switch try await location.repository.resolveTarget(context) {
            case .objects(let place, let report):
                try await report.during { try await place.pull(target, path: location.path, context) }
            case .repository(let access): try await pull(target, from: access, context)
            }
        }

        private func pull(_ target: String, from access: RepositoryAccessPoint, _ context: RunContext) async throws {
            let id = try await snapshot.resolve(context)
            try await access.open(.readOnly) { repository in
                let found = try await repository.snapshot(named: id.description)
                guard target == "-" else {
                    try await TreeRestore(repository: repository).restore(found.root, to: target)
                    return
                }
                let path = try LocationPath(location.path)
                let entry =
                    found.root.kind == .directory ? try await repository.entry(at: path.file, in: found) : found.root
                try await repository.openFile(entry).forEachChunk { chunk in try await context.output(chunk) }
            }
        }
    }

    struct Remove: PodRunnerAction {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Delete a snapshot or object; one that is gone already is fine.")

        @OptionGroup var location: LocationFlags
        @OptionGroup var snapshot: SnapshotArgument

        func run(_ context: RunContext) async throws {
            switch try await location.repository.resolveTarget(context) {
            case .objects(let place, let report):
                try await report.during { try await place.delete(path: location.path, context) }
            case .repository(let access):
                try await SnapshotDeletion.run(try await snapshot.resolve(context), in: access, context)
            }
        }
    }
}

/// The one argument a command takes, with kando's words when it is not one.
private enum OneArgument {
    static func of(_ arguments: [String]) throws -> String {
        guard arguments.count == 1, let argument = arguments.first else {
            throw ValidationError("accepts 1 arg(s), received \(arguments.count)")
        }
        return argument
    }
}

/// What `delete` and `location delete` share.
enum SnapshotDeletion {
    static func run(_ id: ManifestID, in access: RepositoryAccessPoint, _ context: RunContext) async throws {
        let wasThere = try await access.open(.readWrite) { try await $0.deleteSnapshot(id) }
        context.note(text(id, in: access, wasThere: wasThere))
    }

    static func text(_ id: ManifestID, in access: RepositoryAccessPoint, wasThere: Bool) -> String {
        wasThere
            ? "deleted snapshot \(id); its space is freed by the repository's maintenance"
            : "snapshot \(id) is not in \(access.location): nothing to delete"
    }
}

/// `delete`.
struct Delete: PodRunnerAction {
    static let configuration = CommandConfiguration(
        abstract: "Delete a backup's snapshot; one that is gone already is fine.",
        discussion: """
            Of a backup of several databases (an artifact that is an array) every snapshot, or with --database those named. \
            What is wrong with the artifact is said before anything is deleted.
            """)

    @OptionGroup var repository: RepositoryOptions
    @OptionGroup var snapshot: SnapshotArgument

    @Option(
        help: ArgumentHelp(
            "Of an artifact of several databases, delete this one's snapshot only; may be given again.",
            valueName: "name"))
    var database: [String] = []

    func run(_ context: RunContext) async throws {
        let found = try await snapshot.resolveAll(context, named: database)
        let access = try await repository.resolve(context)
        guard !found.isEmpty else { return context.note("the artifact names no snapshot: nothing to delete") }
        try await access.open(.readWrite) { repository in
            for (database, id) in found {
                let wasThere = try await repository.deleteSnapshot(id)
                let name = database.map { "\($0.onOneLine): " } ?? ""
                context.note(name + SnapshotDeletion.text(id, in: access, wasThere: wasThere))
            }
        }
    }
}
