/// One argument of a Kanister function.
public struct FunctionArgument: Sendable, Hashable {
    /// What an argument holds after weak decoding.
    public enum Shape: String, Sendable, Hashable {
        case text
        case integer
        case boolean
        case listOfText = "list of text"
        case mapOfText = "map of text"
        case object
        case any
    }

    public let name: String
    /// Required means that the key is there; an empty string passes, as in Kanister.
    public let isRequired: Bool
    public let shape: Shape
    public let summary: String

    public init(_ name: String, _ shape: Shape, isRequired: Bool = false, _ summary: String) {
        self.name = name
        self.isRequired = isRequired
        self.shape = shape
        self.summary = summary
    }
}
