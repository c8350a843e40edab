internal import KopiaContent
internal import KopiaManifest
internal import SwiftProtobuf

#if canImport(FoundationEssentials)
    internal import struct FoundationEssentials.Data
#else
    internal import struct Foundation.Data
#endif

typealias SessionRequest = KopiaRepository_SessionRequest
typealias SessionResponse = KopiaRepository_SessionResponse
typealias Request = KopiaRepository_SessionRequest.OneOf_Request
typealias Response = KopiaRepository_SessionResponse.OneOf_Response
typealias ErrorResponse = KopiaRepository_ErrorResponse

/// The requests this program sends.
extension Request {
    static func open(purpose: String, isReadOnly: Bool) -> Request {
        .initializeSession(.with { ($0.purpose, $0.readOnly) = (purpose, isReadOnly) })
    }

    static func info(_ id: ContentID) -> Request { .getContentInfo(.with { $0.contentID = id.description }) }
    /// Costs the server a look into its index, and needs no more rights than any reading.
    static var probe: Request { info(ContentID(prefix: 0, hash: [UInt8](repeating: 0, count: 16))) }
    static func read(_ id: ContentID) -> Request { .getContent(.with { $0.contentID = id.description }) }

    /// The writing of a content without its bytes, which `writingHead` puts behind it.
    static func write(prefix: UInt8, compression: UInt32) -> Request {
        .writeContent(
            .with {
                $0.prefix = prefix == 0 ? "" : String(UnicodeScalar(prefix))
                $0.compression = compression
            })
    }

    /// - Parameter hint: `blobs` for whole packs.
    static func prefetch(_ ids: [ContentID], hint: String) -> Request {
        .prefetchContents(.with { ($0.contentIds, $0.hint) = (ids.map(\.description), hint) })
    }

    static var flushEverything: Request { .flush(KopiaRepository_FlushRequest()) }

    static func get(_ id: ManifestID) -> Request { .getManifest(.with { $0.manifestID = id.description }) }
    static func delete(_ id: ManifestID) -> Request { .deleteManifest(.with { $0.manifestID = id.description }) }

    static func put(_ json: [UInt8], labels: [String: String]) -> Request {
        .putManifest(.with { ($0.jsonData, $0.labels) = (Data(json), labels) })
    }

    static func find(_ labels: [String: String], pageSize: Int32) -> Request {
        .findManifests(.with { ($0.labels, $0.pageSize) = (labels, pageSize) })
    }
}

extension Request {
    /// For messages.
    var name: String {
        switch self {
        case .initializeSession: "the opening of a session"
        case .getContentInfo: "the question for a content"
        case .flush: "a flush"
        case .writeContent: "the writing of a content"
        case .getContent: "the reading of a content"
        case .getManifest: "the reading of a manifest"
        case .putManifest: "the writing of a manifest"
        case .findManifests: "a search for manifests"
        case .deleteManifest: "the deletion of a manifest"
        case .prefetchContents: "a prefetch"
        case .applyRetentionPolicy: "a retention"
        case .sendNotification: "a notification"
        case .getCapacity: "the question for the capacity"
        }
    }

    /// Whether `response` is one to this request; an error is one to any.
    func isAnswered(by response: Response) -> Bool {
        switch (self, response) {
        case (_, .error), (.initializeSession, .initializeSession), (.getContentInfo, .getContentInfo),
            (.flush, .flush), (.writeContent, .writeContent), (.getContent, .getContent),
            (.getManifest, .getManifest), (.putManifest, .putManifest), (.findManifests, .findManifests),
            (.deleteManifest, .deleteManifest), (.prefetchContents, .prefetchContents),
            (.applyRetentionPolicy, .applyRetentionPolicy), (.sendNotification, .sendNotification),
            (.getCapacity, .getCapacity):
            return true
        default: return false
        }
    }
}

/// A request as it goes over the wire: frame header and message.
///
/// - Throws: `ServerError.Code.tooLarge`.
func frame(_ request: Request, id: Int64, lengthMax: Int) throws(ServerError) -> [UInt8] {
    var message = SessionRequest()
    message.requestID = id
    message.request = request
    guard let bytes = try? message.serializedBytes() as [UInt8], bytes.count <= lengthMax else {
        throw tooLarge(request, lengthMax)
    }
    return GRPCFrame.header(length: bytes.count) + bytes
}

/// What goes before the plaintext of a content so that both together are a frame with its writing: the plaintext need
/// not be copied. kopia's order of fields but for the data, which is last; the order is free in protobuf.
///
/// - Throws: `ServerError.Code.tooLarge`.
func writingHead(
    _ length: Int, prefix: UInt8, compression: UInt32, id: Int64, lengthMax: Int
) throws(ServerError) -> [UInt8] {
    let request = Request.write(prefix: prefix, compression: compression)
    guard case .writeContent(let withoutData) = request, var writing = try? withoutData.serializedBytes() as [UInt8],
        var head = try? SessionRequest.with({ $0.requestID = id }).serializedBytes() as [UInt8]
    else { throw tooLarge(request, lengthMax) }
    // Field 2 of the writing: its data; field 13 of the request: the writing.
    writing += [0x12] + varint(length)
    head += [0x6a] + varint(writing.count + length)
    head += writing
    guard head.count + length <= lengthMax else { throw tooLarge(request, lengthMax) }
    return GRPCFrame.header(length: head.count + length) + head
}

private func tooLarge(_ request: Request, _ lengthMax: Int) -> ServerError {
    ServerError(
        .tooLarge, "\(request.name) needs a message of more than \(lengthMax) bytes, the most a server takes",
        hint: "use a splitter with smaller chunks")
}

private func varint(_ value: Int) -> [UInt8] {
    var rest = UInt64(value)
    var bytes: [UInt8] = []
    while rest > 127 {
        bytes.append(UInt8(rest & 127) | 128)
        rest >>= 7
    }
    return bytes + [UInt8(rest)]
}

/// Frames that are sent together: small ones in one piece, the plaintext of large ones as it lies.
struct FrameParts {
    /// Below this, copying is cheaper than another piece.
    private static let copiedBelow = 64 << 10

    private(set) var parts: [[UInt8]] = []
    private var isLastOurs = false

    /// Taken by whoever sends it.
    mutating func append(_ bytes: [UInt8]) {
        guard bytes.count < Self.copiedBelow else {
            parts.append(bytes)
            isLastOurs = false
            return
        }
        if !isLastOurs {
            parts.append([])
            isLastOurs = true
        }
        parts[parts.count - 1] += bytes
    }
}
