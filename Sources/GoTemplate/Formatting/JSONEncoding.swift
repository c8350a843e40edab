internal import GoFormats

/// JSON of Go values, as `encoding/json` writes it: map keys sorted, struct fields in order under their JSON names,
/// `[]byte` as base64, nil as `null`, HTML characters escaped.
///
/// Source: Go `encoding/json/encode.go`.
struct JSONEncoding {
    let indent: String?
    let limit: Int
    private(set) var output: [UInt8] = []
    /// The value has no JSON form: it is not a number, contains itself, or holds a complex number or a function.
    private(set) var failed = false
    private(set) var isOverLimit = false

    private static let maximumDepth = 1000

    init(indent: String?, limit: Int) {
        self.indent = indent
        self.limit = limit
    }

    mutating func write(_ value: GoValue, depth: Int) {
        guard depth < Self.maximumDepth, !failed, !isOverLimit else {
            failed = true
            return
        }
        switch value.storage {
        case .placeholder(let text): writeString(Array("<\(text)>".utf8), escapesHTML: false)
        case .none: put("null")
        case .bool(let flag): put(flag ? "true" : "false")
        case .signed(let number): put(String(number))
        case .unsigned(let number): put(String(number))
        case .float(let number): writeFloat(number, bits: value.kind.bitWidth)
        case .complex: failed = true
        case .string(let text): writeString(text.bytes)
        case .bytes(let bytes): put("\"" + Base64.encode(bytes) + "\"")
        case .list: writeList(value.elements ?? [], depth: depth)
        case .map(let map): writeMembers(map.sorted.map { ($0.key.bytes, $0.value) }, depth: depth)
        case .fields:
            var members: [([UInt8], GoValue)] = []
            collect(value, into: &members)
            writeMembers(members, depth: depth)
        case .pointer(let target): write(target, depth: depth)
        case .time(let time): writeTime(time, isKubernetes: value.type == .kubernetesTime)
        case .version(let version): writeString(Array(version.text.utf8))
        }
    }

    private mutating func put(_ text: String) { put(Array(text.utf8)) }

    private mutating func put(_ bytes: [UInt8]) {
        guard output.count + bytes.count <= limit else {
            isOverLimit = true
            return
        }
        output += bytes
    }

    private mutating func writeTime(_ time: GoTime, isKubernetes: Bool) {
        guard isKubernetes else {
            return writeString(Array(TimeLayout.format(time, "2006-01-02T15:04:05.999999999Z07:00").utf8))
        }
        if time.isZero { return put("null") }
        writeString(Array(TimeLayout.format(time.with(zone: .utc), "2006-01-02T15:04:05Z07:00").utf8))
    }

    private mutating func writeFloat(_ number: Double, bits: Int) {
        guard number.isFinite else {
            failed = true
            return
        }
        guard bits == 32, number != 0 else { return put(GoJSON.number(number)) }
        let digits = ShortestDecimal(Float(number.magnitude))
        let isLarge = Float(number.magnitude) < 1e-6 || Float(number.magnitude) >= 1e21
        put((number < 0 ? "-" : "") + (isLarge ? digits.exponentForm(minimumExponentDigits: 1) : digits.plainForm))
    }

    /// Members of a struct; those of embedded structs in their place.
    private func collect(_ value: GoValue, into members: inout [([UInt8], GoValue)]) {
        guard case .fields(let values) = value.storage, case .structure(let shape) = value.type else { return }
        for (field, item) in zip(shape.fields, values) {
            guard let name = field.jsonName else { continue }
            if name.isEmpty {
                collect(item, into: &members)
            } else if !(field.omitEmpty && Self.isEmpty(item)) {
                members.append((Array(name.utf8), item))
            }
        }
    }

    private static func isEmpty(_ value: GoValue) -> Bool {
        switch value.storage {
        case .fields, .time, .version, .pointer, .placeholder: false
        default: !value.isTrue
        }
    }

    private mutating func writeList(_ items: [GoValue], depth: Int) {
        guard !items.isEmpty else { return put("[]") }
        put("[")
        for (position, item) in items.enumerated() {
            if position > 0 { put(",") }
            breakLine(depth + 1)
            write(item, depth: depth + 1)
        }
        breakLine(depth)
        put("]")
    }

    private mutating func writeMembers(_ members: [([UInt8], GoValue)], depth: Int) {
        guard !members.isEmpty else { return put("{}") }
        put("{")
        for (position, (key, item)) in members.enumerated() {
            if position > 0 { put(",") }
            breakLine(depth + 1)
            writeString(key)
            put(indent == nil ? ":" : ": ")
            write(item, depth: depth + 1)
        }
        breakLine(depth)
        put("}")
    }

    private mutating func breakLine(_ depth: Int) {
        guard let indent else { return }
        put("\n" + String(repeating: indent, count: depth))
    }

    private mutating func writeString(_ bytes: [UInt8], escapesHTML: Bool = true) {
        var out: [UInt8] = [0x22]
        var position = 0
        while position < bytes.count {
            let (rune, width) = Runes.decode(bytes, at: position)
            switch rune {
            case 0x22: out += #"\""#.utf8
            case 0x5c: out += #"\\"#.utf8
            case 0x08: out += #"\b"#.utf8
            case 0x0c: out += #"\f"#.utf8
            case 0x0a: out += #"\n"#.utf8
            case 0x0d: out += #"\r"#.utf8
            case 0x09: out += #"\t"#.utf8
            case 0x3c, 0x3e, 0x26: if escapesHTML { out += Self.escape(rune) } else { out.append(UInt8(rune)) }
            case 0..<0x20, 0x2028, 0x2029: out += Self.escape(rune)
            case Runes.replacement where width == 1: out += Self.escape(rune)
            default: out += bytes[position..<(position + width)]
            }
            position += width
        }
        out.append(0x22)
        put(out)
    }

    private static func escape(_ rune: UInt32) -> [UInt8] {
        let hex = String(rune, radix: 16)
        return Array(("\\u" + String(repeating: "0", count: max(0, 4 - hex.utf8.count)) + hex).utf8)
    }
}
