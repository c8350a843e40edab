import GoFormats
import KopiaContent
import KopiaFormat

/// One state of one manifest, or the word that it is gone.
struct ManifestRecord: Sendable, Hashable {
    let id: ManifestID
    let modified: Timestamp
    /// Nil: deleted.
    let document: Document?

    struct Document: Sendable, Hashable {
        let labels: [String: String]
        let payload: JSONValue
    }
}

/// The plaintext of a content with prefix `m`: gzip of one JSON text.
///
///     {"entries":[{"id":"…","labels":{…},"modified":"…","data":{…}},
///                 {"id":"…","labels":null,"modified":"…","deleted":true,"data":null}]}⏎
///
/// Only `entries` may be in the object: kopia cannot skip another member and would not open the repository.
///
/// Source: kopia `repo/manifest/serialized.go`, reader `decodeManifestArray`, writer `json.NewEncoder`.
enum ManifestContainer {
    static let contentPrefix = UInt8(ascii: "m")
    /// JSON of one content that is read.
    private static let lengthMax = 256 << 20

    static func encode(_ records: [ManifestRecord]) throws -> [UInt8] {
        let entries = records.map { record -> JSONValue in
            var entry = JSONObject([
                "id": .string(record.id.description), "labels": .null,
                "modified": .string(record.modified.description),
            ])
            if let document = record.document {
                let labels = document.labels.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                entry["labels"] = .object(JSONObject(labels.map { .init(key: $0.key, value: .string($0.value)) }))
            } else {
                entry["deleted"] = true
            }
            entry["data"] = record.document?.payload ?? .null
            return .object(entry)
        }
        return try Gzip.compress(GoJSON.encode(["entries": .array(entries)], style: .encoder))
    }

    /// - Throws: `ManifestError.Code.malformed`.
    static func decode(_ bytes: [UInt8], of content: ContentID) throws -> [ManifestRecord] {
        func malformed(_ detail: String) -> ManifestError {
            ManifestError(
                .malformed, content: content, "manifest content \(content) is malformed: \(detail)",
                hint: "kopia cannot use the repository either; look at the content with 'kopia content show'")
        }
        let json: JSONValue
        do {
            json = try JSONParser.parse(
                try Gzip.decompress(bytes, lengthMax: lengthMax), limits: .init(depth: 64, bytes: lengthMax))
        } catch let error as FormatError {
            throw malformed(error.message)
        } catch {
            throw malformed("\(error)")
        }
        guard let entries = json["entries"]?.arrayValue else { throw malformed("it has no array 'entries'") }
        return try entries.enumerated().map { position, value in
            guard let entry = value.objectValue, let text = entry.caseInsensitive("id")?.stringValue,
                let id = ManifestID(text)
            else { throw malformed("entry \(position) has no ID") }
            guard let modifiedText = entry.caseInsensitive("modified")?.stringValue,
                let modified = Timestamp(rfc3339: modifiedText)
            else { throw malformed("entry \(id) has no time 'modified'") }
            if entry.caseInsensitive("deleted")?.boolValue == true {
                return ManifestRecord(id: id, modified: modified, document: nil)
            }
            var labels: [String: String] = [:]
            for member in entry.caseInsensitive("labels")?.objectValue?.members ?? [] {
                guard let label = member.value.stringValue else {
                    throw malformed("label '\(member.key)' of entry \(id) is no string")
                }
                labels[member.key] = label
            }
            let payload = entry.caseInsensitive("data") ?? .null
            return ManifestRecord(id: id, modified: modified, document: .init(labels: labels, payload: payload))
        }
    }
}
