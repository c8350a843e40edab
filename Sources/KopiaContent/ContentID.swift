/// The name of a content: an optional letter `g`…`z` and the hash of its plaintext in lower-case hex.
///
/// Ordered by prefix byte (0 when absent), then hash bytes: the order of index entries.
///
/// Source: kopia `repo/content/index/content_id.go`; `kopia-format` §3.1.
public struct ContentID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// ASCII letter, or 0 for file data.
    public let prefix: UInt8
    /// 16 … 32 bytes, one length per repository.
    public let hash: [UInt8]

    /// - Parameter prefix: 0 or `g`…`z`; anything else is a mistake of the caller.
    public init(prefix: UInt8, hash: [UInt8]) {
        precondition(prefix == 0 || Self.isPrefix(prefix), "a content prefix is a letter g…z")
        self.prefix = prefix
        self.hash = hash
    }

    /// Nil unless the text is an optional letter `g`…`z` and 2 … 64 bytes of lower-case hex.
    public init?(_ text: some StringProtocol) {
        var digits = Array(text.utf8)
        var prefix: UInt8 = 0
        if digits.count % 2 == 1 {
            prefix = digits.removeFirst()
            guard Self.isPrefix(prefix) else { return nil }
        }
        guard digits.count >= 4, digits.count <= 128 else { return nil }
        var hash: [UInt8] = []
        hash.reserveCapacity(digits.count / 2)
        for position in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Self.nibble(digits[position]), let low = Self.nibble(digits[position + 1]) else {
                return nil
            }
            hash.append(high << 4 | low)
        }
        self.prefix = prefix
        self.hash = hash
    }

    /// From an index key: one prefix byte (0 when absent), then the hash. Nil unless the prefix is 0 or `g`…`z` and the
    /// hash has 1 … 254 bytes.
    public init?(key: some Collection<UInt8>) {
        guard let prefix = key.first, prefix == 0 || Self.isPrefix(prefix), key.count >= 2, key.count <= 255 else {
            return nil
        }
        self.prefix = prefix
        hash = Array(key.dropFirst())
    }

    /// The index key: one prefix byte, then the hash.
    public var key: [UInt8] { [prefix] + hash }

    public var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(hash.count * 2 + 1)
        if prefix != 0 { text.append(prefix) }
        for byte in hash {
            text.append(Self.digits[Int(byte >> 4)])
            text.append(Self.digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    public static func < (left: ContentID, right: ContentID) -> Bool {
        if left.prefix != right.prefix { return left.prefix < right.prefix }
        return left.hash.lexicographicallyPrecedes(right.hash)
    }

    private static let digits = Array("0123456789abcdef".utf8)

    /// Whether a key may start with this byte: 0 or `g`…`z`.
    static func isValidPrefix(_ byte: UInt8) -> Bool { byte == 0 || isPrefix(byte) }

    private static func isPrefix(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "g") && byte <= UInt8(ascii: "z") }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): return byte - UInt8(ascii: "a") + 10
        default: return nil
        }
    }
}
