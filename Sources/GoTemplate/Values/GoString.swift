/// A Go string: bytes that are usually, but not always, UTF-8. `trunc` may cut a character in half and `b64dec` may
/// give anything, and what follows must see those bytes. Compared and ordered byte by byte, as in Go (Swift's `String`
/// would call two ways of writing `é` equal).
public struct GoString: Sendable, Hashable, Comparable, ExpressibleByStringLiteral, CustomStringConvertible {
    public var bytes: [UInt8]

    public init(bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }
    public init(_ text: String) { bytes = Array(text.utf8) }
    public init(_ text: Substring) { bytes = Array(text.utf8) }
    public init(stringLiteral value: String) { bytes = Array(value.utf8) }

    /// The text, with U+FFFD for what is not UTF-8.
    public var text: String { String(decoding: bytes, as: UTF8.self) }
    public var description: String { text }
    public var count: Int { bytes.count }
    public var isEmpty: Bool { bytes.isEmpty }

    public static func < (left: GoString, right: GoString) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
    public static func + (left: GoString, right: GoString) -> GoString { GoString(bytes: left.bytes + right.bytes) }
}
