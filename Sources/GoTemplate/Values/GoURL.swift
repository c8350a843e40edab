#if canImport(Glibc)
    import Glibc
#endif

/// A URL taken apart as Go does it.
///
/// Source: Go `net/url/url.go`.
struct GoURL {
    struct Problem: Error {
        let message: String
    }

    /// What escaping a byte depends on.
    enum Part { case host, zone, path, userPassword, fragment }

    var scheme: [UInt8] = []
    var opaque: [UInt8] = []
    var user: [UInt8]?
    var password: [UInt8]?
    var host: [UInt8] = []
    /// Unescaped.
    var path: [UInt8] = []
    /// As it was written, when the usual escaping would write it otherwise.
    var rawPath: [UInt8] = []
    var query: [UInt8] = []
    var fragment: [UInt8] = []

    init() {}

    init(_ text: [UInt8]) throws(Problem) {
        let (address, fragment) = Self.cut(text, at: UInt8(ascii: "#"))
        do throws(Problem) {
            try parse(address)
        } catch {
            throw Self.wrapped(error, address)
        }
        guard let fragment, !fragment.isEmpty else { return }
        do throws(Problem) {
            self.fragment = try Self.unescape(fragment, .fragment)
        } catch {
            throw Self.wrapped(error, text)
        }
    }

    private static func wrapped(_ problem: Problem, _ text: [UInt8]) -> Problem {
        Problem(message: "parse \(String(decoding: Quoting.quote(text), as: UTF8.self)): \(problem.message)")
    }

    private static func cut(_ text: [UInt8], at byte: UInt8) -> ([UInt8], [UInt8]?) {
        guard let found = text.firstIndex(of: byte) else { return (text, nil) }
        return (Array(text[..<found]), Array(text[(found + 1)...]))
    }

    // MARK: - Parsing

    private mutating func parse(_ text: [UInt8]) throws(Problem) {
        if text.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            throw Problem(message: "net/url: invalid control character in URL")
        }
        if text.elementsEqual([UInt8(ascii: "*")]) {
            path = text
            return
        }
        var rest = try parseScheme(text)
        if let question = rest.firstIndex(of: UInt8(ascii: "?")) {
            query = Array(rest[(question + 1)...])
            rest = Array(rest[..<question])
        }
        if rest.first != UInt8(ascii: "/") {
            if !scheme.isEmpty {
                opaque = rest
                return
            }
            if rest.prefix(while: { $0 != UInt8(ascii: "/") }).contains(UInt8(ascii: ":")) {
                throw Problem(message: "first path segment in URL cannot contain colon")
            }
        }
        let slashes = rest.prefix { $0 == UInt8(ascii: "/") }.count
        if slashes == 2 || slashes > 2 && !scheme.isEmpty {
            let authority = rest[2...].prefix { $0 != UInt8(ascii: "/") }
            rest = Array(rest[(2 + authority.count)...])
            try parseAuthority(Array(authority))
        }
        path = try Self.unescape(rest, .path)
        rawPath = Self.escape(path, .path) == rest ? [] : rest
    }

    private mutating func parseScheme(_ text: [UInt8]) throws(Problem) -> [UInt8] {
        for (index, byte) in text.enumerated() {
            switch byte {
            case 0x41...0x5a, 0x61...0x7a: continue
            case 0x30...0x39, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
                if index == 0 { return text }
            case UInt8(ascii: ":"):
                if index == 0 { throw Problem(message: "missing protocol scheme") }
                scheme = text[..<index].map { (0x41...0x5a).contains($0) ? $0 + 32 : $0 }
                return Array(text[(index + 1)...])
            default: return text
            }
        }
        return text
    }

    private mutating func parseAuthority(_ authority: [UInt8]) throws(Problem) {
        guard let at = authority.lastIndex(of: UInt8(ascii: "@")) else {
            host = try parseHost(authority)
            return
        }
        host = try parseHost(Array(authority[(at + 1)...]))
        let info = Array(authority[..<at])
        guard info.allSatisfy({ Escaping.isUnreserved($0) || ":!$&'()*+,;=%@".utf8.contains($0) }) else {
            throw Problem(message: "net/url: invalid userinfo")
        }
        let (name, secret) = Self.cut(info, at: UInt8(ascii: ":"))
        user = try Self.unescape(name, .userPassword)
        password = try secret.map { secret throws(Problem) in try Self.unescape(secret, .userPassword) }
    }

    private func parseHost(_ host: [UInt8]) throws(Problem) -> [UInt8] {
        if let open = host.lastIndex(of: UInt8(ascii: "[")) {
            guard open == 0 else { throw Problem(message: "invalid IP-literal") }
            return try parseLiteral(host)
        }
        if var colon = host.firstIndex(of: UInt8(ascii: ":")) {
            // Databases list several hosts with ports; only http and https are strict.
            let isStrict = scheme.elementsEqual("http".utf8) || scheme.elementsEqual("https".utf8)
            if !isStrict { colon = host.lastIndex(of: UInt8(ascii: ":")) ?? colon }
            try Self.checkPort(host[colon...])
        }
        return try Self.unescape(host, .host)
    }

    private static func checkPort(_ port: ArraySlice<UInt8>) throws(Problem) {
        let isFine = port.isEmpty || port.first == 0x3a && port.dropFirst().allSatisfy { (0x30...0x39).contains($0) }
        guard isFine else {
            let shown = String(decoding: Quoting.quote(Array(port)), as: UTF8.self)
            throw Problem(message: "invalid port \(shown) after host")
        }
    }

    /// `[fe80::1%25en0]:80`
    private func parseLiteral(_ host: [UInt8]) throws(Problem) -> [UInt8] {
        guard let close = host.lastIndex(of: UInt8(ascii: "]")) else { throw Problem(message: "missing ']' in host") }
        try Self.checkPort(host[(close + 1)...])
        let literal = Array(host[1..<close])
        var name: [UInt8]
        if let zone = ByteText.find(Array("%25".utf8), in: literal) {
            name = try Self.unescape(Array(literal[..<zone]), .host) + Self.unescape(Array(literal[zone...]), .zone)
        } else {
            name = try Self.unescape(literal, .host)
        }
        let address = name.prefix { $0 != UInt8(ascii: "%") }
        let text = String(decoding: address, as: UTF8.self)
        var storage = in6_addr()
        guard inet_pton(AF_INET6, text, &storage) == 1 else {
            var four = in_addr()
            if inet_pton(AF_INET, text, &four) == 1 { throw Problem(message: "invalid IP-literal") }
            let shown = String(decoding: Quoting.quote(name), as: UTF8.self)
            throw Problem(message: "invalid host: ParseAddr(\(shown)): unable to parse IP")
        }
        return [UInt8(ascii: "[")] + name + host[close...]
    }

    /// The host without its port and brackets.
    var hostname: [UInt8] {
        var name = host
        if let colon = name.lastIndex(of: UInt8(ascii: ":")),
            name[(colon + 1)...].allSatisfy({ (0x30...0x39).contains($0) })
        {
            name = Array(name[..<colon])
        }
        if name.first == UInt8(ascii: "["), name.last == UInt8(ascii: "]") { name = Array(name.dropFirst().dropLast()) }
        return name
    }

    var userInfo: [UInt8] {
        guard let user else { return [] }
        return Self.escape(user, .userPassword)
            + (password.map { [UInt8(ascii: ":")] + Self.escape($0, .userPassword) } ?? [])
    }

    // MARK: - Writing

    var text: [UInt8] {
        var out: [UInt8] = []
        if !scheme.isEmpty { out += scheme + [UInt8(ascii: ":")] }
        if !opaque.isEmpty {
            out += opaque
        } else {
            if !scheme.isEmpty || !host.isEmpty || user != nil {
                if !host.isEmpty || !path.isEmpty || user != nil { out += "//".utf8 }
                if user != nil { out += userInfo + [UInt8(ascii: "@")] }
                out += Self.escape(host, .host)
            }
            let escaped = path.elementsEqual([UInt8(ascii: "*")]) ? path : Self.escape(path, .path)
            if let first = escaped.first, first != UInt8(ascii: "/"), !host.isEmpty { out.append(UInt8(ascii: "/")) }
            if out.isEmpty, escaped.prefix(while: { $0 != UInt8(ascii: "/") }).contains(UInt8(ascii: ":")) {
                out += "./".utf8
            }
            out += escaped
        }
        if !query.isEmpty { out += [UInt8(ascii: "?")] + query }
        if !fragment.isEmpty { out += [UInt8(ascii: "#")] + Self.escape(fragment, .fragment) }
        return out
    }

    // MARK: - Escaping

    private static func needsEscape(_ byte: UInt8, _ part: Part) -> Bool {
        if Escaping.isUnreserved(byte) { return false }
        switch part {
        case .host, .zone: return !"!$&'()*+,;=:[]<>\"".utf8.contains(byte)
        case .path: return !"$&+,/:;=@".utf8.contains(byte)
        case .userPassword: return !"$&+,;=".utf8.contains(byte)
        case .fragment: return !"$&+,/:;=?@!()*".utf8.contains(byte)
        }
    }

    static func escape(_ text: [UInt8], _ part: Part) -> [UInt8] {
        text.flatMap { needsEscape($0, part) ? Escaping.percent($0) : [$0] }
    }

    private static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x61...0x66: byte - 0x61 + 10
        case 0x41...0x46: byte - 0x41 + 10
        default: nil
        }
    }

    static func unescape(_ text: [UInt8], _ part: Part) throws(Problem) -> [UInt8] {
        var out: [UInt8] = []
        var position = 0
        func refused(_ length: Int) -> Problem {
            let piece = Array(text[position..<min(text.count, position + length)])
            return Problem(message: "invalid URL escape \(String(decoding: Quoting.quote(piece), as: UTF8.self))")
        }
        while position < text.count {
            let byte = text[position]
            guard byte == UInt8(ascii: "%") else {
                if part == .host || part == .zone, byte < 0x80, needsEscape(byte, part) {
                    let shown = String(decoding: Quoting.quote([byte]), as: UTF8.self)
                    throw Problem(message: "invalid character \(shown) in host name")
                }
                out.append(byte)
                position += 1
                continue
            }
            guard position + 2 < text.count, let high = hex(text[position + 1]), let low = hex(text[position + 2])
            else {
                throw refused(3)
            }
            let value = high << 4 | low
            let isPercent = text[position..<(position + 3)].elementsEqual("%25".utf8)
            if part == .host && high < 8 && !isPercent { throw refused(3) }
            if part == .zone && !isPercent && value != 0x20 && needsEscape(value, .host) { throw refused(3) }
            out.append(value)
            position += 3
        }
        return out
    }
}
