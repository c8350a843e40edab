internal import HTTPTransport
internal import KopiaBlob

/// Reads one object as a stream and goes on where a connection broke.
struct ObjectDownload: Sendable {
    let service: CloudService
    let subject: CloudService.Subject

    /// - Parameters:
    ///   - prepare: the signed request with these fields, which say where to go on and in which object.
    ///   - refuse: what an answer that is no success means.
    func run(
        prepare: (HTTPHeaders) async throws -> HTTPRequest,
        refuse: (HTTPResponse) -> CloudService.Failure, to sink: ([UInt8]) async throws -> Void
    ) async throws {
        var position = Position()
        let environment = service.environment.retryEnvironment
        var begin = environment.uptime()
        var attempt = 1
        while true {
            let before = position.offset
            do {
                return try await readOn(&position, prepare, refuse, sink)
            } catch let failure as CloudService.Failure {
                // Whatever moves on is not the same failure again.
                if position.offset > before { (attempt, begin) = (1, environment.uptime()) }
                guard failure.error.isTransient else { throw failure.error }
                guard
                    let pause = service.retry.pause(
                        afterAttempt: attempt, begin: begin, asked: failure.retryAfter, environment)
                else {
                    service.gaveUp()
                    throw failure.error
                }
                service.environment.onTrouble?(failure.error.message)
                try await environment.sleep(pause)
                attempt += 1
            }
        }
    }

    private struct Position {
        var offset: Int64 = 0
        var length: Int64?
        var entityTag: String?
    }

    private func readOn(
        _ position: inout Position, _ prepare: (HTTPHeaders) async throws -> HTTPRequest,
        _ refuse: (HTTPResponse) -> CloudService.Failure, _ sink: ([UInt8]) async throws -> Void
    ) async throws {
        // Everything is there, only the end of the connection was not.
        if let length = position.length, length == position.offset { return }
        let offset = position.offset
        var headers: HTTPHeaders = [:]
        if offset > 0 { headers["Range"] = "bytes=\(offset)-" }
        headers["If-Match"] = position.entityTag
        let request = try await prepare(headers)
        var reached = position
        defer { position = reached }
        do {
            try await service.client.withResponse(to: request) { head, body in
                guard head.isSuccess else {
                    let text = try await body.collect(limit: CloudService.documentBytesMax)
                    throw head.status == 412
                        ? broken("it was replaced while it was read", isTransient: false)
                        : refuse(HTTPResponse(head: head, body: text))
                }
                let announced = head.headers["Content-Length"].flatMap { Int64($0) }
                if offset > 0 {
                    guard head.status == 206 || head.headers["Content-Range"] != nil else {
                        throw broken("the service does not continue a broken download", isTransient: false)
                    }
                    if let tag = head.headers["ETag"], let first = reached.entityTag, tag != first {
                        throw broken("it was replaced while it was read", isTransient: false)
                    }
                } else {
                    reached.entityTag = head.headers["ETag"]
                    reached.length = announced
                }
                service.answered()
                while let chunk = try await body.next() {
                    try await sink(chunk)
                    reached.offset += Int64(chunk.count)
                }
                if let length = reached.length, reached.offset != length {
                    throw broken("\(reached.offset) of \(length) bytes came", isTransient: reached.offset < length)
                }
            }
        } catch let error as HTTPError {
            throw CloudService.Failure(error: CloudService.blobError(error, subject))
        }
    }

    private func broken(_ reason: String, isTransient: Bool) -> CloudService.Failure {
        CloudService.Failure(
            error: BlobError(
                .io, "could not \(subject.action): \(reason)", hint: "run it again", isTransient: isTransient))
    }
}
