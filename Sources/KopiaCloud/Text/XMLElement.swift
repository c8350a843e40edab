/// An element of a storage service's answer: its name without namespace prefix, its own text, its children.
struct XMLElement: Equatable, Sendable {
    var name: String
    var text = ""
    var children: [XMLElement] = []

    func child(_ name: String) -> XMLElement? { children.first { $0.name == name } }
    func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }
    /// The text of a child; nil when there is none.
    func value(_ name: String) -> String? { child(name)?.text }
}

/// Reads the XML that storage services send: elements, text, attributes (skipped), entities, CDATA, comments. No document
/// type declarations, and so no entities of the sender's own.
///
/// Memory: the tree; at most `depthMax` levels, whatever size the caller let in.
struct XMLReader {
    struct Malformed: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    static let depthMax = 32

    private let bytes: [UInt8]
    private var position = 0

    /// - Throws: `Malformed`, with the offset in bytes.
    static func parse(_ bytes: [UInt8]) throws(Malformed) -> XMLElement {
        var reader = XMLReader(bytes: bytes)
        // Azure starts its answers with a byte order mark.
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { reader.position = 3 }
        try reader.skipMisc()
        let root = try reader.element(depth: 0)
        try reader.skipMisc()
        guard reader.position == bytes.count else { throw reader.malformed("something follows the last element") }
        return root
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func malformed(_ what: String) -> Malformed { Malformed(description: "\(what), at byte \(position)") }

    private func looksAt(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard position + count <= bytes.count else { return false }
        return text.withUTF8Buffer { expected in (0..<count).allSatisfy { bytes[position + $0] == expected[$0] } }
    }

    private mutating func skip(past end: StaticString) throws(Malformed) {
        while position < bytes.count {
            if looksAt(end) {
                position += end.utf8CodeUnitCount
                return
            }
            position += 1
        }
        throw malformed("'\(end)' is missing")
    }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
    }

    /// Space, comments, processing instructions.
    private mutating func skipMisc() throws(Malformed) {
        while true {
            skipSpace()
            if looksAt("<?") {
                try skip(past: "?>")
            } else if looksAt("<!--") {
                try skip(past: "-->")
            } else {
                return
            }
        }
    }

    private mutating func name() throws(Malformed) -> String {
        let start = position
        while position < bytes.count, ![0x20, 0x09, 0x0a, 0x0d, 0x2f, 0x3e, 0x3d, 0x3c].contains(bytes[position]) {
            position += 1
        }
        guard position > start, let name = String(validating: bytes[start..<position], as: UTF8.self) else {
            throw malformed("a name is missing")
        }
        return name
    }

    private mutating func element(depth: Int) throws(Malformed) -> XMLElement {
        guard depth < Self.depthMax else { throw malformed("elements are nested more than \(Self.depthMax) deep") }
        guard looksAt("<"), !looksAt("</"), !looksAt("<!") else { throw malformed("an element is missing") }
        position += 1
        let qualifiedName = try name()
        var element = XMLElement(name: String(qualifiedName.split(separator: ":").last ?? ""))
        if try !skipAttributes() { return element }
        var text: [UInt8] = []
        while true {
            guard position < bytes.count else { throw malformed("'</\(qualifiedName)>' is missing") }
            if looksAt("</") {
                position += 2
                guard try name() == qualifiedName else { throw malformed("'</\(qualifiedName)>' is missing") }
                skipSpace()
                guard looksAt(">") else { throw malformed("'>' is missing") }
                position += 1
                guard let string = String(validating: text, as: UTF8.self) else { throw malformed("not UTF-8") }
                element.text = string
                return element
            } else if looksAt("<!--") {
                try skip(past: "-->")
            } else if looksAt("<![CDATA[") {
                position += 9
                let start = position
                try skip(past: "]]>")
                text.append(contentsOf: bytes[start..<(position - 3)])
            } else if looksAt("<?") {
                try skip(past: "?>")
            } else if looksAt("<") {
                element.children.append(try self.element(depth: depth + 1))
            } else if looksAt("&") {
                text.append(contentsOf: try entity())
            } else {
                text.append(bytes[position])
                position += 1
            }
        }
    }

    /// False when the element ends here (`/>`).
    private mutating func skipAttributes() throws(Malformed) -> Bool {
        while true {
            skipSpace()
            if looksAt("/>") {
                position += 2
                return false
            }
            if looksAt(">") {
                position += 1
                return true
            }
            _ = try name()
            skipSpace()
            guard looksAt("=") else { throw malformed("'=' is missing") }
            position += 1
            skipSpace()
            if looksAt("\"") {
                position += 1
                try skip(past: "\"")
            } else if looksAt("'") {
                position += 1
                try skip(past: "'")
            } else {
                throw malformed("a quote is missing")
            }
        }
    }

    private mutating func entity() throws(Malformed) -> [UInt8] {
        position += 1
        let start = position
        while position < bytes.count, bytes[position] != UInt8(ascii: ";"), position - start < 10 { position += 1 }
        guard looksAt(";") else { throw malformed("';' is missing after '&'") }
        let name = String(decoding: bytes[start..<position], as: UTF8.self)
        position += 1
        switch name {
        case "amp": return [UInt8(ascii: "&")]
        case "lt": return [UInt8(ascii: "<")]
        case "gt": return [UInt8(ascii: ">")]
        case "quot": return [UInt8(ascii: "\"")]
        case "apos": return [UInt8(ascii: "'")]
        default:
            let number =
                name.hasPrefix("#x")
                ? UInt32(name.dropFirst(2), radix: 16)
                : name.hasPrefix("#") ? UInt32(name.dropFirst()) : nil
            guard let number, let scalar = Unicode.Scalar(number) else { throw malformed("'&\(name);' is unknown") }
            return Array(String(Character(scalar)).utf8)
        }
    }
}
