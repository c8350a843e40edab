internal import HTTPTransport
public import KopiaContent
public import KopiaFormat
public import KopiaManifest

/// A repository behind a kopia repository server: the same two stores that a repository in blobs has.
///
/// Concurrency and memory: as `ContentStore` and `ManifestStore`. Besides what calls hold: at most 96 MiB of contents that
/// are not flushed (`WriteJournal`), twice 16 MiB on their way, and 24 MiB of knowledge about contents.
public struct ServerRepository: Sendable {
    public let contents: any ContentStore
    public let manifests: any ManifestStore
    /// kopia's name.
    public let hash: String
    /// kopia's name.
    public let splitter: String
    /// The secret of the content hash, as the repository's format has it.
    public let hashSecret: SecretBytes

    /// Opens a session, runs `body`, and closes the session: in order when everything is flushed, else by cancelling it, so
    /// that nothing is published that was not meant to be.
    ///
    /// A session that breaks is opened again: what reads is asked again, contents that were not flushed are written again.
    ///
    /// - Throws: `ServerError`, what `body` throws.
    public static func with<Result>(
        _ address: ServerAddress, _ credentials: ServerCredentials, _ options: ServerOptions = ServerOptions(),
        _ body: (ServerRepository) async throws -> Result
    ) async throws -> Result {
        try await with(address, credentials, options, environment: .system, body)
    }

    static func with<Result>(
        _ address: ServerAddress, _ credentials: ServerCredentials, _ options: ServerOptions,
        environment: RetryPolicy.Environment, _ body: (ServerRepository) async throws -> Result
    ) async throws -> Result {
        let connection = try ServerConnection(address, credentials, options, environment: environment)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { await connection.run() }
            group.addTask { try await connection.flushWhenWanted() }
            let parameters = try await connection.parameters()
            let repository = try ServerRepository(connection, parameters)
            let result = try await body(repository)
            await connection.close()
            return result
        }
    }

    private init(_ connection: ServerConnection, _ parameters: SessionParameters) throws {
        let hasher = try KeyedHash(parameters.hash, key: parameters.secret)
        contents = ServerContentStore(connection, parameters, hasher)
        manifests = ServerManifestStore(connection)
        hash = parameters.hash.rawValue
        splitter = parameters.splitter
        hashSecret = parameters.secret
    }
}

extension ServerConnection {
    /// What the server says of its repository, once a session is open.
    func parameters() async throws -> SessionParameters {
        try await monitor.wait { state in
            if let failure = state.failure { throw failure }
            return state.isOpen ? state.parameters : nil
        }
    }

    /// Closes the session in order when nothing is left to flush; waits for the server's word, but not for ever.
    func close() async {
        monitor.update { $0.requestClose() }
        guard monitor.read({ !$0.isDirty && $0.failure == nil }) else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = try? await self.monitor.wait { $0.failure == nil ? nil : true } }
            group.addTask { try? await self.environment.sleep(self.options.closeTimeout) }
            await group.next()
            group.cancelAll()
        }
    }

    // MARK: Flushing

    /// Flushes whenever too much waits for it. Ends with the task.
    ///
    /// - Throws: `CancellationError`.
    func flushWhenWanted() async throws {
        while true {
            let sequence = try await monitor.wait { state -> UInt64? in
                if state.failure != nil { return 0 }
                return state.journal.wantsFlush ? state.journal.lastSequence : nil
            }
            guard sequence > 0 else { return }
            do {
                try await exclusive.withPermit { try await self.flush(upTo: sequence, inBackground: true) }
            } catch let error as CancellationError {
                throw error
            } catch {
                // Whoever writes or flushes next learns it.
                monitor.update { $0.failWrites(error) }
                return
            }
        }
    }

    /// Makes everything durable that was written so far, contents and manifests.
    ///
    /// - Throws: `ManifestError.Code.lost`; the failure of the connection or of a write.
    func flush() async throws {
        let sequence = monitor.read { $0.journal.lastSequence }
        try await exclusive.withPermit { try await self.flush(upTo: sequence, inBackground: false) }
    }

    /// - Parameter inBackground: what became of manifests is left to whoever put them.
    private func flush(upTo sequence: UInt64, inBackground: Bool) async throws {
        while true {
            try monitor.read { try $0.checkWrites() }
            guard monitor.read({ $0.isDirty || !$0.journal.isEmpty || !$0.unflushed.isEmpty }) else { return }
            if !inBackground { try await restoreManifests() }
            // Nothing to flush after all: everything was there already.
            let isNeeded = try await monitor.wait { state -> Bool? in
                try state.checkWrites()
                guard state.journal.isAnswered(upTo: sequence) else { return nil }
                return state.isDirty || !state.unflushed.isEmpty
            }
            guard isNeeded else { return }
            do {
                let (responses, generation) = try await change(.flushEverything, after: sequence)
                if case .error(let error)? = responses.last {
                    throw ServerError(
                        error, server: address.description, user: credentials.description, "make the backup durable")
                }
                monitor.update { $0.flushed(upTo: sequence, inSession: generation, now: .now) }
                return
            } catch is ConnectionState.SessionLost {
                // The contents are on their way again; what became of manifests shows next.
                continue
            }
        }
    }
}
