import Glibc
import GoFormats
import ProcessIO
import Testing

/// A folder with a cluster of manifests, a repository and a state folder for one test, and the commands that use them.
struct Workbench: ~Copyable {
    let folder: String
    let pair: PostgresPair
    let repositoryPassword: String

    init(_ pair: PostgresPair, repositoryPassword: String = #"repository-'pass"word$"#) throws {
        self.pair = pair
        self.repositoryPassword = repositoryPassword
        folder = try TemporaryFolder.make(prefix: "karaffe-test")
    }

    var repositoryFolder: String { folder + "/repository" }
    var repositoryURL: String { "file://" + repositoryFolder }
    var clusterFolder: String { folder + "/cluster" }

    deinit {
        // `rm` and not our own code: the folder has read-only files of other programs.
        let path = folder
        var pid = pid_t()
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("rm"), strdup("-rf"), strdup(path), nil]
        if posix_spawn(&pid, "/bin/rm", nil, nil, &arguments, nil) == 0 { waitpid(pid, nil, 0) }
        for argument in arguments { free(argument) }
    }

    func write(_ name: String, _ text: String) throws {
        let path = name.hasPrefix("/") ? name : folder + "/" + name
        let file = try #require(fopen(path, "w"), "cannot write \(path)")
        fputs(text, file)
        fclose(file)
    }

    /// The manifests of an application's Secret, the administrator's Secret and a local profile.
    func makeCluster(application: String, password: String, dropKey: String? = nil) async throws {
        mkdir(clusterFolder, 0o755)
        func quoted(_ text: String) -> String { GoJSON.text(.string(text)) }
        let keys = [("dbname", application + "db"), ("username", application), ("password", password)]
            .filter { $0.0 != dropKey }.map { "  \($0.0): \(quoted($0.1))" }.joined(separator: "\n")
        try write(
            "cluster/all.yaml",
            """
            apiVersion: v1
            kind: Secret
            metadata: {name: \(application), namespace: apps, labels: {type: database-credential}}
            stringData:
            \(keys)
            ---
            apiVersion: v1
            kind: Namespace
            metadata: {name: kasten-io}
            ---
            apiVersion: v1
            kind: Secret
            metadata: {name: flexible-super-admin, namespace: kasten-io}
            stringData:
              username: flexadmin
              password: \(quoted(pair.adminPassword))
            ---
            apiVersion: v1
            kind: Secret
            metadata: {name: repository-password, namespace: kasten-io}
            stringData: {password: \(quoted(repositoryPassword))}
            ---
            apiVersion: cr.kanister.io/v1alpha1
            kind: Profile
            metadata: {name: local, namespace: kasten-io}
            location: {type: filesystem, bucket: ../repository}
            credential:
              type: kopia
              kopiaServerSecret:
                username: k10-admin
                hostname: test
                userPassphrase:
                  key: password
                  secret: {name: repository-password, namespace: kasten-io}
            """)
    }

    func makeRepository() async throws {
        try await podRunner.succeed(["repository", "create", "--repository", repositoryURL])
    }

    /// With the repository's password in the environment, and the servers' own pg_dump first in the search path.
    var podRunner: Program {
        Program.podRunner.with([
            "KOPIA_PASSWORD": repositoryPassword, "PATH": "\(pair.bin):/usr/local/bin:/usr/bin:/bin",
        ])
    }

    /// With the administrator's connection to the standby as well.
    func podRunner(reading database: String) -> Program {
        podRunner.with(pair.adminEnvironment(host: pair.standby, database: database))
    }

    var karaffe: Program { Program.karaffe.with(["KARAFFE_STATE_DIR": folder + "/state"]) }

    static var flexibleBlueprint: String { Program.packageFolder + "/blueprints/flexible-bp.yaml" }

    func runArguments(_ blueprint: String, _ action: String, object: String, _ more: [String] = []) -> [String] {
        [
            "run", blueprint, "--action", action, "--cluster-dir", clusterFolder, "--object", object, "--profile",
            "kasten-io/local", "--option", "port=\(pair.port)",
        ] + hosts + more
    }

    /// The names that the blueprints use, led to the servers of the suite.
    var hosts: [String] {
        [
            ("rw.poc.postgres.database.azure.com", pair.primary), ("ro.poc.postgres.database.azure.com", pair.standby),
            ("rw.classic.example.internal", pair.primary), ("ro.classic.example.internal", pair.standby),
        ].flatMap { ["--add-host", "\($0.0)=\($0.1)"] }
    }

    /// IDs of the snapshots in the repository.
    func snapshotIDs() async throws -> [String] {
        let listed = try await podRunner.succeed(["snapshot", "list", "--repository", repositoryURL, "--json"])
        let snapshots = try #require(try JSONParser.parse(listed).arrayValue)
        return snapshots.compactMap { $0["id"]?.stringValue }
    }

    func lastRunID() async throws -> String {
        let run = try JSONParser.parse(try await karaffe.succeed(["runs", "last", "--json"]))
        return try #require(run["id"]?.stringValue)
    }
}
