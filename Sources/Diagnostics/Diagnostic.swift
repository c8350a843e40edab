/// A place in a text. Lines and columns count from 1, columns in Unicode scalars.
public struct SourcePosition: Sendable, Hashable, Comparable {
    public var line: Int
    public var column: Int

    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    public static func < (left: SourcePosition, right: SourcePosition) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// A stretch of one file; `end` is just past the last character.
public struct SourceRange: Sendable, Hashable {
    /// As the user named the file.
    public var file: String
    public var start: SourcePosition
    public var end: SourcePosition

    public init(file: String, start: SourcePosition, end: SourcePosition) {
        self.file = file
        self.start = start
        self.end = end
    }
}

/// How bad a diagnostic is. `error` is only for what Kanister or Kasten would refuse or what is certain to fail.
public enum Severity: String, Sendable, Hashable, CaseIterable {
    case error
    case warning
    case note
}

/// Something to say about the user's text. Collected, never thrown one by one: a bad file reports all of its problems
/// in one run.
public struct Diagnostic: Sendable, Hashable {
    public var severity: Severity
    /// Stable id of the rule, for `explain` and for silencing; kebab-case.
    public var rule: String
    public var message: String
    /// Nil when the whole file is meant, for example because it cannot be read.
    public var range: SourceRange?
    /// Where in the blueprint this is, in the user's terms: `in action 'backup', phase 'record', argument 'snapshot'`.
    public var context: String?
    /// What to do about it.
    public var hint: String?
    /// True when the text at `range` may be a secret: it is never shown, only its place.
    public var isSensitive: Bool

    public init(
        _ severity: Severity = .error, rule: String, _ message: String, at range: SourceRange? = nil,
        context: String? = nil, hint: String? = nil, isSensitive: Bool = false
    ) {
        self.severity = severity
        self.rule = rule
        self.message = message
        self.range = range
        self.context = context
        self.hint = hint
        self.isSensitive = isSensitive
    }
}
