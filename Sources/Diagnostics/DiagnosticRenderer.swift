/// Writes diagnostics for people:
///
/// ```
/// postgres.yaml:42:25: error: no phase named 'dumpp' in '.Phases.dumpp.Output.id'
///   42 |   snapshot: "{{ .Phases.dumpp.Output.id }}"
///      |                         ^~~~~
///   in action 'backup', phase 'record', argument 'snapshot'
///   hint: did you mean 'dump'? phases that ran before this one: dump
/// ```
///
/// Of a range over several lines the first is shown. Whatever the text holds, a terminal only gets printable characters
/// (and colours, if wanted). Long lines are cut around the place that is meant.
public struct DiagnosticRenderer: Sendable {
    private let sources: [String: SourceFile]
    private let isColored: Bool
    private let width: Int

    /// - Parameters:
    ///   - sources: the files whose lines can be shown, found by their name.
    ///   - isColored: writes ANSI colours.
    ///   - width: how many cells of a line to show, at least 20.
    public init(sources: [SourceFile] = [], isColored: Bool = false, width: Int = 120) {
        self.sources = Dictionary(sources.map { ($0.name, $0) }) { first, _ in first }
        self.isColored = isColored
        self.width = max(20, width)
    }

    /// All of them in the order given, each ending with a line break.
    public func render(_ diagnostics: some Sequence<Diagnostic>) -> String {
        diagnostics.reduce(into: "") { $0 += render($1) }
    }

    /// One diagnostic, ending with a line break.
    public func render(_ diagnostic: Diagnostic) -> String {
        var lines = [header(diagnostic)]
        if let range = diagnostic.range, !diagnostic.isSensitive { lines += excerpt(range, diagnostic.severity) }
        if let context = diagnostic.context { lines.append("  " + printable(context)) }
        if let hint = diagnostic.hint { lines.append("  " + paint("hint:", .cyan) + " " + printable(hint)) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// `2 errors, 1 warning`; nil when there is nothing to count.
    public static func summary(_ diagnostics: some Sequence<Diagnostic>) -> String? {
        let counts = Severity.allCases.compactMap { severity -> String? in
            let count = diagnostics.reduce(0) { $0 + ($1.severity == severity ? 1 : 0) }
            return count == 0 ? nil : "\(count) \(severity.rawValue)\(count == 1 ? "" : "s")"
        }
        return counts.isEmpty ? nil : counts.joined(separator: ", ")
    }

    private func header(_ diagnostic: Diagnostic) -> String {
        var text = ""
        if let range = diagnostic.range {
            let place = "\(printable(range.file)):\(range.start.line):\(range.start.column):"
            text = paint(place, .bold) + " "
        }
        let severity = paint(diagnostic.severity.rawValue + ":", .of(diagnostic.severity))
        return text + severity + " " + paint(printable(diagnostic.message), .bold)
    }

    private func excerpt(_ range: SourceRange, _ severity: Severity) -> [String] {
        guard let line = sources[range.file]?.line(range.start.line) else { return [] }
        let cells = DisplayLine(line).cells
        let first = max(0, min(range.start.column - 1, cells.count))
        let isOneLine = range.end.line == range.start.line
        let last = max(first, isOneLine ? min(range.end.column - 1, cells.count) : cells.count)
        let window = self.window(cells, around: first..<last)
        let number = String(range.start.line)
        let margin = String(repeating: " ", count: number.count)
        let text = window.prefix + cells[window.cells].map(\.text).joined() + window.suffix
        let before = window.prefix.unicodeScalars.count + cellWidth(cells[window.cells.lowerBound..<first])
        let marked = max(1, cellWidth(cells[first..<min(last, window.cells.upperBound)]))
        let marker = "^" + String(repeating: "~", count: marked - 1)
        return [
            "  \(number) | \(text)".trimmingEnd,
            "  \(margin) | " + String(repeating: " ", count: before) + paint(marker, .of(severity)),
        ]
    }

    private func cellWidth(_ cells: ArraySlice<DisplayLine.Cell>) -> Int { cells.reduce(0) { $0 + $1.width } }

    /// The part of a long line to show: what is meant with some text before it, `…` where something was cut.
    private func window(
        _ cells: [DisplayLine.Cell], around range: Range<Int>
    ) -> (cells: Range<Int>, prefix: String, suffix: String) {
        if cellWidth(cells[...]) <= width { return (cells.indices, "", "") }
        var lower = range.lowerBound
        var room = width / 3
        while lower > 0, room >= cells[lower - 1].width {
            room -= cells[lower - 1].width
            lower -= 1
        }
        var upper = lower
        room = width
        while upper < cells.count, room >= cells[upper].width {
            room -= cells[upper].width
            upper += 1
        }
        // Near the end of the line there is room left for more of its beginning.
        while lower > 0, room >= cells[lower - 1].width {
            room -= cells[lower - 1].width
            lower -= 1
        }
        return (lower..<upper, lower > 0 ? "…" : "", upper < cells.count ? "…" : "")
    }

    private func printable(_ text: String) -> String {
        text.unicodeScalars.map { DisplayLine.visible($0) }.joined()
    }

    private enum Paint: String {
        case bold = "1"
        case red = "1;31"
        case yellow = "1;33"
        case cyan = "1;36"

        static func of(_ severity: Severity) -> Paint {
            switch severity {
            case .error: return .red
            case .warning: return .yellow
            case .note: return .cyan
            }
        }
    }

    private func paint(_ text: String, _ paint: Paint) -> String {
        isColored ? "\u{1b}[\(paint.rawValue)m\(text)\u{1b}[0m" : text
    }
}

extension String {
    fileprivate var trimmingEnd: String {
        var scalars = unicodeScalars
        while scalars.last == " " { scalars.removeLast() }
        return String(scalars)
    }
}
