/// sprig's functions on letter case.
///
/// Source: Masterminds/goutils 1.1 `wordutils.go`, huandu/xstrings 1.2 `convert.go`, Go `strings`.
enum CaseFunctions {
    static let functions: [TemplateFunction] = [
        change("upper", "The text in capitals.") { ByteText.map($0, Runes.upper) },
        change("lower", "The text in small letters.") { ByteText.map($0, Runes.lower) },
        change("title", "The text with every word's first letter a capital.", title),
        change("untitle", "The text with every word's first letter small.", untitle),
        change("swapcase", "The text with capitals and small letters exchanged; words start with a capital.", swapCase),
        change("initials", "The first letter of every word.", initials),
        change("snakecase", "`FirstName` as `first_name`.") { lowerWords($0, connector: 0x5f) },
        change("kebabcase", "`FirstName` as `first-name`.") { lowerWords($0, connector: 0x2d) },
        change("camelcase", "`first_name` as `FirstName`.", camelCase),
    ]

    private static func change(
        _ name: String, _ summary: String, _ body: @escaping @Sendable ([UInt8]) -> [UInt8]
    ) -> TemplateFunction {
        TemplateFunction(name, [.string], result: "string", summary, placeholders: .derive) { call in
            .string(GoString(bytes: body(call.string(0).bytes)))
        }
    }

    private static func isSeparator(_ rune: UInt32) -> Bool {
        if rune < 0x80 { return !(Runes.isLetter(rune) || Runes.isDigit(rune) || rune == 0x5f) }
        return !Runes.isLetter(rune) && !Runes.isDigit(rune) && Runes.isSpace(rune)
    }

    private static func title(_ text: [UInt8]) -> [UInt8] {
        var previous: UInt32 = 0x20
        return ByteText.map(text) { rune in
            defer { previous = rune }
            return isSeparator(previous) ? Runes.title(rune) : rune
        }
    }

    private static func untitle(_ text: [UInt8]) -> [UInt8] {
        var atStart = true
        return ByteText.map(text) { rune in
            if Runes.isSpace(rune) {
                atStart = true
            } else if atStart {
                atStart = false
                return Runes.lower(rune)
            }
            return rune
        }
    }

    private static func swapCase(_ text: [UInt8]) -> [UInt8] {
        var atStart = true
        return ByteText.map(text) { rune in
            if Runes.isUpper(rune) || Runes.isTitle(rune) {
                atStart = false
                return Runes.lower(rune)
            }
            if Runes.isLower(rune) {
                defer { atStart = false }
                return atStart ? Runes.title(rune) : Runes.upper(rune)
            }
            atStart = Runes.isSpace(rune)
            return rune
        }
    }

    /// Byte by byte, as sprig's library does it: letters beyond ASCII come out as their first byte.
    private static func initials(_ text: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var afterGap = true
        for byte in text {
            if Runes.isSpace(UInt32(byte)) {
                afterGap = true
            } else if afterGap {
                Runes.append(UInt32(byte), to: &out)
                afterGap = false
            }
        }
        return out
    }

    private static func camelCase(_ text: [UInt8]) -> [UInt8] {
        let runes = Runes.all(text)
        var out: [UInt32] = []
        var position = 0
        var current: UInt32 = 0
        while position < runes.count {
            current = runes[position]
            position += 1
            if current != 0x5f { break }
            out.append(current)
        }
        // When nothing follows, the character after the underscores is lost: xstrings does that.
        if position == runes.count { return Runes.bytes(out) }
        current = Runes.upper(current)
        while position < runes.count {
            let previous = current
            current = runes[position]
            position += 1
            if previous == 0x5f && current == 0x5f {
                out.append(previous)
                continue
            }
            current = previous == 0x5f ? Runes.upper(current) : Runes.lower(current)
            if previous != 0x5f { out.append(previous) }
        }
        return Runes.bytes(out + [current])
    }

    /// Words in small letters with a connector between them; a run of capitals is an abbreviation and one more word.
    private static func lowerWords(_ text: [UInt8], connector: UInt32) -> [UInt8] {
        let runes = Runes.all(text)
        var out: [UInt32] = []
        var position = 0
        var current = connector
        while position < runes.count {
            let previous = current
            current = runes[position]
            position += 1
            switch current {
            case Runes.replacement: out.append(current)
            case _ where Runes.isUpper(current):
                if previous != connector && !Runes.isNumber(previous) { out.append(connector) }
                out.append(Runes.lower(current))
                abbreviation(runes, &position, &current, connector, &out)
            case _ where Runes.isNumber(current):
                if previous != connector && !Runes.isNumber(previous) { out.append(connector) }
                out.append(current)
            default:
                if current == 0x20 || current == 0x2d || current == 0x5f { current = connector }
                out.append(current)
            }
        }
        return Runes.bytes(out)
    }

    /// What follows a capital.
    private static func abbreviation(
        _ runes: [UInt32], _ position: inout Int, _ current: inout UInt32, _ connector: UInt32, _ out: inout [UInt32]
    ) {
        guard position < runes.count else { return }
        current = runes[position]
        position += 1
        guard Runes.isUpper(current) else {
            out.append(current)
            return
        }
        while position < runes.count {
            let previous = current
            current = runes[position]
            position += 1
            if current == Runes.replacement {
                out += [Runes.lower(previous), current]
                break
            }
            guard Runes.isUpper(current) else {
                if current == 0x5f || current == 0x20 || current == 0x2d {
                    current = connector
                    out.append(Runes.lower(previous))
                } else if Runes.isNumber(current) {
                    out += [Runes.lower(previous), connector, current]
                } else {
                    out += [connector, Runes.lower(previous), current]
                }
                break
            }
            out.append(Runes.lower(previous))
        }
        if position == runes.count || current == connector { out.append(Runes.lower(current)) }
    }
}
