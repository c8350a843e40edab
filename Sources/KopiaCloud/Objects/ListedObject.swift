internal import GoFormats
internal import HTTPTransport
internal import KopiaBlob

/// An object as lists show it.
struct ListedObject: Sendable, Hashable {
    let name: String
    let length: Int64
    /// As kopia counts it: a time it keeps in metadata goes before that of the service.
    let timestamp: Timestamp
    let modified: Timestamp
    /// Where the service keeps versions and names them in this list.
    var version: String?
    var isCurrent = true

    /// Nil for what is somebody else's: a name without the prefix, or one that is no blob ID (it has a `/`).
    private func blobID(prefix: String) -> BlobID? {
        guard name.utf8.starts(with: prefix.utf8) else { return nil }
        return BlobID(String(decoding: name.utf8.dropFirst(prefix.utf8.count), as: UTF8.self))
    }

    func blob(prefix: String) -> BlobMetadata? {
        blobID(prefix: prefix).map { BlobMetadata(id: $0, length: length, timestamp: timestamp) }
    }

    /// Azure names a version by its time, which is finer than that of the blob.
    func blobVersion(prefix: String) -> BlobVersion? {
        guard let version, let id = blobID(prefix: prefix) else { return nil }
        return BlobVersion(
            id: id, version: version, time: Timestamp(rfc3339: version) ?? modified, length: length,
            isCurrent: isCurrent)
    }
}

/// One page of a list.
protocol ListPage: Sendable {
    /// Where the next page starts; nil on the last.
    var next: String? { get }
}

extension ListPage {
    /// A list as the service sent it.
    ///
    /// - Parameter name: of the list's element.
    static func document(
        _ body: [UInt8], _ name: String, _ malformed: (String) -> CloudService.Failure
    ) throws(CloudService.Failure) -> XMLElement {
        let document: XMLElement
        do throws(XMLReader.Malformed) { document = try XMLReader.parse(body) } catch {
            throw malformed("the list is not XML: \(error)")
        }
        guard document.name == name else { throw malformed("the answer is '\(document.name)', not a list") }
        return document
    }
}

struct ObjectPage: ListPage {
    var objects: [ListedObject] = []
    var next: String?
}

extension CloudService {
    /// Walks the pages of a list.
    ///
    /// - Parameter page: the page that starts there; nil for the first.
    static func forEachPage<Page: ListPage>(
        _ subject: Subject, _ page: (_ start: String?) async throws -> Page, _ body: (Page) async throws -> Void
    ) async throws {
        var start: String?
        repeat {
            let found = try await page(start)
            try await body(found)
            guard found.next == nil || found.next != start else {
                throw BlobError(
                    .io, "could not \(subject.action): the same page was announced twice",
                    hint: "check that the endpoint is the storage service")
            }
            start = found.next
        } while start != nil
    }
}
