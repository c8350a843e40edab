import GoFormats
import ProcessIO
import Synchronization
import TestSupport

@testable import PodRunner

/// One command line run in this process, with a repository folder, files and variables of its own.
struct World: ~Copyable {
    let folder: TemporaryDirectory
    var environment: [String: String] = ["KOPIA_PASSWORD": World.password, "PATH": "/usr/bin:/bin"]
    /// Long enough that commands say nothing of waiting.
    var waitingInterval: Duration = .seconds(60)
    static let password = "pässwörd <&> 'quoted'"

    struct Outcome {
        let code: Int32
        let output: [UInt8]
        let errors: String

        var text: String { String(decoding: output, as: UTF8.self) }
        var lines: [String] { text.split(separator: "\n").map(String.init) }
        /// The value of the output line, which is the last.
        var artifact: String {
            guard let line = lines.last, line.hasPrefix("###Phase-output###: "),
                let value = try? JSONParser.parse(String(line.dropFirst(20)))["value"]?.stringValue
            else { return "" }
            return value
        }
    }

    init() throws { folder = try TemporaryDirectory() }

    var repositoryPath: String { "\(folder.path)/repository" }
    var repository: [String] { ["--repository", "file://\(repositoryPath)"] }

    /// As `{{ toJson .Profile }}` renders a filesystem profile.
    var profile: String {
        let value: JSONValue = [
            "Location": [
                "type": "filesystem", "bucket": .string(repositoryPath), "endpoint": "", "prefix": "", "region": "",
            ],
            "Credential": [
                "Type": "kopia", "KeyPair": nil, "Secret": nil,
                "KopiaServerSecret": [
                    "Username": "k10-admin", "Hostname": "host-1", "Password": .string(Self.password), "Cert": "",
                    "ConnectOptions": nil,
                ],
            ],
            "SkipSSLVerify": false,
        ]
        return GoJSON.text(value)
    }

    func path(_ name: String) -> String { "\(folder.path)/\(name)" }

    func run(
        _ arguments: [String], input: String? = nil, asKando: Bool = false, inputIsTerminal: Bool = false
    ) async -> Outcome {
        let output = Mutex<[UInt8]>([])
        let errors = Mutex<[UInt8]>([])
        var context = RunContext(
            isKando: asKando, environment: environment,
            input: { try DescriptorStream(reading: input ?? "/dev/null") }, inputIsTerminal: { inputIsTerminal },
            output: { bytes in output.withLock { $0 += bytes } },
            errors: { bytes in errors.withLock { $0 += bytes } }, handlesSignals: false)
        context.waitingInterval = waitingInterval
        // Attempts count, not how long is waited between them.
        context.sleep = { try await Task.sleep(for: min($0, .milliseconds(100))) }
        let code = await PodRunnerMain.run(arguments, context)
        return Outcome(
            code: code, output: output.withLock { $0 }, errors: String(decoding: errors.withLock { $0 }, as: UTF8.self))
    }

    func kando(_ arguments: [String], input: String? = nil) async -> Outcome {
        await run(arguments, input: input, asKando: true)
    }

    /// The names of all files of the repository, for "nothing changed".
    func repositoryFiles() -> [String] { Self.files(repositoryPath) }

    private static func files(_ folder: String) -> [String] {
        Files.names(folder).flatMap { name -> [String] in
            let below = Files.names("\(folder)/\(name)")
            return below.isEmpty ? ["\(folder)/\(name)"] : files("\(folder)/\(name)")
        }
    }
}
