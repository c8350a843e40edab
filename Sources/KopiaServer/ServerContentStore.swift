internal import KopiaContent
internal import KopiaFormat

/// Contents of a server's repository. The client hashes, which tells it the ID at once and lets it check what comes back;
/// the server compresses, encrypts and packs.
///
/// `write` returns when the content has found room among those on their way; what the server makes of it shows at a later
/// `write` or at `flush`.
///
/// Source: kopia `repo/grpc_repository_client.go`.
struct ServerContentStore: ContentStore {
    let defaultSplitter: String
    let supportsContentCompression: Bool
    private let connection: ServerConnection
    private let hasher: KeyedHash
    private let prefetch: PackPrefetch

    init(_ connection: ServerConnection, _ parameters: SessionParameters, _ hasher: KeyedHash) {
        self.connection = connection
        self.hasher = hasher
        prefetch = PackPrefetch(connection)
        defaultSplitter = parameters.splitter
        supportsContentCompression = parameters.supportsContentCompression
    }

    @concurrent
    func write(_ plaintext: [UInt8], prefix: UInt8, compression: UInt32) async throws -> ContentID {
        try await write([plaintext], prefix: prefix, compression: compression)[0]
    }

    @concurrent
    func write(_ plaintexts: [[UInt8]], prefix: UInt8, compression: UInt32) async throws -> [ContentID] {
        guard prefix != UInt8(ascii: "m") else {
            throw ContentError(.unsupported, "a server keeps the contents of manifests to itself")
        }
        let ids = try hasher.hashes(plaintexts).map { ContentID(prefix: prefix, hash: $0) }
        for (plaintext, id) in zip(plaintexts, ids) {
            let content = WriteJournal.Content(
                plaintext: Self.compact(plaintext), compression: supportsContentCompression ? compression : 0)
            try await connection.monitor.wait { try $0.write(id, content, now: .now) ? true : nil }
        }
        return ids
    }

    /// A buffer made for the longest chunk holds the average one; hundreds of them wait for a flush. Beyond this length what is
    /// not used is not in memory either.
    static func compact(_ plaintext: [UInt8]) -> [UInt8] {
        guard plaintext.count < 1 << 20, plaintext.capacity > plaintext.count + plaintext.count / 8 else {
            return plaintext
        }
        var exact: [UInt8] = []
        exact.reserveCapacity(plaintext.count)
        exact.append(contentsOf: plaintext)
        return exact
    }

    @concurrent
    func read(_ id: ContentID) async throws -> [UInt8] {
        try plaintext(of: id, try await connection.read(.read(id)))
    }

    func read(_ ids: [ContentID]) async throws -> [[UInt8]] {
        try await prefetch.prepare(ids)
        return try await connection.read(ids.map { .read($0) }) { position, responses in
            try plaintext(of: ids[position], responses)
        }
    }

    private func plaintext(of id: ContentID, _ responses: [Response]) throws -> [UInt8] {
        switch responses.last {
        case .getContent(let answer):
            let plaintext = [UInt8](answer.data)
            let hash = try hasher.hash(plaintext.span.bytes)
            guard hash == id.hash else {
                throw ContentError(
                    .damaged, content: id,
                    "the server gives \(plaintext.count) bytes for content \(id) that have the hash "
                        + "\(ContentID(prefix: id.prefix, hash: hash))",
                    hint: "run 'kopia snapshot verify' on the server's repository")
            }
            return plaintext
        case .error(let error): throw describe(error, "read content \(id)", id)
        default: throw unexpected("the reading of content \(id)")
        }
    }

    func info(_ id: ContentID) async throws -> ContentInfo? { try await info([id]).first ?? nil }

    func info(_ ids: [ContentID]) async throws -> [ContentInfo?] {
        var infos = connection.monitor.update { state in
            ids.map { id in
                state.knownLength(of: id, now: .now).map { length in
                    ContentInfo(
                        id: id, originalLength: Int64(length), packedLength: Int64(length), isDeleted: false)
                }
            }
        }
        let unknown = infos.indices.filter { infos[$0] == nil }
        let asked = try await connection.read(unknown.map { .info(ids[$0]) }) { position, responses in
            try info(ids[unknown[position]], responses)
        }
        for (position, info) in zip(unknown, asked) { infos[position] = info }
        return infos
    }

    private func info(_ id: ContentID, _ responses: [Response]) throws -> ContentInfo? {
        switch responses.last {
        case .getContentInfo(let answer):
            return ContentInfo(
                id: id, originalLength: Int64(answer.info.originalLength),
                packedLength: Int64(answer.info.packedLength), isDeleted: answer.info.deleted)
        case .error(let error) where error.code == .contentNotFound: return nil
        case .error(let error): throw describe(error, "look for content \(id)", id)
        default: throw unexpected("the question for content \(id)")
        }
    }

    /// The protocol has no such request.
    func list(prefix: UInt8) async throws -> [ContentInfo] {
        throw ContentError(.unsupported, "a repository server does not list contents")
    }

    func flush() async throws { try await connection.flush() }

    /// The server does that by itself.
    func refresh() async throws {}

    var statistics: ContentStatistics { get async { connection.monitor.read { $0.statistics } } }

    private func describe(_ error: ErrorResponse, _ what: String, _ id: ContentID) -> any Error {
        if error.code == .contentNotFound {
            return ContentError(
                .notFound, content: id, "content \(id) is not in the server's repository",
                hint: "run 'kopia snapshot verify' on the server's repository")
        }
        return ServerError(
            error, server: connection.address.description, user: connection.credentials.description, what)
    }

    private func unexpected(_ what: String) -> ServerError {
        ServerError(.protocolViolation, "\(connection.address) gives no answer to \(what)")
    }
}
