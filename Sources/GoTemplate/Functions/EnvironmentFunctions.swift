#if canImport(Glibc)
    import Glibc
#endif

/// sprig's functions that look at the machine they run on. In Kanister that is the controller, so a blueprint reads
/// what it should not; they are refused unless allowed.
enum EnvironmentFunctions {
    static let allowed: [TemplateFunction] = [
        environment("env") { call in .string(GoString(bytes: value(of: call.string(0).bytes))) },
        environment("expandenv") { call throws(FunctionFailure) in
            let text = expand(call.string(0).bytes)
            try call.checkSize(text.count)
            return .string(GoString(bytes: text))
        },
        environment("getHostByName") { call throws(FunctionFailure) in
            let addresses = HostLookup.addresses(of: call.text(0))
            guard !addresses.isEmpty else { throw FunctionFailure("invalid argument to Intn") }
            return .string(addresses[Int(call.options.randomBytes(1).first ?? 0) % addresses.count])
        },
    ]

    static let refused: [TemplateFunction] = ["env", "expandenv", "getHostByName"].map { name in
        environment(name) { _ throws(FunctionFailure) in
            throw FunctionFailure(
                "'\(name)' would read the machine the template is rendered on and is not allowed here; "
                    + "pass --allow-env to allow it")
        }
    }

    private static func environment(_ name: String, _ body: @escaping TemplateFunction.Body) -> TemplateFunction {
        let summaries = [
            "env": "A variable of the environment of the process that renders.",
            "expandenv": "A text with `$NAME` and `${NAME}` replaced by variables of that environment.",
            "getHostByName": "One address of a host name, as that machine resolves it.",
        ]
        return TemplateFunction(name, [.string], result: "string", summaries[name] ?? "", body: body)
    }

    private static func value(of name: [UInt8]) -> [UInt8] {
        guard !name.contains(0), let value = getenv(String(decoding: name, as: UTF8.self)) else { return [] }
        return Array(String(cString: value).utf8)
    }

    /// Source: Go `os.Expand`.
    private static func expand(_ text: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var position = 0
        while position < text.count {
            guard text[position] == UInt8(ascii: "$"), position + 1 < text.count else {
                out.append(text[position])
                position += 1
                continue
            }
            let (name, width) = shellName(text[(position + 1)...])
            if let name {
                out += value(of: Array(name))
            } else if width == 0 {
                out.append(text[position])
            }
            position += 1 + width
        }
        return out
    }

    /// The name after a dollar sign and how much text it takes; no name but a width is bad syntax, which is dropped.
    private static func shellName(_ text: ArraySlice<UInt8>) -> (ArraySlice<UInt8>?, Int) {
        func isSpecial(_ byte: UInt8) -> Bool { "*#$@!?-0123456789".utf8.contains(byte) }
        guard let first = text.first else { return (nil, 0) }
        if first == UInt8(ascii: "{") {
            let inner = text.dropFirst()
            if let special = inner.first, isSpecial(special), inner.dropFirst().first == UInt8(ascii: "}") {
                return (inner.prefix(1), 3)
            }
            guard let close = inner.firstIndex(of: UInt8(ascii: "}")) else { return (nil, 1) }
            return close == inner.startIndex ? (nil, 2) : (inner[..<close], inner[..<close].count + 2)
        }
        if isSpecial(first) { return (text.prefix(1), 1) }
        let name = text.prefix { $0 == 0x5f || $0 < 0x80 && (Runes.isLetter(UInt32($0)) || Runes.isDigit(UInt32($0))) }
        return (name.isEmpty ? nil : name, name.count)
    }
}

/// Addresses of a host name.
enum HostLookup {
    static func addresses(of name: String) -> [String] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [String] = []
        var next = list
        while let info = next {
            var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let code = getnameinfo(
                info.pointee.ai_addr, info.pointee.ai_addrlen, &buffer, socklen_t(buffer.count), nil, 0, NI_NUMERICHOST)
            if code == 0 {
                let text = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
                addresses.append(String(decoding: text, as: UTF8.self))
            }
            next = info.pointee.ai_next
        }
        return addresses
    }
}
