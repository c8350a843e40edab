internal import GoFormats
internal import KopiaContent
internal import KopiaFormat
internal import KopiaManifest
internal import Synchronization

/// Manifests of a server's repository.
///
/// Concurrency and memory: all calls may run concurrently; keeps every manifest it has read (they never change), as the
/// store over contents does.
///
/// Source: kopia `repo/grpc_repository_client.go`.
final class ServerManifestStore: ManifestStore {
    private let connection: ServerConnection
    private let seen = Mutex<[ManifestID: ManifestEntry]>([:])

    /// What kopia's command line asks for.
    private static let pageSize: Int32 = 1000

    init(_ connection: ServerConnection) { self.connection = connection }

    func put(labels: [String: String], payload: JSONValue) async throws -> ManifestID {
        guard labels["type"]?.isEmpty == false else {
            throw ManifestError(.invalid, "a manifest needs the label 'type'")
        }
        return try await connection.put(GoJSON.encode(payload), labels: labels)
    }

    func get(_ id: ManifestID) async throws -> ManifestEntry? {
        // Asked even when seen: it may have been deleted.
        let responses = try await connection.read(.get(id))
        switch responses.last {
        case .getManifest(let answer):
            let entry = try Self.entry(id, answer)
            seen.withLock { $0[id] = entry }
            return entry
        case .error(let error) where error.code == .manifestNotFound: return nil
        case .error(let error): throw describe(error, "read manifest \(id)")
        default: throw unexpected("the reading of manifest \(id)")
        }
    }

    func find(labels: [String: String]) async throws -> [ManifestEntry] {
        let found = try await search(labels)
        let unseen = seen.withLock { seen in found.filter { seen[$0] == nil } }
        let fresh = try await withThrowingTaskGroup(of: ManifestEntry?.self) { group in
            for id in unseen { group.addTask { try await self.get(id) } }
            var fresh: [ManifestID: ManifestEntry] = [:]
            // Nil: deleted meanwhile.
            for try await entry in group { if let entry { fresh[entry.id] = entry } }
            return fresh
        }
        let entries = seen.withLock { seen in found.compactMap { fresh[$0] ?? seen[$0] } }
        return entries.sorted { ($0.modified, $0.id) < ($1.modified, $1.id) }
    }

    private func search(_ labels: [String: String]) async throws -> [ManifestID] {
        var found: [ManifestID] = []
        for response in try await connection.read(.find(labels, pageSize: Self.pageSize)) {
            switch response {
            case .findManifests(let page):
                for metadata in page.metadata {
                    guard let id = ManifestID(metadata.id) else {
                        throw unexpected("a search for manifests: '\(metadata.id)' is no manifest ID")
                    }
                    found.append(id)
                }
            case .error(let error): throw describe(error, "search manifests")
            default: throw unexpected("a search for manifests")
            }
        }
        return found
    }

    func delete(_ id: ManifestID) async throws { try await connection.delete(id) }

    func flush() async throws { try await connection.flush() }

    private static func entry(
        _ id: ManifestID, _ answer: KopiaRepository_GetManifestResponse
    ) throws -> ManifestEntry {
        do {
            return ManifestEntry(
                id: id, labels: answer.metadata.labels,
                modified: Timestamp(unixNanoseconds: answer.metadata.modTimeNanos),
                payload: try JSONParser.parse([UInt8](answer.jsonData)))
        } catch {
            throw ManifestError(.malformed, "manifest \(id) is no JSON: \(error)")
        }
    }

    private func describe(_ error: ErrorResponse, _ what: String) -> ServerError {
        ServerError(error, server: connection.address.description, user: connection.credentials.description, what)
    }

    private func unexpected(_ what: String) -> ServerError {
        ServerError(.protocolViolation, "\(connection.address) gives no answer to \(what)")
    }
}

extension ServerConnection {
    /// Puts a manifest after everything that was written before is answered. Durable after `flush`, which tells when the
    /// server has lost it meanwhile.
    func put(_ json: [UInt8], labels: [String: String]) async throws -> ManifestID {
        let sequence = monitor.read { $0.journal.lastSequence }
        return try await exclusive.withPermit {
            while true {
                try await self.restoreManifests()
                let answer: (responses: [Response], generation: Int)
                do {
                    answer = try await self.change(.put(json, labels: labels), after: sequence)
                } catch is ConnectionState.SessionLost {
                    // Nothing of an unfinished session survives: this put did not happen.
                    continue
                }
                switch answer.responses.last {
                case .putManifest(let put):
                    guard let id = ManifestID(put.manifestID) else {
                        throw ServerError(.protocolViolation, "\(self.address) names a manifest '\(put.manifestID)'")
                    }
                    self.monitor.update { state in
                        state.unflushed.puts.append(id)
                        state.unflushed.generation = answer.generation
                    }
                    return id
                case .error(let error): throw self.describe(error, "write a \(labels["type"] ?? "") manifest")
                default: throw ServerError(.protocolViolation, "\(self.address) gives no answer to a put")
                }
            }
        }
    }

    func delete(_ id: ManifestID) async throws {
        try await exclusive.withPermit {
            try await self.restoreManifests()
            try await self.deleteNow(id)
        }
    }

    private func deleteNow(_ id: ManifestID) async throws {
        while true {
            let answer: (responses: [Response], generation: Int)
            do {
                answer = try await change(.delete(id), after: 0)
            } catch is ConnectionState.SessionLost {
                continue
            }
            switch answer.responses.last {
            case .error(let error) where error.code == .manifestNotFound: break
            case .error(let error): throw describe(error, "delete manifest \(id)")
            default: break
            }
            monitor.update { state in
                state.unflushed.puts.removeAll { $0 == id }
                state.unflushed.deletions.append(id)
                state.unflushed.generation = answer.generation
            }
            return
        }
    }

    /// Looks what became of the manifests put and deleted in a session that has ended since. A flush publishes all of them
    /// at once, so if one of those that were put is there, everything is. Deletions are made again.
    ///
    /// - Throws: `ManifestError.Code.lost` when those that were put are gone.
    func restoreManifests() async throws {
        while true {
            let (unflushed, generation) = try await monitor.wait { state -> (ConnectionState.Unflushed, Int)? in
                try state.checkWrites()
                return state.isOpen || state.unflushed.isEmpty ? (state.unflushed, state.generation) : nil
            }
            guard !unflushed.isEmpty, unflushed.generation != generation else { return }
            if let id = unflushed.puts.first {
                let responses = try await read(.get(id))
                monitor.update { $0.unflushed = ConnectionState.Unflushed() }
                if case .getManifest? = responses.last { return }
                throw ManifestError(
                    .lost, "\(address) was restarted before manifest \(id) was durable", hint: "it must be put again")
            }
            monitor.update { state in
                state.unflushed = ConnectionState.Unflushed()
            }
            for id in unflushed.deletions { try await deleteNow(id) }
        }
    }

    private func describe(_ error: ErrorResponse, _ what: String) -> ServerError {
        ServerError(error, server: address.description, user: credentials.description, what)
    }
}
