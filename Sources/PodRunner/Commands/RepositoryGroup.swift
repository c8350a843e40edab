import ArgumentParser
import GoFormats
import KopiaRepository
import RunnerContract

/// `repository create|status|verify|maintain|recover-index`.
struct RepositoryGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repository", abstract: "Create a repository, show what one is made of, check or mend it.",
        subcommands: [Create.self, Status.self, Verify.self, Maintain.self, RecoverIndex.self])

    struct Create: PodRunnerAction {
        static let configuration = CommandConfiguration(
            abstract: "Create a repository in kopia's default format.")

        @OptionGroup var repository: RepositoryOptions

        func run(_ context: RunContext) async throws {
            let access = try await repository.resolve(context)
            try await Repository.create(at: access.location, password: access.password, identity: access.identity)
            context.note("created a kopia repository at \(access.location)")
        }
    }

    struct Status: PodRunnerAction {
        static let configuration = CommandConfiguration(
            abstract: "Show a repository's format and what it holds.")

        @OptionGroup var repository: RepositoryOptions
        @Flag(help: "As JSON.") var json = false

        func run(_ context: RunContext) async throws {
            let access = try await repository.resolve(context)
            let (status, count) = try await access.open(.readOnly) { repository in
                (repository.status, try await repository.snapshots().count)
            }
            if json {
                try await context.print(GoJSON.text(Self.json(status, count)))
                return
            }
            guard !status.isServer else { return try await printServer(status, count, context) }
            let correction = status.errorCorrectionPercent.map { "\($0) %" } ?? "none"
            let lines = [
                ("Location", status.location), ("Unique ID", status.uniqueID), ("Identity", status.identity),
                ("Format version", "\(status.formatVersion)"), ("Index version", "\(status.indexVersion)"),
                ("Hash", status.hash), ("Encryption", status.encryption), ("Key derivation", status.keyDerivation),
                ("Splitter", status.splitter), ("Error correction", correction),
                ("Largest pack", Figures.bytes(status.packSizeMax)), ("Epochs", status.usesEpochs ? "yes" : "no"),
                ("Password change", status.allowsPasswordChange ? "possible" : "not possible"),
                ("Snapshots", "\(count)"),
            ]
            try await print(lines, context)
            for warning in status.warnings { context.note("warning: \(warning)") }
        }

        /// What a server tells.
        private func printServer(_ status: RepositoryStatus, _ count: Int, _ context: RunContext) async throws {
            try await print(
                [
                    ("Location", status.location), ("Kind", "kopia repository server"), ("Identity", status.identity),
                    ("Hash", status.hash), ("Splitter", status.splitter), ("Snapshots", "\(count)"),
                ], context)
        }

        private func print(_ lines: [(name: String, value: String)], _ context: RunContext) async throws {
            for (name, value) in lines {
                try await context.print(name + ":" + String(repeating: " ", count: 18 - name.count) + value)
            }
        }

        private static func json(_ status: RepositoryStatus, _ count: Int) -> JSONValue {
            [
                "location": .string(status.location), "uniqueIDHex": .string(status.uniqueID),
                "identity": .string(status.identity), "formatVersion": .integer(Int64(status.formatVersion)),
                "indexVersion": .integer(Int64(status.indexVersion)), "hash": .string(status.hash),
                "encryption": .string(status.encryption), "keyDerivation": .string(status.keyDerivation),
                "splitter": .string(status.splitter),
                "errorCorrectionPercent": status.errorCorrectionPercent.map { .integer(Int64($0)) } ?? .null,
                "maxPackSize": .integer(status.packSizeMax), "epochs": .bool(status.usesEpochs),
                "enablePasswordChange": .bool(status.allowsPasswordChange), "snapshots": .integer(Int64(count)),
                "warnings": .array(status.warnings.map { .string($0) }),
            ]
        }
    }
}
