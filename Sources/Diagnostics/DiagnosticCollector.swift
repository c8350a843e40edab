/// Gathers what a run has to say. Order of `sorted` is by file, place, severity and rule, so that output does not
/// depend on the order of the checks.
///
/// Memory: at most `limit` diagnostics are kept; the rest are counted.
public struct DiagnosticCollector: Sendable {
    /// In the order they were found, without repetitions.
    public private(set) var diagnostics: [Diagnostic] = []
    /// How many were left out because `limit` was reached.
    public private(set) var omittedCount = 0
    public let limit: Int
    private var seen: Set<Diagnostic> = []

    public init(limit: Int = 10_000) {
        self.limit = limit
    }

    /// Adds one unless the very same is there already.
    public mutating func append(_ diagnostic: Diagnostic) {
        guard !seen.contains(diagnostic) else { return }
        guard diagnostics.count < limit else {
            omittedCount += 1
            return
        }
        seen.insert(diagnostic)
        diagnostics.append(diagnostic)
    }

    public mutating func append(contentsOf others: some Sequence<Diagnostic>) {
        for diagnostic in others { append(diagnostic) }
    }

    public var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

    public func count(of severity: Severity) -> Int {
        diagnostics.reduce(0) { $0 + ($1.severity == severity ? 1 : 0) }
    }

    public var sorted: [Diagnostic] { diagnostics.sorted(by: Self.precedes) }

    private static func precedes(_ left: Diagnostic, _ right: Diagnostic) -> Bool {
        let leftFile = left.range?.file ?? ""
        let rightFile = right.range?.file ?? ""
        if leftFile != rightFile { return leftFile < rightFile }
        let origin = SourcePosition(line: 0, column: 0)
        let leftStart = left.range?.start ?? origin
        let rightStart = right.range?.start ?? origin
        if leftStart != rightStart { return leftStart < rightStart }
        if left.severity != right.severity { return left.severity < right.severity }
        return (left.rule, left.message) < (right.rule, right.message)
    }
}

extension Severity: Comparable {
    /// The worst first.
    public static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .error: return 0
        case .warning: return 1
        case .note: return 2
        }
    }
}
