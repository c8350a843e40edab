/// Block scalars: `|` and `>` with indentation and chomping indicators.
enum YAMLBlockText {
    /// Nil when no indentation explains the decoded text.
    static func runs(of scalar: YAMLScalar, in bytes: [UInt8], offsets: Range<Int>) -> [YAMLTextMap.Run]? {
        var start = YAMLTextScanner(bytes: bytes, offsets: offsets)
        start.skipProperties()
        let header = Header(reading: &start)
        for indent in indents(of: scalar, header: header, scanner: start) {
            var scanner = start
            decode(&scanner, isFolded: scalar.style == .folded, indent: indent, chomping: header.chomping)
            if scanner.decoded.elementsEqual(scalar.text.utf8) { return scanner.runs }
        }
        return nil
    }

    private struct Header {
        var increment = 0
        var chomping = 0

        init(reading scanner: inout YAMLTextScanner) {
            scanner.position += 1
            while let byte = scanner.current, scanner.breakCount == 0 {
                if byte == UInt8(ascii: "#") || scanner.isBlank { break }
                if byte == UInt8(ascii: "+") { chomping = 1 }
                if byte == UInt8(ascii: "-") { chomping = -1 }
                if (0x31...0x39).contains(byte) { increment = Int(byte) - 0x30 }
                scanner.position += 1
            }
            while scanner.current != nil, scanner.breakCount == 0 { scanner.position += 1 }
            scanner.position += scanner.breakCount
        }
    }

    /// Candidates, the likely one first. The indentation of the surrounding block is not in the event, so with an
    /// explicit indicator it is found from the difference between the text in the file and the decoded text.
    private static func indents(of scalar: YAMLScalar, header: Header, scanner: YAMLTextScanner) -> [Int] {
        var scanner = scanner
        var widest = 0
        var firstText: Int?
        while scanner.current != nil, firstText == nil {
            let lineStart = scanner.position
            while scanner.current == 0x20 { scanner.position += 1 }
            let width = scanner.position - lineStart
            widest = max(widest, width)
            if scanner.breakCount == 0, scanner.current != nil {
                firstText = width
            } else {
                scanner.position += scanner.breakCount
            }
        }
        guard header.increment > 0 else { return [max(widest, 1)] }
        var likely: [Int] = []
        if let firstText {
            let text = scalar.text.utf8.drop { $0 == 0x0a }
            var kept = 0
            for line in text.split(separator: 0x0a, omittingEmptySubsequences: false) {
                kept = line.prefix { $0 == 0x20 }.count
                if kept < line.count { break }
            }
            likely = [firstText - kept]
        }
        return likely.filter { $0 > 0 } + Array(1...max(1, min(64, widest)))
    }

    private static func decode(_ scanner: inout YAMLTextScanner, isFolded: Bool, indent: Int, chomping: Int) {
        // Line breaks that wait until it is clear what they become.
        var pending: (offset: Int, count: Int)?
        var empty = emptyLines(&scanner, indent: indent)
        var wasBlank = false
        while scanner.current != nil, empty.column == indent {
            let isBlank = scanner.isBlank
            if let lineBreak = pending {
                let text = scanner.breakText(at: lineBreak.offset, count: lineBreak.count)
                let stop = lineBreak.offset + lineBreak.count
                if isFolded, text == [0x0a], !wasBlank, !isBlank {
                    if empty.breaks.isEmpty { scanner.substitute([0x20], from: lineBreak.offset, to: stop) }
                } else {
                    scanner.substitute(text, from: lineBreak.offset, to: stop)
                }
            }
            append(empty.breaks, to: &scanner)
            wasBlank = isBlank
            scanner.copy(scanner.restOfLineCount)
            pending = scanner.breakCount > 0 ? (scanner.position, scanner.breakCount) : nil
            scanner.position += scanner.breakCount
            empty = emptyLines(&scanner, indent: indent)
        }
        if chomping >= 0, let lineBreak = pending { append([lineBreak], to: &scanner) }
        if chomping > 0 { append(empty.breaks, to: &scanner) }
    }

    private static func append(_ breaks: [(offset: Int, count: Int)], to scanner: inout YAMLTextScanner) {
        for item in breaks {
            let text = scanner.breakText(at: item.offset, count: item.count)
            scanner.substitute(text, from: item.offset, to: item.offset + item.count)
        }
    }

    /// Goes past empty lines and the next line's indentation.
    private static func emptyLines(
        _ scanner: inout YAMLTextScanner, indent: Int
    ) -> (breaks: [(offset: Int, count: Int)], column: Int) {
        var breaks: [(offset: Int, count: Int)] = []
        while true {
            var column = 0
            while column < indent, scanner.current == 0x20 {
                scanner.position += 1
                column += 1
            }
            let count = scanner.breakCount
            guard count > 0 else { return (breaks, column) }
            breaks.append((scanner.position, count))
            scanner.position += count
        }
    }
}
