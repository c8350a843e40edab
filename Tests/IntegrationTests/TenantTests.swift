import Glibc
import GoFormats
import ProcessIO
import Testing

extension IntegrationTests {
    /// The blueprints' other ways: to another tenant, and with pg_dump in a container of its own.
    struct OtherWays {
        @Test func aDatabaseMovesToAnotherTenant() async throws {
            let script = Program(path: Program.packageFolder + "/examples/another-tenant/migrate.sh")
                .with(["MIGRATE_ROWS": "500", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"])
            let outcome = try await script.run([Program.buildFolder])
            #expect(outcome.exit == .exited(0), "\(outcome.testDescription)")
            #expect(outcome.output.contains("role app1 logs in with its Secret's password"))
        }

        private static var blueprint: String { Program.packageFolder + "/blueprints/flexible-mcr-bp.yaml" }

        @Test func pgDumpRunsInAContainerOfItsOwn() async throws {
            let pair = try PostgresPair.running()
            try await pair.dropApplication("beside")
            try await pair.makeApplication("beside", password: #"p'w"d\$HOME"#, rows: 1000)
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            try await bench.makeCluster(application: "beside", password: #"p'w"d\$HOME"#)
            let before = try await pair.itemsHash("beside")
            let backup = try await bench.karaffe.run(
                bench.runArguments(Self.blueprint, "backup", object: "secret/apps/beside"))
            #expect(backup.exit == .exited(0), "\(backup.testDescription)")
            #expect((backup.output + backup.errors).contains("of another container"))
            let id = try await bench.lastRunID()
            try await pair.sql("DROP DATABASE besidedb WITH (FORCE)")
            try await bench.karaffe.succeed(
                bench.runArguments(Self.blueprint, "restore", object: "secret/apps/beside", ["--from", id]))
            #expect(try await pair.itemsHash("beside") == before)
            try await pair.dropApplication("beside")
        }

        /// The blueprint's own script for the container of pg_dump ends by itself when pod-runner is killed, be it that a dump
        /// runs that cannot go on.
        @Test(.timeLimit(.minutes(2))) func theOtherContainerEndsWithPodRunner() async throws {
            let pair = try PostgresPair.running()
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            try await bench.makeCluster(application: "beside", password: "secret")
            let shared = bench.folder + "/shared"
            mkdir(shared, 0o777)
            let rendered = try JSONParser.parse(
                try await bench.karaffe.succeed([
                    "render", Self.blueprint, "--action", "backup", "--cluster-dir", bench.clusterFolder, "--object",
                    "secret/apps/beside", "--profile", "kasten-io/local", "-o", "json",
                ]))
            let script = try #require(Self.script(in: rendered)).replacing("/mnt", with: shared)
            let runner = bench.podRunner(reading: "postgres")
            let arguments = BackupRetry.arguments(bench, ["--dump-from", shared, "--retries", "0"])
            let blocked = script.replacing("sh \"\(shared)/dump-$n.sh\" &", with: "sleep 30 > /dev/null 2>&1 &")
            try #require(blocked != script)
            let outcome = try await Program(path: "/bin/sh").with(["PATH": "/usr/bin:/bin"]).run(["-c", blocked]) { _ in
                let killed = try await runner.run(arguments) { pid in
                    for _ in 0..<6000 where access(shared + "/dump-1.sh", F_OK) != 0 {
                        try await Task.sleep(for: .milliseconds(10))
                    }
                    kill(pid, SIGKILL)
                }
                #expect(killed.exit == .signalled(SIGKILL))
            }
            #expect(outcome.exit == .exited(1), "\(outcome.testDescription)")
            #expect(outcome.errors == "pod-runner is gone without a word")
            #expect(access(shared + "/done", F_OK) != 0)
        }

        /// The third word of the background container's command, wherever the form of the output has it.
        private static func script(in value: JSONValue) -> String? {
            switch value {
            case .string(let text): text.contains("until [ -e /mnt/done ]") ? text : nil
            case .array(let items): items.lazy.compactMap { script(in: $0) }.first
            case .object(let object): object.members.lazy.compactMap { script(in: $0.value) }.first
            default: nil
            }
        }

        /// What the other container does, and what comes of it. One that will never say how it ended is not waited for long.
        struct DeadProducer: Sendable, CustomTestStringConvertible {
            let id: String
            let script: String
            let exitWait: String
            let message: String
            var testDescription: String { id }
        }

        static let deadProducers = [
            DeadProducer(
                id: "dies in the middle", script: "head -c 2000 /dev/zero > \"$1/dump-1\"; exit 0", exitWait: "1s",
                message: "ended in the middle of the dump"),
            DeadProducer(
                id: "fails",
                script: "echo half > \"$1/dump-1\"; echo 'pg_dump: error: out of memory' > \"$1/errors-1\"; "
                    + "echo 1 > \"$1/status-1\"",
                exitWait: "5m", message: "out of memory"),
            DeadProducer(
                id: "has no pg_dump", script: "sed s/^pg_dump/no-such-program/ \"$1/dump-1.sh\" | sh", exitWait: "5m",
                message: "exited with code 127"),
        ]

        @Test(arguments: deadProducers)
        func aDeadProducerPublishesNothing(_ producer: DeadProducer) async throws {
            let pair = try PostgresPair.running()
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            let shared = bench.folder + "/shared"
            mkdir(shared, 0o777)
            let outcome = try await bench.podRunner(reading: "postgres").run(
                BackupRetry.arguments(
                    bench, ["--dump-from", shared, "--retries", "0", "--dump-exit-wait", producer.exitWait])
            ) { _ in
                for _ in 0..<6000 where access(shared + "/dump-1.sh", F_OK) != 0 {
                    try await Task.sleep(for: .milliseconds(10))
                }
                _ = try await Program(path: "/bin/sh").run(["-c", producer.script, "sh", shared])
            }
            #expect(outcome.exit == .exited(4), "\(outcome.testDescription)")
            #expect(outcome.errors.contains(producer.message), "\(outcome.testDescription)")
            #expect(!outcome.output.contains("###Phase-output###"))
            #expect(try await bench.snapshotIDs() == [])
            // The other side is told to stop waiting.
            #expect(access(shared + "/done", F_OK) == 0)
        }
    }
}
