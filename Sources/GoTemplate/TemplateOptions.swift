public import GoFormats

/// How a template is parsed and rendered.
public struct TemplateOptions: Sendable {
    /// What a key that a map does not have gives.
    public enum MissingKey: Sendable, Hashable {
        /// An error: what Kanister asks for.
        case error
        /// The zero value of the map's elements.
        case zero
        /// Nothing, printed as `<no value>`.
        case `default`
    }

    public var missingKey: MissingKey
    public var functions: FunctionTable
    /// The clock behind `now`, `ago` and `date` of something that is no time.
    public var now: @Sendable () -> Timestamp
    /// The zone of `date`, `htmlDate` and `now`. UTC unless set: that is what Kanister's controller runs in.
    public var localZone: GoZone = .utc
    /// Gives so many random bytes; behind `randAlphaNum`, `uuidv4`, `shuffle` and the AES initialisation vector.
    public var randomBytes: @Sendable (Int) -> [UInt8]
    public var limits: TemplateLimits

    public init(
        missingKey: MissingKey = .error, functions: FunctionTable = .sprig(allowEnvironment: false),
        now: @escaping @Sendable () -> Timestamp = { .now() },
        randomBytes: @escaping @Sendable (Int) -> [UInt8] = TemplateOptions.systemRandomBytes,
        limits: TemplateLimits = TemplateLimits()
    ) {
        self.missingKey = missingKey
        self.functions = functions
        self.now = now
        self.randomBytes = randomBytes
        self.limits = limits
    }

    /// Bytes of the system's generator.
    public static let systemRandomBytes: @Sendable (Int) -> [UInt8] = { count in
        var generator = SystemRandomNumberGenerator()
        return (0..<max(0, count)).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
}

/// Bounds on what rendering one template may use. Each is generous for real templates and small enough for a laptop.
public struct TemplateLimits: Sendable, Hashable {
    /// Bytes of the text, of the output and of any single string or list on the way.
    public var bytes = 64 << 20
    /// Nodes visited, loop rounds included.
    public var steps = 5_000_000
    /// Templates calling templates; Go's own limit.
    public var templateDepth = 100_000
    /// Parentheses, and blocks, inside one another.
    public var nesting = 200

    public init(bytes: Int = 64 << 20, steps: Int = 5_000_000, templateDepth: Int = 100_000, nesting: Int = 200) {
        self.bytes = bytes
        self.steps = steps
        self.templateDepth = templateDepth
        self.nesting = nesting
    }
}
