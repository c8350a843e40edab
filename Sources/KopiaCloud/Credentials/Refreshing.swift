internal import GoFormats
internal import KopiaBlob

/// A credential with an end. Nil means it has none.
struct Expiring<Value: Sendable>: Sendable {
    let value: Value
    let until: Timestamp?
}

/// A credential that is fetched when it is first needed and again before it ends: five minutes, or a quarter of a shorter life.
///
/// Concurrency: any number of tasks may ask; one fetch is on the way at a time. While the old one still holds, a failed
/// fetch is not an error.
actor Refreshing<Value: Sendable> {
    private let clock: @Sendable () -> Timestamp
    private let fetch: @Sendable () async throws -> Expiring<Value>
    private var current: Expiring<Value>?
    private var fetchedAt = Timestamp(seconds: 0)
    private var pending: Task<Expiring<Value>, any Error>?

    init(clock: @escaping @Sendable () -> Timestamp, _ fetch: @escaping @Sendable () async throws -> Expiring<Value>) {
        self.clock = clock
        self.fetch = fetch
    }

    func value() async throws -> Value {
        let now = clock()
        if let current, !isDue(current, now) { return current.value }
        // One task for all who wait; each awaits it, so that it never outlives them.
        let task = pending ?? Task { [fetch] in try await fetch() }
        pending = task
        do {
            let fetched = try await task.value
            if pending == task {
                pending = nil
                current = fetched
                fetchedAt = now
            }
            return fetched.value
        } catch {
            if pending == task { pending = nil }
            if let current, let until = current.until, now < until { return current.value }
            throw error
        }
    }

    private func isDue(_ credential: Expiring<Value>, _ now: Timestamp) -> Bool {
        guard let until = credential.until else { return false }
        let life = until.secondsSince(fetchedAt)
        return until.secondsSince(now) <= min(300, life / 4)
    }
}
