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
    static func read(_ id: ContentID) -> Request { .getContent(.with { $0.contentID = id.description }) }

    static func write(_ plaintext: [UInt8], prefix: UInt8, compression: UInt32) -> Request {
        .writeContent(
            .with {
                $0.prefix = prefix == 0 ? "" : String(UnicodeScalar(prefix))
                $0.data = Data(plaintext)
                $0.compression = compression
            })
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
        throw ServerError(
            .tooLarge, "\(request.name) needs a message of more than \(lengthMax) bytes, the most a server takes",
            hint: "use a splitter with smaller chunks")
    }
    return GRPCFrame.header(length: bytes.count) + bytes
}
