/// `fmt.Sprintf`: the format string.
extension Formatter {
    /// Where in the format string and in the arguments the formatter is.
    private struct Cursor {
        let format: [UInt8]
        let values: [GoValue]
        var position = 0
        var argument = 0
        var afterIndex = false
        var reordered = false
        var goodArgument = true

        var byte: UInt8? { position < format.count ? format[position] : nil }

        mutating func accept(_ byte: UInt8) -> Bool {
            guard self.byte == byte else { return false }
            position += 1
            return true
        }

        /// A number up to a million; a larger one is none, and ends the format.
        mutating func number() -> Int? {
            guard position < format.count else { return nil }
            var value = 0
            var found = false
            while let byte, (0x30...0x39).contains(byte) {
                if value > 1_000_000 {
                    position = format.count
                    return nil
                }
                value = value * 10 + Int(byte - 0x30)
                found = true
                position += 1
            }
            return found ? value : nil
        }

        /// `[3]`
        mutating func argumentIndex() {
            afterIndex = false
            guard byte == UInt8(ascii: "[") else { return }
            reordered = true
            guard format.count - position >= 3, let close = format[position...].firstIndex(of: UInt8(ascii: "]")) else {
                goodArgument = false
                position += 1
                return
            }
            var inner = Cursor(format: Array(format[(position + 1)..<close]), values: [])
            let number = inner.number()
            position = close + 1
            guard let number, inner.position == inner.format.count else {
                goodArgument = false
                return
            }
            afterIndex = true
            if number >= 1 && number <= values.count {
                argument = number - 1
            } else {
                goodArgument = false
            }
        }

        /// The value of a `*`.
        mutating func starArgument() -> Int? {
            guard argument < values.count else { return nil }
            let value = values[argument].integerValue
            argument += 1
            guard let value, value >= -1_000_000, value <= 1_000_000 else { return nil }
            return Int(value)
        }
    }

    mutating func format(_ text: String, _ values: [GoValue]) { format(Array(text.utf8), values) }

    mutating func format(_ format: [UInt8], _ values: [GoValue]) {
        var cursor = Cursor(format: format, values: values)
        while cursor.position < format.count {
            let literal = format[cursor.position...].prefix { $0 != UInt8(ascii: "%") }
            write(literal)
            cursor.position += literal.count
            guard cursor.accept(UInt8(ascii: "%")) else { break }
            guard directive(&cursor) else { break }
        }
        guard !cursor.reordered, cursor.argument < values.count else { return }
        flags = Flags()
        write("%!(EXTRA ")
        for (position, value) in values[cursor.argument...].enumerated() {
            if position > 0 { write(", ") }
            if value.isNil && value.kind == .interface {
                write("<nil>")
            } else {
                write("\(value.type)=")
                printArgument(value, UInt32(UInt8(ascii: "v")))
            }
        }
        write(UInt8(ascii: ")"))
    }

    /// One directive, its `%` being past; false when the format ends in it.
    private mutating func directive(_ cursor: inout Cursor) -> Bool {
        flags = Flags()
        cursor.goodArgument = true
        readFlags(&cursor)
        cursor.argumentIndex()
        readWidth(&cursor)
        readPrecision(&cursor)
        if !cursor.afterIndex { cursor.argumentIndex() }
        guard cursor.position < cursor.format.count else {
            write("%!(NOVERB)")
            return false
        }
        let (verb, width) = Runes.decode(cursor.format, at: cursor.position)
        cursor.position += width
        if verb == UInt32(UInt8(ascii: "%")) {
            write(UInt8(ascii: "%"))
        } else if !cursor.goodArgument {
            writeBad(verb, "(BADINDEX)")
        } else if cursor.argument >= cursor.values.count {
            writeBad(verb, "(MISSING)")
        } else {
            if verb == UInt32(UInt8(ascii: "v")) || verb == UInt32(UInt8(ascii: "w")) {
                (flags.sharpV, flags.sharp) = (flags.sharp, false)
                (flags.plusV, flags.plus) = (flags.plus, false)
            }
            printArgument(cursor.values[cursor.argument], verb)
            cursor.argument += 1
        }
        return true
    }

    private mutating func writeBad(_ verb: UInt32, _ text: String) {
        write("%!")
        writeRune(verb)
        write(text)
    }

    private mutating func readFlags(_ cursor: inout Cursor) {
        while let byte = cursor.byte {
            switch byte {
            case UInt8(ascii: "#"): flags.sharp = true
            case UInt8(ascii: "0"): flags.zero = true
            case UInt8(ascii: "+"): flags.plus = true
            case UInt8(ascii: "-"): flags.minus = true
            case UInt8(ascii: " "): flags.space = true
            default: return
            }
            cursor.position += 1
        }
    }

    private mutating func readWidth(_ cursor: inout Cursor) {
        guard cursor.accept(UInt8(ascii: "*")) else {
            flags.width = cursor.number()
            if cursor.afterIndex && flags.width != nil { cursor.goodArgument = false }
            return
        }
        flags.width = cursor.starArgument()
        if flags.width == nil { write("%!(BADWIDTH)") }
        if let width = flags.width, width < 0 {
            flags.width = -width
            flags.minus = true
            flags.zero = false
        }
        cursor.afterIndex = false
    }

    private mutating func readPrecision(_ cursor: inout Cursor) {
        guard cursor.position + 1 < cursor.format.count, cursor.accept(UInt8(ascii: ".")) else { return }
        if cursor.afterIndex { cursor.goodArgument = false }
        cursor.argumentIndex()
        guard cursor.accept(UInt8(ascii: "*")) else {
            flags.precision = cursor.number() ?? 0
            return
        }
        flags.precision = cursor.starArgument()
        if let precision = flags.precision, precision < 0 { flags.precision = nil }
        if flags.precision == nil { write("%!(BADPREC)") }
        cursor.afterIndex = false
    }
}
