import GoFormats

/// Why a text is no snapshot reference; the sentences are kando's.
public struct KopiaSnapshotReferenceError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    public static let missing = KopiaSnapshotReferenceError(
        description: "kopia snapshot information is required to manage data using kopia")
    public static let malformed = KopiaSnapshotReferenceError(
        description: "failed to unmarshal kopia snapshot information")
    public static let emptyID = KopiaSnapshotReferenceError(description: "kopia snapshot ID cannot be empty")
}

extension KopiaSnapshotReference {
    /// Reads the artifact: names without regard to case, unknown members ignored, sizes may be missing, as Go does.
    ///
    /// - Throws: `KopiaSnapshotReferenceError`.
    public init(parsing text: String) throws(KopiaSnapshotReferenceError) {
        guard !text.isEmpty else { throw .missing }
        let value: JSONValue
        do {
            value = try JSONParser.parse(text)
        } catch {
            throw .malformed
        }
        guard case .object(let object) = value else { throw .malformed }
        func size(_ key: String) throws(KopiaSnapshotReferenceError) -> Int64 {
            switch object.caseInsensitive(key) {
            case nil, .null: return 0
            case let value?:
                guard let number = value.integerValue else { throw .malformed }
                return number
            }
        }
        let id: String
        switch object.caseInsensitive("id") {
        case nil, .null: id = ""
        case .string(let text): id = text
        default: throw .malformed
        }
        guard !id.isEmpty else { throw .emptyID }
        self.init(id: id, logicalSize: try size("logicalSize"), physicalSize: try size("physicalSize"))
    }
}
