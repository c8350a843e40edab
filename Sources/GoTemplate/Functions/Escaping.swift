/// Text made safe for HTML, JavaScript and URLs, as Go does it.
package enum Escaping {
    package static func html(_ text: GoString) -> GoString {
        var out: [UInt8] = []
        for byte in text.bytes {
            switch byte {
            case 0: out += "\u{fffd}".utf8
            case UInt8(ascii: "\""): out += "&#34;".utf8
            case UInt8(ascii: "'"): out += "&#39;".utf8
            case UInt8(ascii: "&"): out += "&amp;".utf8
            case UInt8(ascii: "<"): out += "&lt;".utf8
            case UInt8(ascii: ">"): out += "&gt;".utf8
            default: out.append(byte)
            }
        }
        return GoString(bytes: out)
    }

    package static func javaScript(_ text: GoString) -> GoString {
        var out: [UInt8] = []
        var position = 0
        while position < text.bytes.count {
            let (rune, width) = Runes.decode(text.bytes, at: position)
            switch Runes.scalar(rune) {
            case "\\": out += #"\\"#.utf8
            case "'": out += #"\'"#.utf8
            case "\"": out += #"\""#.utf8
            case "<", ">", "&", "=": out += unicode(rune)
            case _ where rune < 0x20: out += unicode(rune)
            case _ where rune < 0x80 || Runes.isPrint(rune): out += text.bytes[position..<(position + width)]
            default: out += unicode(rune)
            }
            position += width
        }
        return GoString(bytes: out)
    }

    private static func unicode(_ rune: UInt32) -> [UInt8] {
        let hex = String(rune, radix: 16, uppercase: true)
        return Array(("\\u" + String(repeating: "0", count: max(0, 4 - hex.utf8.count)) + hex).utf8)
    }

    /// `url.QueryEscape`
    package static func query(_ text: GoString) -> GoString {
        var out: [UInt8] = []
        for byte in text.bytes {
            switch byte {
            case 0x20: out.append(UInt8(ascii: "+"))
            case _ where isUnreserved(byte): out.append(byte)
            default: out += percent(byte)
            }
        }
        return GoString(bytes: out)
    }

    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "~"): true
        default: false
        }
    }

    static func percent(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
}
