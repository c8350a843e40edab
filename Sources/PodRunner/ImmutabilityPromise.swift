import ArgumentParser
import GoFormats
import KopiaRepository
import RunnerContract

/// What a backup promises about the locks of its snapshot, and how it answers.
struct ImmutabilityOptions: ParsableArguments, Sendable {
    @Option(
        help: ArgumentHelp(
            "Fail (exit 6, no snapshot) unless nobody can delete the snapshot for so long from the start on: 30d, 720h.",
            valueName: "time"))
    var requireImmutableFor: String?

    @Option(
        help: ArgumentHelp(
            "Key of an output line that says until when the snapshot cannot be deleted.", valueName: "key"))
    var immutabilityOutput: String?

    mutating func validate() throws { _ = try seconds }

    private var seconds: Int64? {
        get throws { try ImmutabilityGroup.Verify.seconds(requireImmutableFor, of: "--require-immutable-for") }
    }

    /// - Throws: `PhaseOutputKeyError`, `PodRunnerError` when two outputs have one key.
    func check(outputName: String) throws {
        guard let immutabilityOutput else { return }
        _ = try PhaseOutput(checking: immutabilityOutput, value: "")
        guard immutabilityOutput != outputName else {
            throw PodRunnerError(.input, "--immutability-output and --output-name are both \"\(outputName)\"")
        }
    }

    /// Before anything is written.
    ///
    /// - Returns: until when every blob must be locked; nil when nothing is required.
    func prepare(_ repository: Repository) async throws -> Timestamp? {
        guard let seconds = try seconds else { return nil }
        return try await repository.checkImmutabilityIsPossible(forSeconds: seconds).adding(seconds: seconds)
    }

    /// After the snapshot was published: locks for longer what it shares with older ones, then looks at every blob it needs. When the
    /// promise does not hold the snapshot is deleted again: a phase that fails records no artifact, so that nobody would ever
    /// delete a snapshot it left. Its data stay, and make the next attempt short.
    ///
    /// - Returns: the output line; nil when none was asked for.
    func keep(
        _ snapshot: Snapshot, until required: Timestamp?, in repository: Repository, _ context: RunContext
    ) async throws -> String? {
        guard required != nil || immutabilityOutput != nil else { return nil }
        let report: ImmutabilityReport
        do {
            if let required {
                let extended = try await repository.extendLocks(of: [snapshot], minimum: required)
                for failure in extended.failures.prefix(5) {
                    context.note("not locked for longer: \(Listing.safe(failure.message))")
                }
            }
            report = try await repository.immutability(of: [snapshot], required: required.map { .until($0) } ?? .now)
            if required != nil, let failure = report.failure { throw failure }
        } catch  where required != nil {
            do {
                try await repository.deleteSnapshot(snapshot.id)
            } catch let second {
                context.note("snapshot \(snapshot.id) was published and could not be deleted again: \(second)")
            }
            throw error
        }
        context.note("snapshot \(snapshot.id): \(report.verdict)")
        guard let immutabilityOutput else { return nil }
        return try PhaseOutput(checking: immutabilityOutput, value: GoJSON.text(report.summaryJSON)).line
    }
}
