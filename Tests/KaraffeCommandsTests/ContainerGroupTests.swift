import ActionEngine
import Executors
import Glibc
import GoFormats
import KanisterFunctions
import Synchronization
import Testing

/// MultiContainerRun as processes that share a folder. "Publishing" is what `output` does after it saw the end of the
/// pipe: it leaves a file behind.
@Suite(.timeLimit(.minutes(1))) struct ContainerGroupTests {
    private final class Log: PhaseLog {
        private let state = Mutex<[String]>([])
        func line(_ line: PhaseLogLine) { state.withLock { $0.append(String(decoding: line.text, as: UTF8.self)) } }
        var lines: [String] { state.withLock { $0 } }
    }

    private let log = Log()
    /// Outside of /tmp, which the phases see a private folder at.
    private let folder: String

    init() throws {
        var template = Array("/var/tmp/karaffe-group-XXXXXX".utf8CString)
        let made = mkdtemp(&template) != nil
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try #require(made)
    }

    /// Whether this machine lets a process have its own view of the file system.
    static let canShare =
        system("unshare --user --map-root-user --mount -- mount --bind /var/tmp /tmp 2>/dev/null") == 0

    private func run(
        background: String, output: String, initial: String? = "mkfifo /tmp/pipe", more: JSONObject = JSONObject()
    ) async throws -> JSONObject {
        var arguments = JSONObject([
            "backgroundImage": "db", "backgroundCommand": ["sh", "-c", .string(background)], "outputImage": "tools",
            "outputCommand": ["sh", "-c", .string(output)],
        ])
        if let initial {
            arguments["initImage"] = "tools"
            arguments["initCommand"] = ["sh", "-c", .string(initial)]
        }
        for member in more.members { arguments[member.key] = member.value }
        var options = LocalExecutor.Options()
        options.terminationGrace = .seconds(1)
        let executor = LocalExecutor(options: options, cluster: ManifestCluster(), log: log)
        let call = FunctionCall(
            action: "backup", phase: "dump", controllerNamespace: "ns", executor: executor, log: log)
        defer { system("rm -rf '\(folder)/tmp'") }
        return try await MultiContainerRun().execute(FunctionArguments(arguments), in: call)
    }

    /// Reads the pipe to its end, then publishes.
    private var push: String {
        """
        n=$(cat /tmp/pipe | wc -c) || exit 9
        touch \(folder)/published
        echo '###Phase-output###: {"key":"bytes","value":"'"$n"'"}'
        """
    }

    private var isPublished: Bool { access("\(folder)/published", F_OK) == 0 }

    @Test(.enabled(if: canShare)) func producerAndConsumerMeetInTheSharedFolder() async throws {
        let output = try await run(
            background: "echo dumping >&2; head -c 300000 /dev/zero > /tmp/pipe; sleep 0.2", output: push)
        #expect(output == JSONObject(["bytes": "300000"]))
        #expect(isPublished)
        #expect(log.lines.contains("background: dumping"))
    }

    @Test(.enabled(if: canShare)) func aProducerThatDiesMidwayPublishesNothing() async throws {
        let failure = await #expect(throws: FunctionFailure.self) {
            try await run(
                background: "head -c 100000 /dev/zero > /tmp/pipe; echo 'dump: no space left' >&2; exit 3",
                output: "trap 'touch \(folder)/ended; exit 1' TERM; \(push)")
        }
        #expect(
            failure?.message
                == "the command of container 'background' failed: exit code 3; 'output' was ended before it "
                + "could take what it had for the whole")
        #expect(failure?.ending == .exited(3))
        #expect(failure?.lastLines.contains("background: dump: no space left") == true)
        #expect(access("\(folder)/ended", F_OK) == 0)
        #expect(!isPublished)
    }

    @Test(.enabled(if: canShare), arguments: ["exit 4", "kill -9 $$$$"])
    func aProducerThatDiesBeforeItOpensThePipeDoesNotHang(_ end: String) async throws {
        let failure = await #expect(throws: FunctionFailure.self) { try await run(background: end, output: push) }
        #expect(failure?.ending == (end == "exit 4" ? .exited(4) : .killed(signal: SIGKILL)))
        #expect(!isPublished)
    }

    @Test(.enabled(if: canShare)) func aPipeTheProducerMakesItselfIsHeldToo() async throws {
        await #expect(throws: FunctionFailure.self) {
            try await run(
                background: "mkfifo /tmp/pipe; (echo part; sleep 0.3) > /tmp/pipe; exit 3",
                output: "while [ ! -p /tmp/pipe ]; do sleep 0.02; done; \(push)", initial: nil)
        }
        #expect(!isPublished)
    }

    @Test(.enabled(if: canShare)) func aRestoreWritesInTheOtherDirection() async throws {
        let output = try await run(
            background: "cat /tmp/pipe > \(folder)/restored",
            output: #"echo data > /tmp/pipe; echo '###Phase-output###: {"key":"k","value":"v"}'"#)
        #expect(output == JSONObject(["k": "v"]))
        #expect(access("\(folder)/restored", F_OK) == 0)
    }

    @Test(.enabled(if: canShare)) func aRestoreWhoseSourceDiesEndsTheReaderFirst() async throws {
        let failure = await #expect(throws: FunctionFailure.self) {
            try await run(
                background: "cat /tmp/pipe > /dev/null && touch \(folder)/published",
                output: "echo part > /tmp/pipe; exit 5")
        }
        #expect(failure?.message == "the command of container 'output' failed: exit code 5")
        #expect(!isPublished)
    }

    @Test(.enabled(if: canShare)) func aFailedInitRunsNothingElse() async throws {
        await #expect(
            throws: FunctionFailure("the command of container 'init' failed: exit code 7", ending: .exited(7))
        ) {
            try await run(
                background: "touch \(folder)/published", output: "touch \(folder)/published", initial: "exit 7")
        }
        #expect(!isPublished)
    }

    @Test(.enabled(if: canShare)) func aFolderThisMachineDoesNotHaveIsSaid() async throws {
        await #expect(
            throws: FunctionFailure(
                "sharedVolumeDir /no/such/folder cannot be honoured by a local run: there is no such folder on this machine",
                hint: "make it, or use the default /tmp/")
        ) {
            try await run(
                background: "true", output: "true", more: JSONObject(["sharedVolumeDir": "/no/such/folder"]))
        }
    }

    @Test(.enabled(if: canShare)) func aProgramThatIsMissingIsSaid() async throws {
        let failure = await #expect(throws: FunctionFailure.self) {
            try await run(
                background: "true", output: "true", more: JSONObject(["backgroundCommand": ["no-such-program"]]))
        }
        #expect(failure?.message.hasPrefix("no-such-program is in none of the folders of PATH") == true)
    }

    @Test(.enabled(if: canShare)) func theMachinesOwnFolderIsLeftAlone() async throws {
        let mark = "/tmp/karaffe-mark-\(getpid())"
        defer { unlink(mark) }
        _ = try await run(background: "cat /tmp/pipe", output: "touch \(mark); echo > /tmp/pipe")
        #expect(access(mark, F_OK) != 0)
        #expect(
            log.lines.contains(
                "/tmp/ is the containers' shared folder; what this machine has there is not seen by them"))
    }
}
