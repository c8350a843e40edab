/// Go's view of a string as code points: what is not UTF-8 is U+FFFD, one byte at a time.
enum Runes {
    static let replacement: UInt32 = 0xfffd

    /// The code point at `position` and how many bytes it takes; U+FFFD and 1 where the bytes are not UTF-8.
    ///
    /// - Parameter position: inside `bytes`.
    static func decode(_ bytes: some RandomAccessCollection<UInt8>, at position: Int) -> (rune: UInt32, width: Int) {
        func byte(_ offset: Int) -> UInt8? {
            let index = position + offset
            guard index < bytes.count else { return nil }
            return bytes[bytes.index(bytes.startIndex, offsetBy: index)]
        }
        guard let first = byte(0) else { return (replacement, 1) }
        if first < 0x80 { return (UInt32(first), 1) }
        let (length, low, high): (Int, UInt8, UInt8)
        switch first {
        case 0xc2...0xdf: (length, low, high) = (2, 0x80, 0xbf)
        case 0xe0: (length, low, high) = (3, 0xa0, 0xbf)
        case 0xed: (length, low, high) = (3, 0x80, 0x9f)
        case 0xe1...0xef: (length, low, high) = (3, 0x80, 0xbf)
        case 0xf0: (length, low, high) = (4, 0x90, 0xbf)
        case 0xf1...0xf3: (length, low, high) = (4, 0x80, 0xbf)
        case 0xf4: (length, low, high) = (4, 0x80, 0x8f)
        default: return (replacement, 1)
        }
        guard let second = byte(1), second >= low, second <= high else { return (replacement, 1) }
        var rune = (UInt32(first) & (0x7f >> UInt32(length))) << 6 | UInt32(second & 0x3f)
        for offset in 2..<max(2, length) {
            guard let next = byte(offset), next & 0xc0 == 0x80 else { return (replacement, 1) }
            rune = rune << 6 | UInt32(next & 0x3f)
        }
        return (rune, length)
    }

    static func all(_ bytes: [UInt8]) -> [UInt32] {
        var runes: [UInt32] = []
        runes.reserveCapacity(bytes.count)
        var position = 0
        while position < bytes.count {
            let (rune, width) = decode(bytes, at: position)
            runes.append(rune)
            position += width
        }
        return runes
    }

    static func count(_ bytes: [UInt8]) -> Int {
        var count = 0
        var position = 0
        while position < bytes.count {
            position += decode(bytes, at: position).width
            count += 1
        }
        return count
    }

    /// Appends a code point; surrogates and what is beyond Unicode become U+FFFD.
    static func append(_ rune: UInt32, to bytes: inout [UInt8]) {
        if rune < 0x80 {
            bytes.append(UInt8(rune))
        } else {
            bytes.append(contentsOf: UTF8.encode(scalar(rune)) ?? UTF8.encodedReplacementCharacter)
        }
    }

    static func bytes(_ runes: some Sequence<UInt32>) -> [UInt8] {
        var bytes: [UInt8] = []
        for rune in runes { append(rune, to: &bytes) }
        return bytes
    }

    static func isValid(_ bytes: [UInt8]) -> Bool {
        var position = 0
        while position < bytes.count {
            let (rune, width) = decode(bytes, at: position)
            if rune == replacement && width == 1 { return false }
            position += width
        }
        return true
    }

    static func scalar(_ rune: UInt32) -> Unicode.Scalar { Unicode.Scalar(rune) ?? "\u{fffd}" }

    private static func category(_ rune: UInt32) -> Unicode.GeneralCategory? {
        Unicode.Scalar(rune)?.properties.generalCategory
    }

    static func isLetter(_ rune: UInt32) -> Bool {
        if rune < 0x80 { return (rune | 0x20) >= 0x61 && (rune | 0x20) <= 0x7a }
        switch category(rune) {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return true
        default: return false
        }
    }

    static func isDigit(_ rune: UInt32) -> Bool {
        if rune < 0x80 { return rune >= 0x30 && rune <= 0x39 }
        return category(rune) == .decimalNumber
    }

    static func isUpper(_ rune: UInt32) -> Bool {
        if rune < 0x80 { return rune >= 0x41 && rune <= 0x5a }
        return category(rune) == .uppercaseLetter
    }

    static func isLower(_ rune: UInt32) -> Bool {
        if rune < 0x80 { return rune >= 0x61 && rune <= 0x7a }
        return category(rune) == .lowercaseLetter
    }

    static func isTitle(_ rune: UInt32) -> Bool { category(rune) == .titlecaseLetter }

    /// Any kind of number, not only decimal digits.
    static func isNumber(_ rune: UInt32) -> Bool {
        if rune < 0x80 { return isDigit(rune) }
        switch category(rune) {
        case .decimalNumber, .letterNumber, .otherNumber: return true
        default: return false
        }
    }

    static func isSpace(_ rune: UInt32) -> Bool {
        switch rune {
        case 0x09...0x0d, 0x20, 0x85, 0xa0, 0x1680, 0x2000...0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000: true
        default: false
        }
    }

    /// Letters, marks, numbers, punctuation, symbols and the ASCII space.
    static func isPrint(_ rune: UInt32) -> Bool {
        if rune < 0x7f { return rune >= 0x20 }
        switch category(rune) {
        case nil, .control, .format, .surrogate, .privateUse, .unassigned, .spaceSeparator, .lineSeparator,
            .paragraphSeparator:
            return false
        default: return true
        }
    }

    /// The one code point `unicode.ToUpper` gives: simple mappings only, so `ß` stays.
    static func upper(_ rune: UInt32) -> UInt32 {
        if rune < 0x80 { return rune >= 0x61 && rune <= 0x7a ? rune - 32 : rune }
        return simple(rune) { $0.properties.uppercaseMapping }
    }

    static func lower(_ rune: UInt32) -> UInt32 {
        if rune < 0x80 { return rune >= 0x41 && rune <= 0x5a ? rune + 32 : rune }
        // The full mapping of İ is two code points, its simple one is i.
        if rune == 0x130 { return 0x69 }
        return simple(rune) { $0.properties.lowercaseMapping }
    }

    static func title(_ rune: UInt32) -> UInt32 {
        if rune < 0x80 { return upper(rune) }
        return simple(rune) { $0.properties.titlecaseMapping }
    }

    private static func simple(_ rune: UInt32, _ mapping: (Unicode.Scalar) -> String) -> UInt32 {
        guard let scalar = Unicode.Scalar(rune) else { return rune }
        let mapped = mapping(scalar).unicodeScalars
        guard let first = mapped.first, mapped.count == 1 else { return rune }
        return first.value
    }
}
