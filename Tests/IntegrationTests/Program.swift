import Glibc
import ProcessIO
import Testing

/// Runs the executables of this package, and the programs around them, as a user would.
struct Program {
    let path: String
    var environment: [String: String] = [:]

    /// What a program did, as text.
    struct Outcome: CustomTestStringConvertible {
        let exit: ChildExit
        let output: String
        let errors: String
        var testDescription: String { "\(exit)\n\(output)\n\(errors)" }
    }

    static var karaffe: Program { Program(path: buildFolder + "/karaffe") }
    static var podRunner: Program { Program(path: buildFolder + "/pod-runner") }

    /// Where this test's own executable lies, and beside it those of the package.
    static let buildFolder: String = {
        var bytes = [CChar](repeating: 0, count: 4096)
        let count = max(0, readlink("/proc/self/exe", &bytes, bytes.count))
        let path = String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.split(separator: "/").dropLast().map { "/" + $0 }.joined()
    }()

    static let packageFolder: String = {
        #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
    }()

    /// A minimal environment: the search path and nothing that could lead to another server or repository.
    static let baseEnvironment: [String: String] = [
        "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent", "TZ": "UTC",
    ]

    func with(_ variables: [String: String]) -> Program {
        Program(path: path, environment: environment.merging(variables) { $1 })
    }

    /// - Parameter interrupt: called once the program runs, with its process ID.
    func run(
        _ arguments: [String], input: String? = nil,
        meanwhile: (@Sendable (Int32) async throws -> Void)? = nil
    ) async throws -> Outcome {
        let command = ChildCommand(
            path, arguments, environment: Self.baseEnvironment.merging(environment) { $1 })
        let given: ChildInput = input.map { .bytes(Array($0.utf8)) } ?? .nothing
        let result = try await withChild(command, input: given, tailLimit: 1 << 20) { output in
            try await withThrowingTaskGroup(of: Void.self) { group in
                if let meanwhile { group.addTask { try await meanwhile(output.processIdentifier) } }
                var bytes: [UInt8] = []
                while let chunk = try await output.read() { bytes += chunk }
                try await group.waitForAll()
                return bytes
            }
        }
        return Outcome(
            exit: result.exit, output: String(decoding: result.value, as: UTF8.self), errors: result.standardErrorText)
    }

    /// As `run`, but any exit other than 0 fails the test with what the program said.
    @discardableResult
    func succeed(_ arguments: [String], input: String? = nil) async throws -> String {
        let outcome = try await run(arguments, input: input)
        try #require(outcome.exit.isSuccess, "\(arguments.first ?? ""): \(outcome.testDescription)")
        return outcome.output
    }
}
