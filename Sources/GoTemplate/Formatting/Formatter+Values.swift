/// Values of every kind.
extension Formatter {
    private static let v = UInt32(UInt8(ascii: "v"))

    mutating func printArgument(_ value: GoValue, _ verb: UInt32) {
        if let text = value.placeholder { return formatString(Array("<\(text)>".utf8), Self.v, value) }
        if value.isNil && value.kind == .interface || !value.isValid {
            if verb == Self.v || verb == UInt32(UInt8(ascii: "T")) {
                pad(Array("<nil>".utf8))
            } else {
                badVerb(.nil, verb)
            }
            return
        }
        switch Runes.scalar(verb) {
        case "T": formatString(Array(value.type.description.utf8), UInt32(UInt8(ascii: "s")), value)
        case "p": formatPointer(value, verb)
        default:
            if case .bytes(let bytes) = value.storage, value.type == .bytes {
                formatBytes(bytes, verb, value, typeText: "[]byte")
            } else if !printsItself(value, verb) {
                printValue(value, verb, depth: 0)
            }
        }
    }

    /// Values with a `String` method.
    private mutating func printsItself(_ value: GoValue, _ verb: UInt32) -> Bool {
        if erroring { return false }
        guard verb != UInt32(UInt8(ascii: "w")) else {
            badVerb(value, verb)
            return true
        }
        guard let text = Methods.string(of: value, goSyntax: flags.sharpV) else { return false }
        if flags.sharpV {
            let sharpV = flags.sharpV
            flags.sharpV = false
            formatString(Array(text.utf8), UInt32(UInt8(ascii: "s")), value)
            flags.sharpV = sharpV
            return true
        }
        guard verb < 0x80, "vsxXq".utf8.contains(UInt8(verb)) else { return false }
        formatString(Array(text.utf8), verb, value)
        return true
    }

    mutating func badVerb(_ value: GoValue, _ verb: UInt32) {
        erroring = true
        write("%!")
        writeRune(verb)
        write(UInt8(ascii: "("))
        if value.isValid && !(value.isNil && value.kind == .interface) {
            write("\(value.type)=")
            if case .bytes(let bytes) = value.storage, value.type == .bytes {
                formatBytes(bytes, Self.v, value, typeText: "[]byte")
            } else {
                printValue(value, Self.v, depth: 0)
            }
        } else {
            write("<nil>")
        }
        write(UInt8(ascii: ")"))
        erroring = false
    }

    private mutating func formatBytes(_ bytes: [UInt8], _ verb: UInt32, _ value: GoValue, typeText: String) {
        switch Runes.scalar(verb) {
        case "v", "d":
            write(flags.sharpV ? "\(typeText){" : "[")
            for (index, byte) in bytes.enumerated() {
                if index > 0 { write(flags.sharpV ? ", " : " ") }
                if flags.sharpV {
                    formatHexadecimal(UInt64(byte), withPrefix: true)
                } else {
                    formatInteger(
                        UInt64(byte), isNegative: false, UInt32(UInt8(ascii: "d")), GoValue(.uint8, .none))
                }
            }
            write(flags.sharpV ? "}" : "]")
        case "s", "x", "X", "q": formatString(bytes, verb, value)
        default: printValue(value, verb, depth: 0)
        }
    }

    mutating func printValue(_ value: GoValue, _ verb: UInt32, depth: Int) {
        guard depth < Self.maximumDepth, !isOverLimit else { return write("...") }
        if depth > 0, value.isValid, printsItself(value, verb) { return }
        switch value.storage {
        case .placeholder(let text): write("<\(text)>")
        case .bool(let flag): formatBool(flag, verb, value)
        case .signed(let number): formatInteger(number.magnitude, isNegative: number < 0, verb, value)
        case .unsigned(let number): formatInteger(number, isNegative: false, verb, value)
        case .float(let number): formatFloat(number, bits: value.kind.bitWidth, verb, value)
        case .complex(let real, let imaginary):
            formatComplex(real, imaginary, bits: value.kind == .complex64 ? 64 : 128, verb, value)
        case .string(let text): formatString(text.bytes, verb, value)
        case .map: printMap(value, verb, depth: depth)
        case .fields: printFields(value, verb, depth: depth)
        case .list, .bytes: printList(value, verb, depth: depth)
        case .pointer(let target): printPointer(value, to: target, verb, depth: depth)
        case .time(let time): printFields(Self.insides(of: time), verb, depth: depth)
        case .version(let version): printFields(Self.insides(of: version), verb, depth: depth)
        case .none: printNil(value, verb, depth: depth)
        }
    }

    private mutating func printNil(_ value: GoValue, _ verb: UInt32, depth: Int) {
        switch value.kind {
        case .slice:
            if flags.sharpV {
                write("\(value.type)(nil)")
            } else if value.type.element?.kind == .uint8, verb < 0x80, "sqxX".utf8.contains(UInt8(verb)) {
                formatString([], verb, value)
            } else {
                write("[]")
            }
        case .map: write(flags.sharpV ? "\(value.type)(nil)" : "map[]")
        case .interface: write(flags.sharpV ? "interface {}(nil)" : "<nil>")
        case .pointer, .func: formatPointer(value, verb)
        default: write("<nil>")
        }
    }

    private mutating func printMap(_ value: GoValue, _ verb: UInt32, depth: Int) {
        write(flags.sharpV ? "\(value.type){" : "map[")
        for (index, entry) in (value.entries ?? []).enumerated() {
            if index > 0 { write(flags.sharpV ? ", " : " ") }
            printValue(.string(entry.key), verb, depth: depth + 1)
            write(UInt8(ascii: ":"))
            printValue(entry.value, verb, depth: depth + 1)
        }
        write(flags.sharpV ? "}" : "]")
    }

    private mutating func printFields(_ value: GoValue, _ verb: UInt32, depth: Int) {
        guard case .structure(let shape) = value.type, case .fields(let values) = value.storage else { return }
        write(flags.sharpV ? "\(shape.name){" : "{")
        for (index, (field, item)) in zip(shape.fields, values).enumerated() {
            if index > 0 { write(flags.sharpV ? ", " : " ") }
            if flags.plusV || flags.sharpV { write("\(field.name):") }
            printValue(item, verb, depth: depth + 1)
        }
        write(UInt8(ascii: "}"))
    }

    /// The unexported fields that verbs a time has no text for show.
    private static func insides(of time: GoTime) -> GoValue {
        let location = GoStructType(name: "time.Location", fields: [])
        let shape = GoStructType(
            name: "time.Time",
            fields: [
                GoField("wall", .basic(.uint64)), GoField("ext", .int64),
                GoField("loc", .pointer(.structure(location))),
            ])
        return .structure(
            shape,
            [
                "wall": GoValue(.basic(.uint64), .unsigned(UInt64(time.nanoseconds))),
                "ext": .int64(time.seconds &- GoTime.zero.seconds),
                "loc": time.zone == .utc ? .nilPointer(to: location) : .pointer(.structure(location, [:])),
            ])
    }

    private static func insides(of version: SemanticVersion) -> GoValue {
        let numbers = ["major", "minor", "patch"]
        let texts = ["pre", "metadata", "original"]
        let shape = GoStructType(
            name: "semver.Version",
            fields: numbers.map { GoField($0, .int64) } + texts.map { GoField($0, .string) })
        return .structure(
            shape,
            [
                "major": .int64(version.major), "minor": .int64(version.minor), "patch": .int64(version.patch),
                "pre": .string(version.prerelease), "metadata": .string(version.metadata),
                "original": .string(version.original),
            ])
    }

    private mutating func printList(_ value: GoValue, _ verb: UInt32, depth: Int) {
        if case .bytes(let bytes) = value.storage, verb < 0x80, "sqxX".utf8.contains(UInt8(verb)) {
            return formatBytes(bytes, verb, value, typeText: "\(value.type)")
        }
        write(flags.sharpV ? "\(value.type){" : "[")
        for (index, item) in (value.elements ?? []).enumerated() {
            if index > 0 { write(flags.sharpV ? ", " : " ") }
            printValue(item, verb, depth: depth + 1)
        }
        write(flags.sharpV ? "}" : "]")
    }

    private mutating func printPointer(_ value: GoValue, to target: GoValue, _ verb: UInt32, depth: Int) {
        switch target.kind {
        case .array, .slice, .struct, .map:
            guard depth == 0 else { return formatPointer(value, verb) }
            write(UInt8(ascii: "&"))
            printValue(target, verb, depth: depth + 1)
        default: formatPointer(value, verb)
        }
    }

    /// Addresses mean nothing here: what Go prints for them differs from run to run. A fixed one is shown.
    private mutating func formatPointer(_ value: GoValue, _ verb: UInt32) {
        switch value.kind {
        case .pointer, .map, .slice, .func: break
        default: return badVerb(value, verb)
        }
        let address: UInt64 = value.isNil ? 0 : 0xc000_0000_00
        switch Runes.scalar(verb) {
        case "v" where flags.sharpV:
            write("(\(value.type))(")
            if address == 0 { write("nil") } else { formatHexadecimal(address, withPrefix: true) }
            write(UInt8(ascii: ")"))
        case "v" where address == 0: pad(Array("<nil>".utf8))
        case "v", "p": formatHexadecimal(address, withPrefix: !flags.sharp)
        case "b", "o", "d", "x", "X":
            formatInteger(address, isNegative: false, verb, GoValue(.basic(.uintptr), .none))
        default: badVerb(value, verb)
        }
    }
}
