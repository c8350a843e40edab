internal import GoFormats
internal import HTTPTransport
internal import KopiaBlob

/// One page of ListObjectVersions.
///
/// Source: Amazon S3 API Reference, ListObjectVersions.
struct S3VersionPage: ListPage {
    private(set) var versions: [BlobVersion] = []
    /// Start of the query for the next page; nil on the last one.
    private(set) var next: String?

    /// Objects whose name without the prefix is no blob ID are somebody else's.
    init(
        _ body: [UInt8], prefix: String, malformed: (String) -> CloudService.Failure
    ) throws(CloudService.Failure) {
        let document = try Self.document(body, "ListVersionsResult", malformed)
        if document.value("IsTruncated") == "true" {
            guard let key = document.value("NextKeyMarker"), !key.isEmpty else {
                throw malformed("the list goes on but does not say where")
            }
            var query = "key-marker=\(PercentEncoding.encode(key))"
            if let version = document.value("NextVersionIdMarker"), !version.isEmpty {
                query += "&version-id-marker=\(PercentEncoding.encode(version))"
            }
            next = query
        }
        for item in document.children where item.name == "Version" || item.name == "DeleteMarker" {
            let isMarker = item.name == "DeleteMarker"
            guard let key = item.value("Key"), let version = item.value("VersionId"),
                let time = item.value("LastModified").flatMap({ Timestamp(rfc3339: $0) }),
                let length = isMarker ? 0 : item.value("Size").flatMap({ Int64($0) })
            else { throw malformed("a version in the list has no name, number, size or time") }
            guard key.utf8.starts(with: prefix.utf8),
                let id = BlobID(String(decoding: key.utf8.dropFirst(prefix.utf8.count), as: UTF8.self))
            else { continue }
            versions.append(
                BlobVersion(
                    id: id, version: version, time: time, length: length, isDeleteMarker: isMarker,
                    isCurrent: item.value("IsLatest") == "true"))
        }
    }
}
