import ActionEngine
import KanisterFunctions
import Testing

@Suite struct LineAssemblerTests {
    static let text = Array("one\r\n\ntwo\nthree and more\nlast".utf8)

    static func lines(_ chunks: [[UInt8]], limit: Int = 10) -> [LineAssembler.Line] {
        var assembler = LineAssembler(limit: limit)
        let lines = chunks.flatMap { assembler.append($0) }
        return lines + (assembler.finish().map { [$0] } ?? [])
    }

    @Test func cutsAtLineBreaksAndCountsWhatIsTooMuch() {
        let lines = Self.lines([Self.text])
        #expect(lines.map { String(decoding: $0.text, as: UTF8.self) } == ["one", "", "two", "three and ", "last"])
        #expect(lines.map(\.droppedBytes) == [0, 0, 0, 4, 0])
    }

    @Test(arguments: 1...10)
    func piecesMakeNoDifference(_ size: Int) {
        let pieces = PhaseOutputReaderTests.pieces(Self.text, of: size)
        #expect(Self.lines(pieces) == Self.lines([Self.text]))
    }

    @Test func aStreamThatEndsWithALineBreakHasNoLastLine() {
        #expect(Self.lines([Array("a\n".utf8)]).count == 1)
    }
}

@Suite struct OutputGarbageTests {
    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func anyBytesAreReadOrRefusedButNeverTrap(_ seed: UInt64) {
        // Splitmix64: the seed is the test's name.
        var state = seed
        func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var word = state
            word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
            return word ^ (word >> 31)
        }
        let words = [
            "###Phase-output###:", "##", "#", "{\"key\":", "\"value\"", "}", "\n", "\r", "\\u12", "[", "\u{7f}", "é",
            "nul", "1e",
        ]
        var bytes: [UInt8] = []
        for _ in 0..<40 {
            let word = next()
            if word % 4 == 0 {
                bytes.append(UInt8(truncatingIfNeeded: word >> 8))
            } else {
                bytes += Array(words[Int(word % UInt64(words.count))].utf8)
            }
        }
        let whole = PhaseOutputReaderTests.read([bytes])
        #expect(PhaseOutputReaderTests.read(PhaseOutputReaderTests.pieces(bytes, of: 3)) == whole)
    }
}
