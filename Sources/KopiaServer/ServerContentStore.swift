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

    init(_ connection: ServerConnection, _ parameters: SessionParameters, _ hasher: KeyedHash) {
        self.connection = connection
        self.hasher = hasher
        defaultSplitter = parameters.splitter
        supportsContentCompression = parameters.supportsContentCompression
    }

    @concurrent
    func write(_ plaintext: [UInt8], prefix: UInt8, compression: UInt32) async throws -> ContentID {
        guard prefix != UInt8(ascii: "m") else {
            throw ContentError(.unsupported, "a server keeps the contents of manifests to itself")
        }
        let id = ContentID(prefix: prefix, hash: try hasher.hash(plaintext.span.bytes))
        let content = WriteJournal.Content(
            plaintext: plaintext, compression: supportsContentCompression ? compression : 0)
        try await connection.monitor.wait { try $0.write(id, content, now: .now) ? true : nil }
        return id
    }

    @concurrent
    func read(_ id: ContentID) async throws -> [UInt8] {
        let responses = try await connection.read(.read(id))
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

    func read(_ ids: [ContentID]) async throws -> [[UInt8]] {
        try await all(ids) { try await read($0) }
    }

    func info(_ id: ContentID) async throws -> ContentInfo? {
        if let length = connection.monitor.update({ $0.knownLength(of: id, now: .now) }) {
            return ContentInfo(
                id: id, originalLength: Int64(length), packedLength: Int64(length), isDeleted: false)
        }
        let responses = try await connection.read(.info(id))
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

    func info(_ ids: [ContentID]) async throws -> [ContentInfo?] {
        try await all(ids) { try await info($0) }
    }

    /// Answers in the order of the questions; `ServerConnection.read` bounds how many are out.
    private func all<Answer: Sendable>(
        _ ids: [ContentID], _ ask: @escaping @Sendable (ContentID) async throws -> Answer
    ) async throws -> [Answer] {
        guard ids.count > 1 else {
            guard let only = ids.first else { return [] }
            return [try await ask(only)]
        }
        return try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
            for (position, id) in ids.enumerated() { group.addTask { (position, try await ask(id)) } }
            var answers = [Answer?](repeating: nil, count: ids.count)
            for try await (position, answer) in group { answers[position] = answer }
            return answers.compactMap { $0 }
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
