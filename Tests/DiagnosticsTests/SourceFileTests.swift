import Diagnostics
import Testing

struct SourceFileTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let text: String
        let offset: Int
        let line: Int
        let column: Int
        var testDescription: String { id }
    }

    static let cases = [
        Case(id: "start of an empty text", text: "", offset: 0, line: 1, column: 1),
        Case(id: "middle of a line", text: "ab\ncde", offset: 5, line: 2, column: 3),
        Case(id: "end of the text", text: "ab\ncde", offset: 6, line: 2, column: 4),
        Case(id: "line break belongs to its line", text: "ab\ncde", offset: 2, line: 1, column: 3),
        Case(id: "after CRLF", text: "ab\r\ncde", offset: 4, line: 2, column: 1),
        Case(id: "after a lone CR", text: "ab\rcde", offset: 3, line: 2, column: 1),
        Case(id: "columns count scalars, two bytes", text: "é=x", offset: 3, line: 1, column: 3),
        Case(id: "columns count scalars, four bytes", text: "😀=x", offset: 5, line: 1, column: 3),
        Case(id: "inside a scalar means its start", text: "é=x", offset: 1, line: 1, column: 1),
        Case(id: "byte order mark is no column", text: "\u{feff}ab", offset: 4, line: 1, column: 2),
        Case(id: "empty last line", text: "ab\n", offset: 3, line: 2, column: 1),
        Case(id: "combining marks are columns", text: "e\u{301}x", offset: 3, line: 1, column: 3),
    ]

    @Test(arguments: cases) func positionOfAnOffset(_ test: Case) {
        let file = SourceFile(name: "f", text: test.text)
        #expect(file.position(at: test.offset) == SourcePosition(line: test.line, column: test.column))
    }

    @Test(arguments: cases.filter { !$0.id.hasPrefix("inside") }) func offsetOfAPosition(_ test: Case) {
        let file = SourceFile(name: "f", text: test.text)
        #expect(file.offset(of: SourcePosition(line: test.line, column: test.column)) == test.offset)
    }

    @Test func placesOutsideTheTextMoveToItsNearestEnd() {
        let file = SourceFile(name: "f", text: "ab\ncd")
        #expect(file.position(at: -5) == SourcePosition(line: 1, column: 1))
        #expect(file.position(at: 500) == SourcePosition(line: 2, column: 3))
        #expect(file.offset(of: SourcePosition(line: 1, column: 99)) == 2)
        #expect(file.offset(of: SourcePosition(line: 99, column: 1)) == 5)
        #expect(file.offset(of: SourcePosition(line: 0, column: 0)) == 0)
    }

    @Test func linesComeWithoutTheirBreaks() {
        let file = SourceFile(name: "f", text: "\u{feff}one\r\ntwo\n\nfour\rfive")
        #expect((1...6).map { file.line($0) } == ["one", "two", "", "four", "five", nil])
        #expect(file.line(0) == nil)
    }

    @Test func utf16IsReadByItsByteOrderMark() {
        let little = SourceFile(name: "f", bytes: [0xff, 0xfe, 0x61, 0, 0x0a, 0, 0xe9, 0])
        let big = SourceFile(name: "f", bytes: [0xfe, 0xff, 0, 0x61, 0, 0x0a, 0, 0xe9])
        #expect(little.text == "a\né")
        #expect(big.text == "a\né")
        #expect(SourceFile(name: "f", bytes: [0xff, 0xfe]).text == "")
        #expect(SourceFile(name: "f", bytes: [0xff, 0xfe, 0x61]).text == "")
    }

    @Test func bytesThatAreNotTextAreReplacedAndRemembered() {
        let file = SourceFile(name: "f", bytes: Array("ab".utf8) + [0xff] + Array("cd".utf8))
        #expect(file.firstInvalidOffset == 2)
        #expect(file.text == "ab\u{fffd}cd")
        let cut = SourceFile(name: "f", bytes: Array("ab".utf8) + [0xe2, 0x82])
        #expect(cut.firstInvalidOffset == 2)
        #expect(SourceFile(name: "f", text: "ab\u{fffd}").firstInvalidOffset == nil)
    }
}
