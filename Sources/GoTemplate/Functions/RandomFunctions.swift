/// sprig's functions with random results, from `TemplateOptions.randomBytes`.
enum RandomFunctions {
    static let functions: [TemplateFunction] = [
        text("randAlphaNum", "So many random ASCII letters and digits.") { Runes.isLetter($0) || Runes.isDigit($0) },
        text("randAlpha", "So many random ASCII letters.", Runes.isLetter),
        text("randNumeric", "So many random digits.", Runes.isDigit),
        text("randAscii", "So many random printable ASCII characters.") { $0 >= 0x20 && $0 < 0x7f },
        TemplateFunction("shuffle", [.string], result: "string", "The characters of the text in random order.") {
            call in
            var runes = Runes.all(call.string(0).bytes)
            var source = RandomSource(call)
            for index in stride(from: runes.count - 1, to: 0, by: -1) {
                runes.swapAt(index, source.below(index + 1))
            }
            return .string(GoString(bytes: Runes.bytes(runes)))
        },
        TemplateFunction("uuidv4", [], result: "string", "A random UUID.") { call in
            var bytes = call.options.randomBytes(16)
            bytes += [UInt8](repeating: 0, count: max(0, 16 - bytes.count))
            bytes[6] = bytes[6] & 0x0f | 0x40
            bytes[8] = bytes[8] & 0x3f | 0x80
            let digits = Array("0123456789abcdef".utf8)
            var text: [UInt8] = []
            for (index, byte) in bytes.prefix(16).enumerated() {
                if [4, 6, 8, 10].contains(index) { text.append(UInt8(ascii: "-")) }
                text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
            return .string(GoString(bytes: text))
        },
    ]

    private static func text(
        _ name: String, _ summary: String, _ isWanted: @escaping @Sendable (UInt32) -> Bool
    ) -> TemplateFunction {
        let alphabet = (UInt8(0x20)..<0x7f).filter { isWanted(UInt32($0)) }
        return TemplateFunction(name, [.int], result: "string", summary) { call throws(FunctionFailure) in
            let count = call.integer(0)
            if count <= 0 { return .string("") }
            try call.checkSize(count)
            var source = RandomSource(call)
            return .string(GoString(bytes: (0..<count).map { _ in alphabet[source.below(alphabet.count)] }))
        }
    }
}

/// Random numbers from random bytes, taken in blocks.
private struct RandomSource {
    private let bytes: @Sendable (Int) -> [UInt8]
    private var block: [UInt8] = []
    private var position = 0

    init(_ call: FunctionCall) { bytes = call.options.randomBytes }

    private mutating func next() -> UInt8 {
        if position >= block.count {
            block = bytes(256)
            position = 0
        }
        guard position < block.count else { return 0 }
        position += 1
        return block[position - 1]
    }

    /// Evenly distributed in `0 ..< bound`.
    mutating func below(_ bound: Int) -> Int {
        guard bound > 1 else { return 0 }
        var width = 1
        while width < 8, bound - 1 >= 1 << (8 * width) { width += 1 }
        let range: UInt64 = width == 8 ? .max : 1 << UInt64(8 * width)
        let fair = range - range % UInt64(bound)
        for _ in 0..<1000 {
            var value: UInt64 = 0
            for _ in 0..<width { value = value << 8 | UInt64(next()) }
            if value < fair { return Int(value % UInt64(bound)) }
        }
        // Only a source that is not random gets here.
        return 0
    }
}
