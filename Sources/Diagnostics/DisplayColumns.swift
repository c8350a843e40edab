/// One line of a text as a terminal can show it, cell by cell: tabs become spaces, control characters and characters
/// that would turn the direction of writing become visible stand-ins, wide characters count two cells and combining
/// ones none.
struct DisplayLine {
    struct Cell {
        var text: String
        /// 0, 1 or 2; a tab's cell is as wide as the spaces it became.
        var width: Int
    }

    /// One cell for each Unicode scalar of the line.
    private(set) var cells: [Cell] = []

    init(_ line: some StringProtocol) {
        var column = 0
        for scalar in line.unicodeScalars {
            let cell = Self.cell(scalar, column: column)
            column += cell.width
            cells.append(cell)
        }
    }

    private static let tabWidth = 4

    private static func cell(_ scalar: Unicode.Scalar, column: Int) -> Cell {
        if scalar == "\t" {
            let width = tabWidth - column % tabWidth
            return Cell(text: String(repeating: " ", count: width), width: width)
        }
        return Cell(text: visible(scalar), width: width(scalar))
    }

    /// The scalar itself, or what stands for it when showing it could do something to a terminal.
    static func visible(_ scalar: Unicode.Scalar) -> String {
        switch scalar.value {
        case 0..<0x20: return String(Unicode.Scalar(0x2400 + scalar.value) ?? "\u{fffd}")
        case 0x7f: return "\u{2421}"
        case 0x80..<0xa0, 0x2028...0x202e, 0x2066...0x2069, 0x200e, 0x200f, 0x61c, 0xfeff: return "\u{fffd}"
        default: return String(scalar)
        }
    }

    /// Cells a scalar takes in a terminal, after Unicode's East Asian width (wide and full-width) for the common
    /// blocks.
    private static func width(_ scalar: Unicode.Scalar) -> Int {
        guard scalar.value >= 0x300 else { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return 0
        default: break
        }
        if scalar.value == 0x200b || scalar.value == 0x200c || scalar.value == 0x200d { return 0 }
        return wideBlocks.contains { $0.contains(scalar.value) } ? 2 : 1
    }

    private static let wideBlocks: [ClosedRange<UInt32>] = [
        0x1100...0x115f, 0x231a...0x231b, 0x23e9...0x23ec, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf,
        0x4e00...0x9fff, 0xa000...0xa4cf, 0xa960...0xa97f, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f,
        0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1f64f, 0x1f680...0x1f6ff, 0x1f900...0x1f9ff, 0x20000...0x3fffd,
    ]
}
