/// The name of a blob: a stored file, never a chunk. Printable ASCII without `/`; ordered bytewise.
public struct BlobID: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let description: String

    /// Nil when empty, over 512 bytes, or with a character outside `!…~` or a `/`.
    public init?(_ text: String) {
        let bytes = text.utf8
        guard !bytes.isEmpty, bytes.count <= 512,
            bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") })
        else { return nil }
        description = text
    }

    public static func < (left: BlobID, right: BlobID) -> Bool {
        left.description.utf8.lexicographicallyPrecedes(right.description.utf8)
    }

    public func hasPrefix(_ prefix: String) -> Bool { description.utf8.starts(with: prefix.utf8) }
}
