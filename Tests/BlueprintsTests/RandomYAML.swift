/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1
    }

    mutating func next() -> UInt64 {
        state = state &+ 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// Texts that are nearly always YAML, full of what makes scalars hard.
enum RandomYAML {
    static func scalarDocument(using random: inout SeededGenerator) -> String {
        let outer = String(repeating: " ", count: Int.random(in: 1...4, using: &random))
        let lineBreak = Bool.random(using: &random) ? "\n" : "\r\n"
        let properties = ["", "", "&a ", "!!str ", "! ", "&b !!str ", "!x &c "].randomElement(using: &random) ?? ""
        let value: String
        switch Int.random(in: 0..<5, using: &random) {
        case 0: value = pieces(plainPieces, outer, lineBreak, &random, first: "a")
        case 1: value = "'" + pieces(singlePieces, outer, lineBreak, &random) + "'"
        case 2: value = "\"" + pieces(doublePieces, outer, lineBreak, &random) + "\""
        case 3: value = block("|", outer, lineBreak, &random)
        default: value = block(">", outer, lineBreak, &random)
        }
        let after = ["", lineBreak, lineBreak + outer + "w: x" + lineBreak, lineBreak + "w: x"]
        return "k:" + lineBreak + outer + "v: " + properties + value + (after.randomElement(using: &random) ?? "")
    }

    private static let plainPieces = [
        "a", "b", "é", "日", " ", "  ", "x:y", "#", "'", "{{ q }}", "\t", "BREAK", "\u{a0}",
    ]
    private static let singlePieces = ["a", "b", "é", " ", "''", "\\", "\"", "{{ q }}", "\t", "BREAK", ": ", "# ", "-"]
    private static let doublePieces = [
        "a", "b", "é", " ", "'", "\\n", "\\t", "\\x61", "\\u00e9", "\\U0001F600", "\\\\", "\\\"", "\\ ", "{{ q }}",
        "\t",
        "BREAK", "\\BREAK", ": ", "\\0", "\\L", "\\_", "\\e",
    ]

    private static func pieces(
        _ choices: [String], _ outer: String, _ lineBreak: String, _ random: inout SeededGenerator, first: String = ""
    ) -> String {
        var text = first
        for _ in 0..<Int.random(in: 0..<14, using: &random) {
            let piece = choices.randomElement(using: &random) ?? "a"
            guard piece.hasSuffix("BREAK") else {
                text += piece
                continue
            }
            text += piece.dropLast(5)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                text +=
                    [lineBreak, lineBreak, " " + lineBreak, "\u{85}", "\u{2028}"].randomElement(using: &random)
                    ?? lineBreak
            }
            text += outer + String(repeating: " ", count: Int.random(in: 1...3, using: &random))
        }
        return text
    }

    private static func block(
        _ mark: String, _ outer: String, _ lineBreak: String, _ random: inout SeededGenerator
    ) -> String {
        let extra = Int.random(in: 1...3, using: &random)
        let indent = outer + String(repeating: " ", count: extra)
        let chomping = ["", "", "+", "-"].randomElement(using: &random) ?? ""
        let isExplicit = Bool.random(using: &random)
        let comment = ["", " # c", "  "].randomElement(using: &random) ?? ""
        let increment = isExplicit ? String(extra) : ""
        let header = Bool.random(using: &random) ? chomping + increment : increment + chomping
        var text = mark + header + comment + lineBreak
        for line in 0..<Int.random(in: 0..<7, using: &random) {
            let lead = String(repeating: " ", count: Int.random(in: 0...2, using: &random))
            // Without an indicator the first line with text sets the indentation.
            let isFirst = line == 0 && !isExplicit
            switch Int.random(in: 0..<6, using: &random) {
            case 0 where !isFirst: text += lineBreak
            case 1 where !isFirst: text += indent.dropLast() + lineBreak
            case 2 where !isFirst: text += indent + lead + lineBreak
            case 3 where !isFirst: text += indent + lead + "\tq é" + lineBreak
            default:
                let words = ["a", "b c", "é日", "{{ q }}", "# no comment", "- x: y", "'\"\\n"]
                text += indent + (isFirst ? "" : lead) + (words.randomElement(using: &random) ?? "a") + lineBreak
            }
        }
        if Bool.random(using: &random), text.hasSuffix(lineBreak) { text.removeLast() }
        return text
    }
}
