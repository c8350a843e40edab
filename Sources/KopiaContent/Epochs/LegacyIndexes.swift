import GoFormats
public import KopiaBlob

/// Index blobs of repositories without epochs: `n` blobs, less those that a compaction replaced.
///
/// A compaction writes its outputs (`n`), then a log (`m`) that names inputs and outputs, and much later deletes the
/// inputs. The log counts only while all its outputs exist.
///
/// Source: kopia `repo/content/indexblob/index_blob_manager_v0.go`; `kopia-format` §4.7.
public enum LegacyIndexes {
    static let indexPrefix = "n"
    static let compactionLogPrefix = "m"
    /// Left by a format upgrade so that old clients fail; never an index.
    static let poison =
        "n00000000000000000000000000000000-repository_unreadable_by_this_kopia_version_upgrade_required"

    /// What a decrypted compaction log says.
    public struct CompactionLog: Sendable, Hashable {
        public let inputs: Set<String>
        public let outputs: Set<String>

        public init(inputs: Set<String>, outputs: Set<String>) {
            self.inputs = inputs
            self.outputs = outputs
        }

        /// - Throws: `IndexError` when the text is no compaction log.
        public init(decoding bytes: [UInt8]) throws(IndexError) {
            let value: JSONValue
            do { value = try JSONParser.parse(bytes) } catch {
                throw IndexError("the compaction log is no JSON: \(error)")
            }
            guard let object = value.objectValue else { throw IndexError("the compaction log is no JSON object") }
            inputs = try Self.names(object.caseInsensitive("inputMetadata"), "inputMetadata")
            outputs = try Self.names(object.caseInsensitive("outputMetadata"), "outputMetadata")
        }

        private static func names(_ value: JSONValue?, _ member: String) throws(IndexError) -> Set<String> {
            guard let value, !value.isNull else { return [] }
            guard let items = value.arrayValue else { throw IndexError("'\(member)' of the compaction log is no list") }
            var names: Set<String> = []
            for item in items {
                guard let name = item.objectValue?.caseInsensitive("id")?.stringValue else {
                    throw IndexError("an item of '\(member)' of the compaction log has no 'id'")
                }
                names.insert(name)
            }
            return names
        }
    }

    /// The index blobs that count.
    ///
    /// - Parameter indexes: all blobs with prefix `n`, in any order.
    public static func active(indexes: [BlobMetadata], logs: [CompactionLog]) -> [BlobMetadata] {
        let existing = Set(indexes.map(\.id.description))
        var replaced: Set<String> = []
        for log in logs where log.outputs.isSubset(of: existing) { replaced.formUnion(log.inputs) }
        return indexes.filter { !replaced.contains($0.id.description) && $0.id.description != poison }
    }
}
