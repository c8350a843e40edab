/// Go's `fmt`: prints values with verbs and flags into a buffer.
///
/// Nesting and size are bounded, as a dictionary can contain itself: past the depth a value prints as `...`, past the
/// size nothing more is written and `isOverLimit` is set.
///
/// Source: Go `fmt/print.go`, `fmt/format.go`.
struct Formatter {
    struct Flags {
        var width: Int?
        var precision: Int?
        var minus = false
        var plus = false
        var sharp = false
        var space = false
        var zero = false
        /// `%+v` and `%#v`
        var plusV = false
        var sharpV = false
    }

    static let maximumDepth = 100

    private(set) var output: [UInt8] = []
    private(set) var isOverLimit = false
    let limit: Int
    var flags = Flags()
    /// Inside `%!verb(…)`: methods are not called there.
    var erroring = false

    init(limit: Int) { self.limit = limit }

    // MARK: - Entry points

    /// The value as `fmt.Fprint` should get it: pointers followed, no value as `<no value>`; nil for a function.
    static func printable(_ given: GoValue) -> GoValue? {
        var value = given.unboxedForPrinting
        if value.kind == .pointer, Methods.string(of: value, goSyntax: false) == nil { value = value.indirect.value }
        guard value.isValid else { return .string("<no value>") }
        return value.kind == .func ? nil : value
    }

    /// `fmt.Sprint`
    static func text(_ values: [GoValue], limit: Int) throws(FunctionFailure) -> GoString {
        var formatter = Formatter(limit: limit)
        formatter.print(values)
        return try formatter.result()
    }

    /// What `%v` prints for one value.
    static func text(_ value: GoValue, limit: Int = 1 << 20) -> GoString {
        var formatter = Formatter(limit: limit)
        formatter.printArgument(value, UInt32(UInt8(ascii: "v")))
        return GoString(bytes: formatter.output)
    }

    func result() throws(FunctionFailure) -> GoString {
        if isOverLimit { throw FunctionFailure(limit: "the result is over the limit of \(limit) bytes") }
        return GoString(bytes: output)
    }

    mutating func print(_ values: [GoValue]) {
        var previousIsString = false
        for (position, value) in values.enumerated() {
            let isString = value.kind == .string
            if position > 0 && !isString && !previousIsString { write(0x20) }
            printArgument(value, UInt32(UInt8(ascii: "v")))
            previousIsString = isString
        }
    }

    mutating func printLine(_ values: [GoValue]) {
        for (position, value) in values.enumerated() {
            if position > 0 { write(0x20) }
            printArgument(value, UInt32(UInt8(ascii: "v")))
        }
        write(0x0a)
    }

    // MARK: - Writing

    mutating func write(_ byte: UInt8) {
        guard output.count < limit else {
            isOverLimit = true
            return
        }
        output.append(byte)
    }

    mutating func write(_ bytes: some Collection<UInt8>) {
        guard output.count + bytes.count <= limit else {
            isOverLimit = true
            return
        }
        output.append(contentsOf: bytes)
    }

    mutating func write(_ text: String) { write(text.utf8) }

    mutating func writeRune(_ rune: UInt32) {
        var bytes: [UInt8] = []
        Runes.append(rune, to: &bytes)
        write(bytes)
    }

    mutating func writePadding(_ count: Int) {
        guard count > 0 else { return }
        write([UInt8](repeating: flags.zero && !flags.minus ? 0x30 : 0x20, count: count))
    }

    /// Writes text padded to the width, which counts code points.
    mutating func pad(_ bytes: [UInt8]) {
        guard let width = flags.width, width > 0 else { return write(bytes) }
        let missing = width - Runes.count(bytes)
        if !flags.minus { writePadding(missing) }
        write(bytes)
        if flags.minus { writePadding(missing) }
    }

    mutating func padWithoutZeros(_ bytes: [UInt8]) {
        let zero = flags.zero
        flags.zero = false
        pad(bytes)
        flags.zero = zero
    }
}

extension GoValue {
    /// A nil interface counts as no value when printed by a template.
    fileprivate var unboxedForPrinting: GoValue { unboxed }
}
