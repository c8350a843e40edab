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
            abstract: "Create a repository in kopia's default format.",
            discussion: """
                With --retention-mode and --retention-period every blob that snapshots need is locked for that long when it is written: on S3 \
                in a bucket with object lock, on Azure with version-level immutability.
                """)

        @OptionGroup var repository: RepositoryOptions
        @Option(
            help: ArgumentHelp(
                "GOVERNANCE (some may lift it), COMPLIANCE (nobody can), Locked (Azure).", valueName: "mode"))
        var retentionMode: String?
        @Option(help: ArgumentHelp("How long blobs are locked: 30d, 720h; 24 hours or more.", valueName: "time"))
        var retentionPeriod: String?

        mutating func validate() throws {
            guard (retentionMode == nil) == (retentionPeriod == nil) else {
                throw ValidationError("--retention-mode and --retention-period go together")
            }
            _ = try ImmutabilityGroup.Verify.seconds(retentionPeriod, of: "--retention-period")
        }

        func run(_ context: RunContext) async throws {
            var options = Repository.CreateOptions()
            if let retentionMode,
                let seconds = try ImmutabilityGroup.Verify.seconds(retentionPeriod, of: "--retention-period")
            {
                options.retention = try RetentionSetting(mode: retentionMode, periodSeconds: seconds)
            }
            let access = try await repository.resolve(context)
            try await access.reporting {
                try await Repository.create(
                    at: access.location, password: access.password, options: options, identity: access.identity)
            }
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
            let retention = status.retention.map { "\($0.mode), \(DurationText.text($0.periodSeconds))" } ?? "none"
            let correction = status.errorCorrectionPercent.map { "\($0) %" } ?? "none"
            let lines = [
                ("Location", status.location), ("Unique ID", status.uniqueID), ("Identity", status.identity),
                ("Format version", "\(status.formatVersion)"), ("Index version", "\(status.indexVersion)"),
                ("Hash", status.hash), ("Encryption", status.encryption), ("Key derivation", status.keyDerivation),
                ("Splitter", status.splitter), ("Error correction", correction),
                ("Largest pack", Figures.bytes(status.packSizeMax)), ("Epochs", status.usesEpochs ? "yes" : "no"),
                ("Retention", retention),
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
                "retentionMode": status.retention.map { .string($0.mode) } ?? .null,
                "retentionPeriodSeconds": status.retention.map { .integer($0.periodSeconds) } ?? .null,
                "enablePasswordChange": .bool(status.allowsPasswordChange), "snapshots": .integer(Int64(count)),
                "warnings": .array(status.warnings.map { .string($0) }),
            ]
        }
    }
}
