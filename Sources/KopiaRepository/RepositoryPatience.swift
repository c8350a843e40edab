/// How long one waits for a storage service or a repository server that says nothing, and who hears of it.
public struct RepositoryPatience: Sendable {
    /// After that long without a byte a request, or a session, counts as failed and is tried again. Nil: one minute for
    /// storage services, five for repository servers.
    public var silenceMax: Duration?
    /// Hears why something failed that is about to be tried again, and nil when the place answers again. Called from any
    /// task, so it must be quick. A folder has nothing to say.
    public var onTrouble: (@Sendable (String?) -> Void)?
    /// Waits between attempts to reach a storage service.
    package var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    public init() {}
}
