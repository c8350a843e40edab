/// How `pod-runner` and `karaffe` end. Documented in the README; scripts depend on it.
public enum ExitCode: Int32, Sendable, CaseIterable {
    case done = 0
    /// A phase's command failed with an exit code that is none of those below; the message says which.
    case failed = 1
    case usage = 2
    /// Blueprint, profile or connection settings are wrong.
    case input = 3
    /// Source or target database.
    case database = 4
    /// Repository or storage.
    case repository = 5
    case verification = 6
    /// Any failure when running under the name `kando`.
    case kando = 69
    case interrupted = 130
    case terminated = 143
}
