import CloudTestSupport
import GoFormats
import ProcessIO
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// A real kopia, named by `KOPIA_EXE`, with a configuration, a cache and logs of its own.
struct Kopia: Sendable {
    static let executable = getenv("KOPIA_EXE").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    /// Without it the tests are skipped, visibly, also with `REQUIRE_SERVICES=1`: no package registry has a kopia.
    static let isWanted = executable != nil

    let folder: String
    let password: String
    var environment: [String: String] = [:]

    /// - Parameters:
    ///   - folder: exists; gets kopia's configuration, cache and logs.
    ///   - repository: the folder of the repository to connect to.
    static func connect(
        to repository: String, in folder: String, password: String, user: String = "runner", host: String = "fixture",
        creating options: [String]? = nil
    ) async throws -> Kopia {
        let kopia = Kopia(folder: folder, password: password)
        try await kopia.run(
            ["repository", options == nil ? "connect" : "create", "filesystem", "--path=\(repository)"]
                + ["--cache-directory=\(folder)/cache", "--override-hostname=\(host)", "--override-username=\(user)"]
                + ["--no-check-for-updates"] + (options ?? []))
        return kopia
    }

    /// The same for a bucket of an S3 server on this machine.
    ///
    /// - Parameter folder: exists.
    static func connect(
        toBucket bucket: String, prefix: String, port: Int, in folder: String, password: String,
        user: String = "runner", host: String = "fixture", creating options: [String]? = nil
    ) async throws -> Kopia {
        var kopia = Kopia(folder: folder, password: password)
        kopia.environment = [
            "AWS_ACCESS_KEY_ID": S3Server.accessKeyID, "AWS_SECRET_ACCESS_KEY": S3Server.secretKey,
        ]
        try await kopia.run(
            ["repository", options == nil ? "connect" : "create", "s3", "--bucket=\(bucket)", "--prefix=\(prefix)"]
                + ["--endpoint=127.0.0.1:\(port)", "--disable-tls", "--region=us-east-1"]
                + ["--cache-directory=\(folder)/cache", "--override-hostname=\(host)", "--override-username=\(user)"]
                + ["--no-check-for-updates"] + (options ?? []))
        return kopia
    }

    /// Whether this kopia was built with S3.
    static func knowsS3() async -> Bool {
        guard let executable else { return false }
        let command = ChildCommand(
            executable, ["--disable-file-logging", "repository", "create", "s3", "--help"], environment: [:])
        let result = try? await runChild(command, input: .nothing, outputLimit: 1 << 20)
        return result?.exit.isSuccess ?? false
    }

    /// Runs a command that must succeed.
    ///
    /// - Returns: what it printed.
    @discardableResult
    func run(_ arguments: [String], input: [UInt8]? = nil) async throws -> [UInt8] {
        let executable = try #require(Self.executable, "set KOPIA_EXE to a kopia program")
        let command = ChildCommand(
            executable,
            ["--config-file=\(folder)/repository.config", "--log-dir=\(folder)/logs", "--no-progress"] + arguments,
            environment: [
                "KOPIA_PASSWORD": password, "KOPIA_CHECK_FOR_UPDATES": "false", "HOME": folder, "TZ": "UTC",
            ].merging(environment) { $1 })
        let result = try await runChild(
            command, input: input.map { ChildInput.bytes($0) } ?? .nothing, outputLimit: 256 << 20)
        guard result.exit.isSuccess else {
            throw TestSupportError(
                "kopia \(arguments.joined(separator: " ")) \(result.exit): \(result.standardErrorText)")
        }
        return result.value
    }

    func json(_ arguments: [String]) async throws -> JSONValue {
        try JSONParser.parse(try await run(arguments + ["--json"]))
    }

    /// Everything kopia can check about a repository.
    func verifyEverything() async throws {
        try await run(["snapshot", "verify", "--verify-files-percent=100"])
        try await run(["content", "verify", "--full"])
        try await run(["index", "inspect", "--active"])
        try await run(["blob", "list"])
        try await run(["manifest", "list"])
    }
}
