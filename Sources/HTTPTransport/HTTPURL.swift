/// An `http` or `https` address, its path and query percent-encoded exactly as they go over the wire.
///
/// Nothing is normalised: `/a/../b`, `//` and `%2F` stay what they are, because signatures are made over these bytes.
/// Prints without the query, which may carry a signature.
public struct HTTPURL: Sendable, Hashable, CustomStringConvertible {
    public enum Scheme: String, Sendable, Hashable {
        case http, https

        public var defaultPort: Int { self == .http ? 80 : 443 }
    }

    public var scheme: Scheme
    /// A name, an IPv4 address, or an IPv6 address in brackets; lower case.
    public var host: String
    /// Nil for the scheme's default.
    public var port: Int?
    /// Starts with `/`.
    public var path: String
    /// Without `?`; nil when there is none.
    public var query: String?

    /// - Parameter path: percent-encoded; a missing `/` at the front is added.
    public init(scheme: Scheme, host: String, port: Int? = nil, path: String = "/", query: String? = nil) {
        self.scheme = scheme
        self.host = host.lowercased()
        self.port = port
        self.path = path.hasPrefix("/") ? path : "/" + path
        self.query = query
    }

    /// Reads `scheme://host[:port][/path][?query]`. User names and fragments are not accepted.
    ///
    /// - Throws: `HTTPError.Code.invalidRequest`.
    public init(_ text: String) throws(HTTPError) {
        func malformed(_ reason: String) -> HTTPError {
            HTTPError(
                .invalidRequest, "'\(Self.withoutQuery(text))' is not an address: \(reason)",
                hint: "write it like https://storage.example.com:9000/path")
        }
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else {
            throw malformed("it does not start with http:// or https://")
        }
        guard let scheme = Scheme(rawValue: text[..<colon].lowercased()) else {
            throw malformed("'\(text[..<colon])' is neither http nor https")
        }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "#") }) else {
            throw malformed("it holds a space, a '#' or a character that is not ASCII")
        }
        let rest = text[colon...].dropFirst(3)
        let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        guard let (host, port) = Self.hostAndPort(rest[..<authorityEnd]) else {
            throw malformed("'\(rest[..<authorityEnd].split(separator: "@").last ?? "")' is not a host and a port")
        }
        let tail = rest[authorityEnd...]
        let mark = tail.firstIndex(of: "?")
        self.init(
            scheme: scheme, host: host, port: port, path: String(tail[..<(mark ?? tail.endIndex)]),
            query: mark.map { String(tail[$0...].dropFirst()) })
    }

    /// `host` or `host:port`, as in the `Host` header: the default port is left out.
    public var authority: String {
        guard let port, port != scheme.defaultPort else { return host }
        return "\(host):\(port)"
    }

    /// Everything, query included: what is sent. Not for messages.
    public var wireText: String { "\(scheme.rawValue)://\(authority)\(path)" + (query.map { "?\($0)" } ?? "") }

    public var description: String { "\(scheme.rawValue)://\(authority)\(path)" }

    private static func hostAndPort(_ text: Substring) -> (String, Int?)? {
        var host = text
        var port: Int?
        let afterBracket = text.lastIndex(of: "]") ?? text.startIndex
        if let colon = text[afterBracket...].lastIndex(of: ":") {
            host = text[..<colon]
            let digits = text[colon...].dropFirst()
            guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
                (1...65_535).contains(number)
            else { return nil }
            port = number
        }
        let isIPv6 = host.hasPrefix("[") && host.hasSuffix("]") && host.utf8.count > 3
        let inside = isIPv6 ? host.dropFirst().dropLast() : host
        let isValid = inside.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                return true
            case UInt8(ascii: ":"): return isIPv6
            default: return false
            }
        }
        return isValid && !inside.isEmpty ? (String(host), port) : nil
    }

    private static func withoutQuery(_ text: String) -> String {
        let head = text.prefix { $0 != "?" }
        guard let at = head.lastIndex(of: "@"), let slashes = head.firstIndex(of: "/") else { return String(head) }
        return slashes < at ? head[...slashes] + "/…" + head[at...] : String(head)
    }
}

/// Percent-encoding as RFC 3986 has it: everything but letters, digits and `-._~` becomes `%XX`, upper case.
public enum PercentEncoding {
    /// - Parameter keepsSlash: leaves `/` alone, for paths.
    public static func encode(_ text: String, keepsSlash: Bool = false) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if isUnreserved(byte) || (keepsSlash && byte == UInt8(ascii: "/")) {
                bytes.append(byte)
            } else {
                bytes.append(UInt8(ascii: "%"))
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Nil when a `%` is not followed by two hex digits or the result is not UTF-8. `+` stays `+`.
    public static func decode(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.next().flatMap(value), let low = rest.next().flatMap(value) else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static let digits = Array("0123456789ABCDEF".utf8)

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            return true
        default: return false
        }
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): return digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): return digit - UInt8(ascii: "A") + 10
        default: return nil
        }
    }
}
