/// Numbers, strings and bytes under every verb.
extension Formatter {
    private static func verb(_ character: Unicode.Scalar) -> UInt32 { character.value }

    mutating func formatInteger(_ magnitude: UInt64, isNegative: Bool, _ verb: UInt32, _ value: GoValue) {
        let isUnsigned = value.kind.isUnsigned
        switch Runes.scalar(verb) {
        case "v" where flags.sharpV && isUnsigned: formatHexadecimal(magnitude, withPrefix: true)
        case "v", "d": formatInteger(magnitude, isNegative, base: 10, verb)
        case "b": formatInteger(magnitude, isNegative, base: 2, verb)
        case "o", "O": formatInteger(magnitude, isNegative, base: 8, verb)
        case "x": formatInteger(magnitude, isNegative, base: 16, verb)
        case "X": formatInteger(magnitude, isNegative, base: 16, verb, uppercase: true)
        case "c":
            var bytes: [UInt8] = []
            Runes.append(Self.rune(magnitude, isNegative), to: &bytes)
            pad(bytes)
        case "q": pad(Quoting.quoteRune(Self.rune(magnitude, isNegative), ascii: flags.plus))
        case "U": formatUnicode(isNegative ? 0 &- magnitude : magnitude)
        default: badVerb(value, verb)
        }
    }

    private static func rune(_ magnitude: UInt64, _ isNegative: Bool) -> UInt32 {
        isNegative || magnitude > 0x10ffff ? Runes.replacement : UInt32(magnitude)
    }

    mutating func formatHexadecimal(_ value: UInt64, withPrefix: Bool) {
        let sharp = flags.sharp
        flags.sharp = withPrefix
        formatInteger(value, false, base: 16, UInt32(UInt8(ascii: "v")))
        flags.sharp = sharp
    }

    private mutating func formatInteger(
        _ magnitude: UInt64, _ isNegative: Bool, base: Int, _ verb: UInt32, uppercase: Bool = false
    ) {
        var wanted = 0
        if let precision = flags.precision {
            wanted = precision
            if precision == 0 && magnitude == 0 {
                let zero = flags.zero
                flags.zero = false
                writePadding(flags.width ?? 0)
                flags.zero = zero
                return
            }
        } else if flags.zero, !flags.minus, let width = flags.width {
            wanted = isNegative || flags.plus || flags.space ? width - 1 : width
        }
        var text = String(magnitude, radix: base, uppercase: uppercase)
        text = String(repeating: "0", count: max(0, wanted - text.utf8.count)) + text
        if flags.sharp {
            switch base {
            case 2: text = "0b" + text
            case 8: if text.utf8.first != 0x30 { text = "0" + text }
            case 16: text = (uppercase ? "0X" : "0x") + text
            default: break
            }
        }
        if verb == UInt32(UInt8(ascii: "O")) { text = "0o" + text }
        if isNegative {
            text = "-" + text
        } else if flags.plus {
            text = "+" + text
        } else if flags.space {
            text = " " + text
        }
        padWithoutZeros(Array(text.utf8))
    }

    private mutating func formatUnicode(_ value: UInt64) {
        let hex = String(value, radix: 16, uppercase: true)
        let width = max(4, flags.precision ?? 0)
        var text = "U+" + String(repeating: "0", count: max(0, width - hex.utf8.count)) + hex
        if flags.sharp, value <= 0x10ffff, Runes.isPrint(UInt32(value)) {
            text += " '\(Character(Runes.scalar(UInt32(value))))'"
        }
        padWithoutZeros(Array(text.utf8))
    }

    // MARK: - Floats

    mutating func formatFloat(_ number: Double, bits: Int, _ verb: UInt32, _ value: GoValue) {
        switch Runes.scalar(verb) {
        case "v": formatFloat(number, bits: bits, UInt8(ascii: "g"), defaultPrecision: -1, shown: UInt8(ascii: "v"))
        case "b", "g", "G", "x", "X":
            formatFloat(number, bits: bits, UInt8(verb), defaultPrecision: -1, shown: UInt8(verb))
        case "f", "e", "E": formatFloat(number, bits: bits, UInt8(verb), defaultPrecision: 6, shown: UInt8(verb))
        case "F": formatFloat(number, bits: bits, UInt8(ascii: "f"), defaultPrecision: 6, shown: UInt8(ascii: "f"))
        default: badVerb(value, verb)
        }
    }

    mutating func formatComplex(_ real: Double, _ imaginary: Double, bits: Int, _ verb: UInt32, _ value: GoValue) {
        guard verb < 0x80, "vbgGxXfFeE".utf8.contains(UInt8(verb)) else { return badVerb(value, verb) }
        let plus = flags.plus
        write(UInt8(ascii: "("))
        formatFloat(real, bits: bits / 2, verb, value)
        flags.plus = true
        formatFloat(imaginary, bits: bits / 2, verb, value)
        write("i)")
        flags.plus = plus
    }

    private mutating func formatFloat(
        _ number: Double, bits: Int, _ verb: UInt8, defaultPrecision: Int, shown: UInt8
    ) {
        let precision = flags.precision ?? defaultPrecision
        var text = FloatText.format(number, verb: verb, precision: precision, bits: bits)
        if text.first != UInt8(ascii: "-") && text.first != UInt8(ascii: "+") { text.insert(UInt8(ascii: "+"), at: 0) }
        if flags.space && text.first == UInt8(ascii: "+") && !flags.plus { text[0] = 0x20 }
        if !number.isFinite {
            if number.isNaN && !flags.space && !flags.plus { text.removeFirst() }
            // Infinities lose their plus unless it was asked for.
            if number.isInfinite && text.first == UInt8(ascii: "+") && !flags.plus {
                return padWithoutZeros(text)
            }
            return padWithoutZeros(text)
        }
        if flags.sharp && verb != UInt8(ascii: "b") { restoreZeros(&text, verb, precision) }
        guard flags.plus || text.first != UInt8(ascii: "+") else { return pad(Array(text.dropFirst())) }
        if flags.zero, !flags.minus, let width = flags.width, width > text.count {
            write(text[0])
            writePadding(width - text.count)
            write(text.dropFirst())
        } else {
            pad(text)
        }
    }

    /// `#`: a decimal point always, and the zeros `%g` would drop.
    private func restoreZeros(_ text: inout [UInt8], _ verb: UInt8, _ precision: Int) {
        var digits = 0
        if verb == UInt8(ascii: "g") || verb == UInt8(ascii: "G") || verb == UInt8(ascii: "x") {
            digits = precision == -1 ? 6 : precision
        }
        let isHexadecimal = verb == UInt8(ascii: "x") || verb == UInt8(ascii: "X")
        var tail: [UInt8] = []
        var (hasPoint, sawNonzero) = (false, false)
        for (index, byte) in text.enumerated().dropFirst() {
            if byte == UInt8(ascii: ".") {
                hasPoint = true
            } else if byte | 0x20 == UInt8(ascii: "p") || (!isHexadecimal && byte | 0x20 == UInt8(ascii: "e")) {
                tail = Array(text[index...])
                text = Array(text[..<index])
                break
            } else {
                if byte != 0x30 { sawNonzero = true }
                if sawNonzero { digits -= 1 }
            }
        }
        if !hasPoint {
            if text.count == 2 && text[1] == 0x30 { digits -= 1 }
            text.append(UInt8(ascii: "."))
        }
        if digits > 0 { text += [UInt8](repeating: 0x30, count: digits) }
        text += tail
    }

    // MARK: - Strings

    mutating func formatString(_ bytes: [UInt8], _ verb: UInt32, _ value: GoValue) {
        switch Runes.scalar(verb) {
        case "v" where flags.sharpV: formatQuoted(bytes)
        case "v", "s": pad(truncated(bytes))
        case "x": formatHexadecimal(bytes, uppercase: false)
        case "X": formatHexadecimal(bytes, uppercase: true)
        case "q": formatQuoted(bytes)
        default: badVerb(value, verb)
        }
    }

    /// Cut to the precision, in code points.
    private func truncated(_ bytes: [UInt8]) -> [UInt8] {
        guard var left = flags.precision else { return bytes }
        var position = 0
        while position < bytes.count {
            left -= 1
            if left < 0 { return Array(bytes[..<position]) }
            position += Runes.decode(bytes, at: position).width
        }
        return bytes
    }

    private mutating func formatQuoted(_ bytes: [UInt8]) {
        let text = truncated(bytes)
        if flags.sharp && Quoting.canBackquote(text) {
            pad([0x60] + text + [0x60])
        } else {
            pad(Quoting.quote(text, ascii: flags.plus))
        }
    }

    mutating func formatHexadecimal(_ all: [UInt8], uppercase: Bool) {
        let bytes = flags.precision.map { Array(all.prefix($0)) } ?? all
        guard !bytes.isEmpty else { return writePadding(flags.width ?? 0) }
        let digits = Array((uppercase ? "0123456789ABCDEF" : "0123456789abcdef").utf8)
        let prefix = flags.sharp ? Array((uppercase ? "0X" : "0x").utf8) : []
        var text = prefix
        for (index, byte) in bytes.enumerated() {
            if flags.space && index > 0 { text += [0x20] + prefix }
            text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        pad(text)
    }

    mutating func formatBool(_ flag: Bool, _ verb: UInt32, _ value: GoValue) {
        switch Runes.scalar(verb) {
        case "t", "v": pad(Array((flag ? "true" : "false").utf8))
        default: badVerb(value, verb)
        }
    }
}
