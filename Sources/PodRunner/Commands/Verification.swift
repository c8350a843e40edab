import ArgumentParser
import GoFormats
import KopiaRepository
import RunnerContract

extension SnapshotGroup {
    struct Verify: PodRunnerAction {
        static let configuration = CommandConfiguration(
            abstract: "Check that everything of snapshots can be read, and name what cannot.",
            discussion: """
                Compares packs with indexes, reads manifests and directories and every byte of every file; goes on after each \
                problem and names blob, content, snapshot and file. Also for repositories that cannot be used any more because an \
                index is damaged. Writes nothing.

                Exit code 6 when something is damaged; 5 when the repository could not be looked at: the storage does not answer, or \
                the password is wrong (a format block that was altered looks the same).
                """)

        @OptionGroup var repository: RepositoryOptions
        @OptionGroup var extent: VerificationExtent
        @Argument(help: "Their IDs, or the beginnings of them (default: all snapshots).") var snapshots: [String] = []
        @Flag(help: "All snapshots, of every source.") var all = false

        mutating func validate() throws {
            guard !all || snapshots.isEmpty else {
                throw ValidationError("--all and snapshots cannot be given together")
            }
        }

        func run(_ context: RunContext) async throws {
            try await extent.verify(repository.resolve(context), snapshots: snapshots, context)
        }
    }
}

extension RepositoryGroup {
    struct Verify: PodRunnerAction {
        static let configuration = CommandConfiguration(
            abstract: "Check packs, indexes, manifests and every snapshot.",
            discussion: "The same as `snapshot verify --all`.")

        @OptionGroup var repository: RepositoryOptions
        @OptionGroup var extent: VerificationExtent

        func run(_ context: RunContext) async throws {
            try await extent.verify(repository.resolve(context), snapshots: [], context)
        }
    }
}

/// How thorough a verification is and how it reports.
struct VerificationExtent: ParsableArguments, Sendable {
    @Flag(inversion: .prefixedNo, help: "Read every byte of every file; else only look whether its blobs are there.")
    var readData = true
    @Flag(help: "As JSON.") var json = false

    /// - Parameter snapshots: names; empty for all.
    /// - Throws: `PodRunnerError` with exit code 6 when anything is damaged.
    func verify(_ access: RepositoryAccessPoint, snapshots: [String], _ context: RunContext) async throws {
        let report: VerificationReport
        do {
            report = try await access.reporting {
                try await Repository.verify(
                    at: access.location, password: access.password, identity: access.identity,
                    snapshots: snapshots, readsFiles: readData)
            }
        } catch let error as RepositoryError where error.code == .damaged {
            if json { try await context.print(GoJSON.text(Self.json(error))) }
            throw PodRunnerError(.verification, error.message, hint: error.hint)
        }
        if json {
            try await context.print(GoJSON.text(Self.json(report)))
        } else {
            try await printText(report, context)
        }
        guard !report.isSound else { return }
        let count = report.problems.count { $0.severity == .damage }
        throw PodRunnerError(
            .verification, "\(access.location) is damaged: \(count) \(count == 1 ? "problem" : "problems")")
    }

    private func printText(_ report: VerificationReport, _ context: RunContext) async throws {
        for problem in report.problems {
            try await context.print("\(problem.severity.rawValue): \(Listing.safe(problem.description))")
            // One pack that is gone has the same hint for all its files.
            if let hint = problem.hint, problem.place == nil || problem.blob == nil {
                try await context.print("  hint: \(Listing.safe(hint))")
            }
        }
        let extent = readData ? "every byte read" : "contents not read"
        try await context.print(
            "verified \(report.snapshotCount) snapshots, \(report.directoryCount) directories, \(report.fileCount) files, "
                + "\(Figures.bytes(report.byteCount)), \(extent): \(report.isSound ? "no damage" : "DAMAGED")")
    }

    private static func json(_ report: VerificationReport) -> JSONValue {
        [
            "sound": .bool(report.isSound), "snapshots": .integer(Int64(report.snapshotCount)),
            "directories": .integer(Int64(report.directoryCount)), "files": .integer(Int64(report.fileCount)),
            "bytes": .integer(report.byteCount), "problems": .array(report.problems.map(json)),
        ]
    }

    private static func json(_ problem: VerificationProblem) -> JSONValue {
        var object = JSONObject(["severity": .string(problem.severity.rawValue)])
        if let place = problem.place {
            object["snapshot"] = .string(place.snapshot.description)
            object["source"] = .string(place.source.description)
            object["path"] = .string(place.path)
            object["object"] = .string(place.object.description)
        }
        if let content = problem.content { object["content"] = .string(content) }
        if let blob = problem.blob { object["blob"] = .string(blob) }
        object["message"] = .string(problem.message)
        if let hint = problem.hint { object["hint"] = .string(hint) }
        return .object(object)
    }

    /// A repository that could not be opened.
    private static func json(_ error: RepositoryError) -> JSONValue {
        var problem = JSONObject(["severity": "damage", "message": .string(error.message)])
        if let hint = error.hint { problem["hint"] = .string(hint) }
        return ["sound": false, "problems": .array([.object(problem)])]
    }
}
