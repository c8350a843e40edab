/// What is wrong with an object, and what to do about it.
public struct ObjectError: Error, Sendable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        private enum Kind: Sendable, Hashable {
            case malformed, damaged, unsupported, tooLarge
        }
        private let kind: Kind

        /// The table of an indirect object is not what kopia writes.
        public static let malformed = Code(kind: .malformed)
        /// A piece does not have the length that the table promises, or does not decompress.
        public static let damaged = Code(kind: .damaged)
        /// A splitter or compressor nobody here knows.
        public static let unsupported = Code(kind: .unsupported)
        /// The caller's limit is smaller than the object.
        public static let tooLarge = Code(kind: .tooLarge)
    }

    public let code: Code
    public let object: ObjectID?
    /// A whole sentence without the hint.
    public let message: String
    public let hint: String?

    public init(_ code: Code, object: ObjectID? = nil, _ message: String, hint: String? = nil) {
        self.code = code
        self.object = object
        self.message = message
        self.hint = hint
    }

    public var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}
