extension PostgresClient {
    /// Connects so many times for the time of `body`, without limits of time; fewer, when the server has no more (SQLSTATE 53300).
    /// Only the first has patience.
    ///
    /// - Parameter open: connections that are there already and count; they stay open.
    /// - Throws: `PostgresError`, of the first connection for want of one too; what `body` throws; `CancellationError`.
    static func with<Value: Sendable>(
        _ settings: PostgresSettings, connections count: Int, besides open: [PostgresClient] = [],
        body: ([PostgresClient]) async throws -> Value
    ) async throws -> Value {
        if open.count >= count { return try await body(open) }
        var isOpen = false
        var settings = settings
        if !open.isEmpty { settings.patience = .zero }
        do {
            return try await PostgresClient.with(settings) { client in
                isOpen = true
                try await client.liftTimeLimits()
                return try await with(settings, connections: count, besides: open + [client], body: body)
            }
        } catch let error as PostgresError where error.sqlState == "53300" && !isOpen && !open.isEmpty {
            return try await body(open)
        }
    }
}

extension Array where Element: Sendable {
    /// Works on the elements over connections, begun in their order, one on a connection at a time; the first error ends all of
    /// them.
    ///
    /// Concurrency and memory: a task for each connection.
    ///
    /// - Parameters:
    ///   - clients: at least one, unless there are no elements. The largest elements should come first, so that no connection is
    ///     left alone with one at the end.
    ///   - done: called after each element with what `work` returned, by one task.
    /// - Throws: what `work` and `done` throw; `CancellationError`.
    func forEach<Client: Sendable, Value: Sendable>(
        over clients: [Client], _ work: @escaping @Sendable (Element, Client) async throws -> Value,
        done: (Element, Value) throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: (client: Client, element: Element, value: Value).self) { group in
            var idle = clients
            for element in self {
                if idle.isEmpty, let finished = try await group.next() {
                    try done(finished.element, finished.value)
                    idle.append(finished.client)
                }
                guard let client = idle.popLast() else { return }
                group.addTask { (client, element, try await work(element, client)) }
            }
            while let finished = try await group.next() { try done(finished.element, finished.value) }
        }
    }
}
