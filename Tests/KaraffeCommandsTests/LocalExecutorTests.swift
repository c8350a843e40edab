import ActionEngine
import Executors
import Glibc
import GoFormats
import Synchronization
import Testing

/// Remembers what a pod wrote and what was said about it.
private final class Recorder: PodStreams, PhaseLog {
    private let state = Mutex<(output: [UInt8], error: [UInt8], notes: [String])>(([], [], []))

    func standardOutput(_ bytes: [UInt8]) { state.withLock { $0.output += bytes } }
    func standardError(_ bytes: [UInt8]) { state.withLock { $0.error += bytes } }
    func line(_ line: PhaseLogLine) { state.withLock { $0.notes.append(String(decoding: line.text, as: UTF8.self)) } }

    var output: String { state.withLock { String(decoding: $0.output, as: UTF8.self) } }
    var error: String { state.withLock { String(decoding: $0.error, as: UTF8.self) } }
    var notes: [String] { state.withLock { $0.notes } }
}

private func pod(
    _ command: [String], env: JSONValue? = nil, more: JSONObject = JSONObject(), container: JSONObject = JSONObject()
) -> PodRequest {
    var main = JSONObject(["name": "container", "command": .array(command.map { .string($0) })])
    main["env"] = env
    for member in container.members { main[member.key] = member.value }
    var spec = JSONObject(["containers": [.object(main)], "restartPolicy": "Never"])
    for member in more.members { spec[member.key] = member.value }
    return PodRequest(
        action: "backup", phase: "p", namespace: "ns", namePrefix: "kanister-job-", labels: [:], annotations: [:],
        spec: spec)
}

private func isAlive(_ process: Int32) -> Bool {
    guard kill(process, 0) == 0 else { return false }
    // A zombie that its parent has not reaped yet is gone as well.
    guard let file = fopen("/proc/\(process)/stat", "r") else { return false }
    defer { fclose(file) }
    var buffer = [CChar](repeating: 0, count: 512)
    guard fgets(&buffer, 511, file) != nil else { return false }
    let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.split(separator: ")").last?.split(separator: " ").first != "Z"
}

@Suite struct LocalExecutorTests {
    private let recorder = Recorder()
    private var options = LocalExecutor.Options()

    private func run(_ pod: PodRequest, secrets: [JSONObject] = []) async throws -> CommandEnding {
        let cluster = try ManifestCluster(secrets.map { try KubernetesObject(manifest: $0) })
        return try await LocalExecutor(options: options, cluster: cluster, log: recorder).run(pod, streams: recorder)
    }

    static let secret = JSONObject([
        "kind": "Secret", "metadata": ["name": "s", "namespace": "ns"], "stringData": ["password": "pw", "user": "u"],
    ])

    @Test func environmentIsThePodsAndNothingElse() async throws {
        setenv("KARAFFE_TEST_LEAK", "1", 1)
        let env: JSONValue = [
            ["name": "A", "value": "1"], ["name": "B", "value": "$(A)2$(C)"], ["name": "C", "value": "3"],
            ["name": "P", "valueFrom": ["secretKeyRef": ["name": "s", "key": "password"]]],
            ["name": "O", "valueFrom": ["secretKeyRef": ["name": "absent", "key": "k", "optional": true]]],
            ["name": "N", "valueFrom": ["fieldRef": ["fieldPath": "metadata.namespace"]]],
        ]
        let from: JSONValue = [["prefix": "S_", "secretRef": ["name": "s"]]]
        let ending = try await run(
            pod(["env"], env: env, container: JSONObject(["envFrom": from])), secrets: [Self.secret])
        #expect(ending == .exited(0))
        var variables: [String: String] = [:]
        for line in recorder.output.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            variables[parts[0]] = parts[1]
        }
        for name in ["HOME", "TMPDIR", "PATH"] {
            #expect(variables.removeValue(forKey: name)?.contains("/karaffe-") == true)
        }
        #expect(
            variables == [
                "A": "1", "B": "12$(C)", "C": "3", "P": "pw", "N": "ns", "S_password": "pw", "S_user": "u",
                "LANG": "C.UTF-8",
            ])
    }

    @Test func aPasswordWithEveryTrapArrivesIntact() async throws {
        let password = #"It's "$100" in \the $(bank) $$"#
        let doubled = password.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$")
        let env: JSONValue = [["name": "PGPASSWORD", "value": .string(doubled)]]
        _ = try await run(pod(["printenv", "PGPASSWORD"], env: env))
        #expect(recorder.output == password + "\n")
    }

    @Test func commandsAreExpandedAsTheKubeletDoes() async throws {
        let env: JSONValue = [["name": "A", "value": "1"]]
        _ = try await run(pod(["printf", "%s|", "$(A)", "$$(A)", "$$", "$(date)", "$A", "$(", "$"], env: env))
        #expect(recorder.output == "1|$(A)|$|$(date)|$A|$(|$|")
    }

    @Test func aSecretOfAnotherNamespaceIsRefusedAsByTheKubelet() async throws {
        let env: JSONValue = [["name": "P", "valueFrom": ["secretKeyRef": ["name": "nope", "key": "k"]]]]
        await #expect(
            throws: FunctionFailure(
                "CreateContainerConfigError: secret \"nope\" not found in namespace 'ns', wanted by environment variable P",
                hint:
                    "a pod can only use the Secrets of its own namespace; for one elsewhere, fetch it under the phase's "
                    + "'objects' and put its value into 'value'")
        ) { try await run(pod(["true"], env: env)) }
    }

    @Test func whatIsNotHonouredIsSaid() async throws {
        let request = pod(
            ["true"], more: JSONObject(["nodeSelector": ["a": "b"], "volumes": []]),
            container: JSONObject(["image": "img:1", "resources": ["limits": ["cpu": 1]]]))
        _ = try await run(request)
        #expect(recorder.notes == ["not honoured by a local run: image img:1, container.resources, nodeSelector"])
    }

    @Test func streamsAndEndingsAreThoseOfTheCommand() async throws {
        #expect(try await run(pod(["sh", "-c", "echo out; echo err >&2; exit 7"])) == .exited(7))
        #expect(recorder.output == "out\n")
        #expect(recorder.error == "err\n")
        #expect(try await run(pod(["sh", "-c", "kill -KILL $$$$"])) == .killed(signal: SIGKILL))
    }

    @Test func aProgramThatIsNotThereIsNamed() async throws {
        await #expect {
            try await run(pod(["no-such-program"]))
        } throws: { error in
            let failure = error as? FunctionFailure
            return failure?.message.hasPrefix("no-such-program is in none of the folders of PATH") == true
                && failure?.hint
                    == "a local run uses the programs of this machine: install it, or add its folder to PATH"
        }
    }

    @Test func theFolderIsGoneAfterwards() async throws {
        _ = try await run(pod(["sh", "-c", "pwd; mkdir -p a/b; touch a/b/c $TMPDIR/x; chmod 0 a"]))
        let folder = recorder.output.split(separator: "\n").first.map(String.init) ?? "/"
        #expect(folder.contains("/karaffe-"))
        #expect(access(folder, F_OK) != 0)
    }

    // MARK: Teardown

    @Test func aGrandchildDoesNotOutliveTheCommand() async throws {
        #expect(try await run(pod(["sh", "-c", "sleep 1000 & echo $!; exit 3"])) == .exited(3))
        let process = try #require(Int32(recorder.output.split(separator: "\n")[0]))
        #expect(!isAlive(process))
    }

    @Test func cancellationEndsTheWholeGroup() async throws {
        var impatient = self
        impatient.options.terminationGrace = .milliseconds(200)
        let task = Task { [impatient] in
            try await impatient.run(pod(["sh", "-c", "trap '' TERM; sleep 1000 & echo $!; wait; sleep 1000"]))
        }
        while recorder.output.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        let process = try #require(Int32(recorder.output.split(separator: "\n")[0]))
        #expect(!isAlive(process))
    }

    @Test func aTimeoutEndsTheCommand() async throws {
        var limited = self
        limited.options.timeout = .milliseconds(300)
        await #expect(
            throws: FunctionFailure(
                "the command was ended: it took longer than 0.3 seconds", hint: "raise --timeout, or leave it out")
        ) { try await limited.run(pod(["sh", "-c", "sleep 1000 & echo $!; wait"])) }
        let process = try #require(Int32(recorder.output.split(separator: "\n")[0]))
        #expect(!isAlive(process))
    }

    // MARK: Hosts

    static let ways: [String] = ["preload", "namespace"]

    private func way(_ name: String) -> HostResolution? {
        if name == "preload" { return HostResolution.wrapperLibrary().map { .preload(library: $0) } }
        return access("/usr/bin/unshare", X_OK) == 0 ? .namespace(unshare: "/usr/bin/unshare") : nil
    }

    static var canUnshare: Bool {
        system("unshare --user --map-root-user --mount -- sh -c 'mount --bind /etc/hosts /etc/hosts' 2>/dev/null") == 0
    }

    @Test(arguments: ways)
    func addedHostsAreSeenInsideOnly(_ name: String) async throws {
        guard let way = way(name), name != "namespace" || Self.canUnshare else { return }
        var hosted = self
        hosted.options.hosts = [try HostOverride("rw.karaffe-test.example=127.0.0.9")]
        hosted.options.hostResolution = way
        let script = """
            getent hosts rw.karaffe-test.example localhost
            python3 -c 'import socket; print(socket.getaddrinfo("rw.karaffe-test.example", 1, socket.AF_INET)[0][4][0])'
            id -u
            """
        #expect(try await hosted.run(pod(["sh", "-c", script])) == .exited(0))
        let lines = recorder.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(lines.first == ["127.0.0.9", "rw.karaffe-test.example"])
        #expect(lines.dropFirst().first?.contains("localhost") == true)
        #expect(lines.suffix(2) == [["127.0.0.9"], ["\(getuid())"]])
        #expect(recorder.error == "")
    }

    @Test(arguments: [
        ("x", "'x' is not NAME=ADDRESS"), ("=1.2.3.4", "'' is not a host name"),
        ("a b=1.2.3.4", "'a b' is not a host name"),
        ("a=b", "'b' is not an IPv4 or IPv6 address"), ("a=1.2.3", "'1.2.3' is not an IPv4 or IPv6 address"),
    ])
    func aWrongHostIsRefused(_ text: String, _ message: String) {
        #expect(throws: LocalExecutorError(message, hint: "for example db.example.com=127.0.0.1")) {
            try HostOverride(text)
        }
    }
}
