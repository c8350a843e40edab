/// sprig's encodings and paths.
enum EncodingFunctions {
    static let functions: [TemplateFunction] = [
        TemplateFunction("b64enc", [.string], result: "string", "The text in base64.") { call in
            .string(Base64.encode(call.string(0).bytes))
        },
        TemplateFunction(
            "b64dec", [.string], result: "string", "What base64 stands for; the error's text when it is malformed."
        ) { call in
            switch Base64.decode(call.string(0).bytes) {
            case .success(let bytes): .string(GoString(bytes: bytes))
            case .failure(let problem): .string(problem.message)
            }
        },
        TemplateFunction("b32enc", [.string], result: "string", "The text in base32.") { call in
            .string(Base32.encode(call.string(0).bytes))
        },
        TemplateFunction(
            "b32dec", [.string], result: "string", "What base32 stands for; the error's text when it is malformed."
        ) { call in
            switch Base32.decode(call.string(0).bytes) {
            case .success(let bytes): .string(GoString(bytes: bytes))
            case .failure(let problem): .string(problem.message)
            }
        },
        path("base", "The last part of a path.", SlashPath.base),
        path("dir", "A path without its last part.", SlashPath.directory),
        path("clean", "The shortest path that means the same.", SlashPath.clean),
        path("ext", "The ending of a file name, with its dot.", SlashPath.fileExtension),
        TemplateFunction("isAbs", [.string], result: "bool", "Whether a path starts with a slash.") { call in
            .bool(call.string(0).bytes.first == UInt8(ascii: "/"))
        },
    ]

    private static func path(
        _ name: String, _ summary: String, _ change: @escaping @Sendable ([UInt8]) -> [UInt8]
    ) -> TemplateFunction {
        TemplateFunction(name, [.string], result: "string", summary) { call in
            .string(GoString(bytes: change(call.string(0).bytes)))
        }
    }
}

/// Base64 with padding; line breaks are skipped when decoding.
///
/// Source: RFC 4648 §4; error positions as Go `encoding/base64`.
enum Base64 {
    struct Problem: Error {
        let offset: Int
        var message: String { "illegal base64 data at input byte \(offset)" }
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let chunk = bytes[start..<min(start + 3, bytes.count)]
            let padded = Array(chunk) + [0, 0]
            let bits = UInt32(padded[0]) << 16 | UInt32(padded[1]) << 8 | UInt32(padded[2])
            for index in 0..<4 {
                let shift = UInt32(18 - 6 * index)
                out.append(index <= chunk.count ? alphabet[Int(bits >> shift & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func value(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x41...0x5a: UInt32(byte - 0x41)
        case 0x61...0x7a: UInt32(byte - 0x61 + 26)
        case 0x30...0x39: UInt32(byte - 0x30 + 52)
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }

    static func decode(_ text: [UInt8]) -> Result<[UInt8], Problem> {
        var out: [UInt8] = []
        var position = 0
        func skipBreaks() {
            while position < text.count, text[position] == 0x0a || text[position] == 0x0d { position += 1 }
        }
        while true {
            var bits: UInt32 = 0
            var count = 0
            while count < 4 {
                skipBreaks()
                guard position < text.count else {
                    return count == 0 ? .success(out) : .failure(Problem(offset: position - count))
                }
                let byte = text[position]
                position += 1
                if let value = value(byte) {
                    bits = bits << 6 | value
                    count += 1
                    continue
                }
                guard byte == UInt8(ascii: "="), count >= 2 else { return .failure(Problem(offset: position - 1)) }
                if count == 2 {
                    skipBreaks()
                    guard position < text.count else { return .failure(Problem(offset: text.count)) }
                    guard text[position] == UInt8(ascii: "=") else { return .failure(Problem(offset: position - 1)) }
                    position += 1
                }
                skipBreaks()
                if position < text.count { return .failure(Problem(offset: position)) }
                bits <<= UInt32(6 * (4 - count))
                out += [UInt8(bits >> 16 & 255), UInt8(bits >> 8 & 255)].prefix(count - 1)
                return .success(out)
            }
            out += [UInt8(bits >> 16 & 255), UInt8(bits >> 8 & 255), UInt8(bits & 255)]
        }
    }
}

/// Base32 with padding; line breaks are skipped when decoding.
///
/// Source: RFC 4648 §6; error positions as Go `encoding/base32`.
package enum Base32 {
    struct Problem: Error {
        let offset: Int
        var message: String { "illegal base32 data at input byte \(offset)" }
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    package static func encode(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 5) {
            let chunk = bytes[start..<min(start + 5, bytes.count)]
            var bits: UInt64 = 0
            for index in 0..<5 { bits = bits << 8 | UInt64(index < chunk.count ? chunk[start + index] : 0) }
            let used = (chunk.count * 8 + 4) / 5
            for index in 0..<8 {
                let shift = UInt64(35 - 5 * index)
                out.append(index < used ? alphabet[Int(bits >> shift & 31)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    static func decode(_ given: [UInt8]) -> Result<[UInt8], Problem> {
        let text = given.filter { $0 != 0x0a && $0 != 0x0d }
        var out: [UInt8] = []
        var position = 0
        while position < text.count {
            var bits: UInt64 = 0
            var count = 0
            while count < 8 {
                guard position < text.count else { return .failure(Problem(offset: text.count - count)) }
                let byte = text[position]
                position += 1
                if byte == UInt8(ascii: "="), count >= 2, text.count - position < 8 {
                    if let problem = padding(text, position, count) { return .failure(problem) }
                    append(bits << UInt64(5 * (8 - count)), count * 5 / 8, to: &out)
                    return .success(out)
                }
                guard let value = alphabet.firstIndex(of: byte) else { return .failure(Problem(offset: position - 1)) }
                bits = bits << 5 | UInt64(value)
                count += 1
            }
            append(bits, 5, to: &out)
        }
        return .success(out)
    }

    private static func append(_ bits: UInt64, _ count: Int, to out: inout [UInt8]) {
        for index in 0..<count { out.append(UInt8(bits >> UInt64(32 - 8 * index) & 255)) }
    }

    /// What is wrong with the padding, its first sign being past.
    private static func padding(_ text: [UInt8], _ position: Int, _ count: Int) -> Problem? {
        let rest = text[position...]
        if rest.count + count < 7 { return Problem(offset: text.count) }
        for index in 0..<(7 - count) where index < rest.count && rest[position + index] != UInt8(ascii: "=") {
            return Problem(offset: position + index - 1)
        }
        return count == 3 || count == 6 || count == 1 ? Problem(offset: position - 1) : nil
    }
}

/// Paths with slashes.
///
/// Source: Go `path`.
enum SlashPath {
    private static let slash = UInt8(ascii: "/")
    private static let dot = UInt8(ascii: ".")

    static func base(_ path: [UInt8]) -> [UInt8] {
        if path.isEmpty { return [dot] }
        var end = path.count
        while end > 0, path[end - 1] == slash { end -= 1 }
        if end == 0 { return [slash] }
        let start = path[..<end].lastIndex(of: slash).map { $0 + 1 } ?? 0
        return Array(path[start..<end])
    }

    static func directory(_ path: [UInt8]) -> [UInt8] {
        clean(Array(path[..<(path.lastIndex(of: slash).map { $0 + 1 } ?? 0)]))
    }

    static func clean(_ path: [UInt8]) -> [UInt8] {
        let isRooted = path.first == slash
        var parts: [ArraySlice<UInt8>] = []
        for part in path.split(separator: slash) {
            if part.elementsEqual([dot]) { continue }
            if part.elementsEqual([dot, dot]) {
                if let last = parts.last, !last.elementsEqual([dot, dot]) {
                    parts.removeLast()
                } else if !isRooted {
                    parts.append(part)
                }
                continue
            }
            parts.append(part)
        }
        let joined = Array(parts.joined(separator: [slash]))
        if isRooted { return [slash] + joined }
        return joined.isEmpty ? [dot] : joined
    }

    static func fileExtension(_ path: [UInt8]) -> [UInt8] {
        var index = path.count
        while index > 0, path[index - 1] != slash {
            index -= 1
            if path[index] == dot { return Array(path[index...]) }
        }
        return []
    }
}
