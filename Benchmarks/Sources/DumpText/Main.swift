import Glibc

/// Writes a dump of one table as COPY text: `DumpText BYTES [CHANGED]`.
///
/// The same rows each time; of a million rows, `CHANGED` have another amount and another status, scattered evenly. A row
/// has about 165 bytes, which compress about four to one.
@main
struct Main {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count >= 2, let length = Int(arguments[1]),
            let changed = UInt64(arguments.count > 2 ? arguments[2] : "0")
        else {
            _ = "usage: DumpText BYTES [ROWS CHANGED IN A MILLION]\n".withCString { text in
                Glibc.write(STDERR_FILENO, text, strlen(text))
            }
            exit(2)
        }
        var block: [UInt8] = []
        block.reserveCapacity(1 << 20)
        var written = 0
        var row: UInt64 = 0
        while written + block.count < length {
            append(row, isChanged: Random(row ^ 0x5eed).seed % 1_000_000 < changed, to: &block)
            row += 1
            if block.count > 1 << 20 - 512 || written + block.count >= length {
                guard write(block) else { exit(1) }
                written += block.count
                block.removeAll(keepingCapacity: true)
            }
        }
    }

    /// SplitMix64.
    struct Random {
        var seed: UInt64

        init(_ seed: UInt64) {
            self.seed = seed
            self.seed = next()
        }

        mutating func next() -> UInt64 {
            seed &+= 0x9e37_79b9_7f4a_7c15
            var word = seed
            word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
            return word ^ (word >> 31)
        }
    }

    static let words: [[UInt8]] = (0..<64).map { number in
        var random = Random(UInt64(number))
        return (0..<(3 + number % 6)).map { _ in UInt8(ascii: "a") + UInt8(random.next() % 26) }
    }
    static let states = ["new", "paid", "shipped", "returned"].map { Array($0.utf8) }

    static func append(_ row: UInt64, isChanged: Bool, to block: inout [UInt8]) {
        var random = Random(row)
        var update = Random(isChanged ? ~row : row)
        let tab = UInt8(ascii: "\t")
        append(row + 1, to: &block)
        block.append(tab)
        for _ in 0..<3 {
            let word = random.next()
            for digit in 0..<8 { block.append(Array("0123456789abcdef".utf8)[Int(word >> (4 * UInt64(digit)) & 15)]) }
        }
        block.append(tab)
        let (first, last) = (words[Int(random.next() % 64)], words[Int(random.next() % 64)])
        block +=
            first + [tab] + last + [tab] + first + [UInt8(ascii: ".")] + last + Array("@example.org\t2026-01-".utf8)
        append(10 + random.next() % 18, to: &block)
        block.append(tab)
        append(update.next() % 100_000, to: &block)
        block.append(tab)
        block += states[Int(update.next() % 4)] + [tab]
        for number in 0..<9 {
            block += words[Int(random.next() % 64)] + [UInt8(ascii: number < 8 ? " " : "\n")]
        }
    }

    static func append(_ number: UInt64, to block: inout [UInt8]) { block += Array(String(number).utf8) }

    static func write(_ block: [UInt8]) -> Bool {
        var offset = 0
        while offset < block.count {
            let count = block.withUnsafeBytes {
                Glibc.write(1, $0.baseAddress.map { $0 + offset }, block.count - offset)
            }
            guard count > 0 else { return false }
            offset += count
        }
        return true
    }
}
