/// Why bytes are not a pack index, or entries cannot become one. Says what is wrong; the caller knows which blob.
public struct IndexError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
