/// A numeric constant under every type that can hold it, as Go's ideal constants.
///
/// Source: Go `text/template/parse/node.go`, `newNumber`.
struct NumberLiteral: Sendable {
    var text: String
    var signed: Int64?
    var unsigned: UInt64?
    var float: Double?
    var complex: (real: Double, imaginary: Double)?

    /// Why a token is not a number.
    struct Problem: Error {
        let message: String
    }

    init(_ token: Token) throws(Problem) {
        text = token.string
        switch token.kind {
        case .characterConstant: try readCharacter(token.text)
        case .complex: try readComplex()
        default: try readNumber()
        }
    }

    private mutating func readCharacter(_ literal: [UInt8]) throws(Problem) {
        guard let piece = Quoting.unquoteCharacter(literal, at: 1, quote: 0x27) else {
            throw Problem(message: "invalid syntax")
        }
        guard 1 + piece.width == literal.count - 1, literal.last == 0x27 else {
            throw Problem(message: "malformed character constant: \(text)")
        }
        signed = Int64(piece.rune)
        unsigned = UInt64(piece.rune)
        float = Double(piece.rune)
    }

    private mutating func readComplex() throws(Problem) {
        // The sign of the imaginary part is the last one that is not an exponent's.
        let bytes = Array(text.utf8)
        let isHexadecimal = text.contains { $0 == "x" || $0 == "X" }
        let split = bytes.indices.dropFirst().last { index in
            guard bytes[index] == 0x2b || bytes[index] == 0x2d else { return false }
            let before = bytes[index - 1] | 0x20
            return before != UInt8(ascii: "p") && (isHexadecimal || before != UInt8(ascii: "e"))
        }
        guard let split,
            let real = GoNumber.float(String(decoding: bytes[..<split], as: UTF8.self)),
            let imaginary = GoNumber.float(String(decoding: bytes[split...].dropLast(), as: UTF8.self))
        else { throw Problem(message: "syntax error scanning complex number") }
        setComplex(real, imaginary)
    }

    private mutating func setComplex(_ real: Double, _ imaginary: Double) {
        complex = (real, imaginary)
        guard imaginary == 0 else { return }
        float = real
        signed = Int64(exactly: real)
        unsigned = UInt64(exactly: real)
    }

    private mutating func readNumber() throws(Problem) {
        if text.hasSuffix("i"), let imaginary = GoNumber.float(String(text.dropLast())) {
            setComplex(0, imaginary)
            return
        }
        unsigned = GoNumber.unsigned(text, base: 0)
        signed = GoNumber.signed(text, base: 0)
        if signed == 0 { unsigned = 0 }
        if let signed {
            float = Double(signed)
        } else if let unsigned {
            float = Double(unsigned)
        } else if let value = GoNumber.float(text) {
            guard text.contains(where: { ".eEpP".contains($0) }) else {
                throw Problem(message: "integer overflow: \(Quoting.quote(text))")
            }
            float = value
            signed = Int64(exactly: value)
            unsigned = UInt64(exactly: value)
        } else {
            throw Problem(message: "illegal number syntax: \(Quoting.quote(text))")
        }
    }
}
