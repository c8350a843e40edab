import Glibc

/// A program to run, with everything it gets from us: nothing is inherited but what is named here.
///
/// Prints without its environment and arguments, because both may carry secrets.
public struct ChildCommand: Sendable, CustomStringConvertible {
    /// A path when it contains `/`, else a name looked up in the folders of `environment["PATH"]`.
    public var executable: String
    public var arguments: [String]
    /// The whole environment of the child.
    public var environment: [String: String]
    /// Nil: ours.
    public var workingDirectory: String?
    /// How long the process group may take to end after SIGTERM before it gets SIGKILL.
    public var terminationGrace: Duration

    public init(
        _ executable: String, _ arguments: [String] = [], environment: [String: String],
        workingDirectory: String? = nil, terminationGrace: Duration = .seconds(5)
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.terminationGrace = terminationGrace
    }

    public var description: String { executable }

    /// The last part of the executable's path, for messages.
    public var name: String { executable.split(separator: "/").last.map(String.init) ?? executable }

    /// The file that will run.
    ///
    /// - Throws: `ChildError` `.notFound` or `.notExecutable`.
    public func resolvedExecutable() throws(ChildError) -> String {
        if executable.utf8.contains(UInt8(ascii: "/")) {
            switch Self.kind(of: executable) {
            case .program: return executable
            case .missing: throw ChildError(.notFound, executable, "\(executable) does not exist")
            case .notExecutable:
                throw ChildError(.notExecutable, executable, "\(executable) is not an executable file")
            }
        }
        let path = environment["PATH"] ?? ""
        var denied: String?
        for folder in path.split(separator: ":", omittingEmptySubsequences: true) where folder.hasPrefix("/") {
            let candidate = "\(folder)/\(executable)"
            switch Self.kind(of: candidate) {
            case .program: return candidate
            case .notExecutable: denied = denied ?? candidate
            case .missing: break
            }
        }
        if let denied { throw ChildError(.notExecutable, executable, "\(denied) is not an executable file") }
        throw ChildError(
            .notFound, executable, "\(executable) is in none of the folders of PATH (\(path.isEmpty ? "empty" : path))")
    }

    private enum Kind { case program, notExecutable, missing }

    private static func kind(of path: String) -> Kind {
        var status = stat()
        guard stat(path, &status) == 0 else { return .missing }
        return status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0 ? .program : .notExecutable
    }
}

/// How a child ended.
public enum ChildExit: Sendable, Hashable, CustomStringConvertible {
    case exited(Int32)
    case signalled(Int32)

    public var isSuccess: Bool { self == .exited(0) }

    /// `exited with code 1`, `was killed by signal 9 (SIGKILL)`: to be put after a name.
    public var description: String {
        switch self {
        case .exited(let code): return "exited with code \(code)"
        case .signalled(let signal):
            guard let name = Self.signalNames[signal] else { return "was killed by signal \(signal)" }
            return "was killed by signal \(signal) (\(name))"
        }
    }

    /// What a shell would report: the code, or 128 plus the signal.
    public var shellCode: Int32 {
        switch self {
        case .exited(let code): return code
        case .signalled(let signal): return 128 &+ signal
        }
    }

    private static let signalNames: [Int32: String] = [
        SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGABRT: "SIGABRT",
        SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGSEGV: "SIGSEGV", SIGPIPE: "SIGPIPE",
        SIGALRM: "SIGALRM", SIGTERM: "SIGTERM", SIGXCPU: "SIGXCPU", SIGXFSZ: "SIGXFSZ", SIGSYS: "SIGSYS",
    ]
}

/// Why a child could not be run. A child that ran and failed is not an error here: see `ChildResult.exit`.
public struct ChildError: Error, Sendable, Hashable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        private enum Kind: Sendable, Hashable {
            case notFound, notExecutable, workingDirectory, invalidArgument, spawn, closedInput, outputLimit
        }
        private let kind: Kind

        /// No such program.
        public static let notFound = Code(kind: .notFound)
        /// There is such a file, but the system will not run it.
        public static let notExecutable = Code(kind: .notExecutable)
        public static let workingDirectory = Code(kind: .workingDirectory)
        /// An argument or a variable that no process can receive.
        public static let invalidArgument = Code(kind: .invalidArgument)
        /// The system refused for another reason: no memory, no processes left, no descriptors left.
        public static let spawn = Code(kind: .spawn)
        /// Thrown to a producer: the child no longer reads its standard input.
        public static let closedInput = Code(kind: .closedInput)
        /// The child wrote more than the caller of `runChild` wants to hold.
        public static let outputLimit = Code(kind: .outputLimit)
    }

    public let code: Code
    /// The program, as the command named it.
    public let executable: String
    public let message: String

    public init(_ code: Code, _ executable: String, _ message: String) {
        self.code = code
        self.executable = executable
        self.message = message
    }

    public var description: String { message }
}

/// What is known of a child that has ended.
public struct ChildResult<Value: Sendable>: Sendable {
    public let exit: ChildExit
    /// What the body returned.
    public let value: Value
    /// The last bytes the child wrote to standard error, from the start of a line where possible.
    public let standardErrorTail: [UInt8]
    /// False when the child stopped reading before the input's end.
    public let tookAllInput: Bool

    /// The tail as text without trailing white space; invalid UTF-8 shows as U+FFFD.
    public var standardErrorText: String {
        var bytes = standardErrorTail[...]
        while let last = bytes.last, last == 0x0a || last == 0x0d || last == 0x20 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
