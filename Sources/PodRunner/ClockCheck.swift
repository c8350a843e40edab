import KopiaRepository
import RunnerContract

/// Says at the start of writing that this machine's clock and the storage's differ by more than kopia allows.
enum ClockCheck {
    /// - Throws: `PodRunnerError` with exit code 5 where `KOPIA_ENABLE_CLOCK_SKEW_CHECK` is set, as kopia does.
    static func run(_ repository: Repository, _ context: RunContext) async throws {
        guard let skew = try await repository.clockSkewSeconds() else { return }
        guard let text = text(skew: skew) else { return }
        let isError =
            context.environment["KOPIA_ENABLE_CLOCK_SKEW_CHECK"].map { !["", "0", "false"].contains($0) } ?? false
        guard isError else { return context.note("warning: \(text); kopia's maintenance is refused beyond 5 minutes") }
        throw PodRunnerError(
            .repository, text, hint: "set this machine's clock; or unset KOPIA_ENABLE_CLOCK_SKEW_CHECK")
    }

    /// Nil when the clocks agree well enough.
    static func text(skew: Double) -> String? {
        guard abs(skew) > Repository.clockSkewSecondsMax, abs(skew) < 1e15 else { return nil }
        return
            "this machine's clock is \(DurationText.text(Int64(abs(skew)))) \(skew > 0 ? "ahead of" : "behind") the storage's"
    }
}
