// swift-tools-version: 6.2
import PackageDescription

// Two planes that never import each other. The control plane (karaffe) reads blueprints and decides what to run; the
// data plane (pod-runner) turns bytes into a kopia repository. The edges below are checked twice: by the build
// (`--explicit-target-dependency-import-check error`, see the Makefile) and by `Tests/ArchitectureTests`.

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
/// The descriptor and path types of swift-subprocess's interface.
let systemPackage: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")

let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")

let package = Package(
    name: "karaffe",
    products: [
        .executable(name: "karaffe", targets: ["karaffe"]),
        .executable(name: "pod-runner", targets: ["pod-runner"]),
        // For Benchmarks/, which is a package of its own.
        .library(name: "KopiaFormat", targets: ["KopiaFormat"]),
        .library(
            name: "KopiaRooms",
            targets: [
                "GoFormats", "KopiaBlob", "KopiaFormat", "KopiaContent", "KopiaObject", "KopiaManifest",
                "KopiaSnapshot",
            ]),
        // For Tests/Fuzz/, likewise.
        .library(name: "KopiaDecoders", targets: ["GoFormats", "KopiaContent", "KopiaObject", "KopiaSnapshot"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
        .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
        // Messages of kopia's repository server; the gRPC around them is ours.
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
    ],
    targets: [
        // System libraries, one room each.
        .systemLibrary(name: "CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev", "libssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

        /// BLAKE2b of several messages at once in the processor's vectors, which Swift cannot choose at run time.
        .target(name: "CBlake2b"),

        // Shared by both planes.

        /// Positions, severities, hints and their rendering with a caret.
        .target(name: "Diagnostics"),
        /// The text forms of Go that both planes must reproduce: encoding/json's dialect and RFC 3339 timestamps.
        .target(name: "GoFormats"),
        /// Runs blocking system calls away from the cooperative thread pool.
        .target(name: "BlockingIO"),
        /// pod-runner's environment names, output line and exit codes, as types.
        .target(name: "RunnerContract", dependencies: ["GoFormats"]),
        /// Child processes: bounded streaming, process groups, teardown.
        .target(name: "ProcessIO", dependencies: ["BlockingIO", subprocess, systemPackage], exclude: ["README.md"]),

        /// libcurl: requests, streams, HTTP/2, TLS pins, retry delays.
        .target(name: "HTTPTransport", dependencies: ["BlockingIO", "CCurl"], exclude: ["README.md"]),

        /// Check sums, MACs and their text forms for signing requests.
        .target(name: "Digests", dependencies: ["COpenSSL"]),
        /// Texts that print as `<redacted>`.
        .target(name: "Secrets"),

        // Control plane, bottom up.

        /// Model, YAML reader and validation of Blueprint, ActionSet, Profile and plain manifests.
        .target(
            name: "Blueprints", dependencies: ["Diagnostics", "GoFormats", "CYaml"], exclude: ["README.md"]),
        /// Lexer, parser and interpreter of Go's text/template with the sprig functions.
        .target(
            name: "GoTemplate", dependencies: ["Diagnostics", "GoFormats", "COpenSSL"], exclude: ["README.md"]),
        /// TemplateParams, argument rendering, phase order, outputs, artifacts; the function and executor protocols.
        .target(
            name: "ActionEngine", dependencies: ["Blueprints", "GoTemplate", "Diagnostics", "GoFormats"],
            exclude: ["README.md"]),
        /// Kanister's functions, one file each.
        .target(
            name: "KanisterFunctions",
            dependencies: ["ActionEngine", "Blueprints", "RunnerContract", "Diagnostics", "GoFormats"]),
        /// What `validate` looks for in blueprints: rules with their pages, silencing, report formats.
        .target(
            name: "BlueprintRules",
            dependencies: [
                "KanisterFunctions", "ActionEngine", "Blueprints", "GoTemplate", "Diagnostics", "GoFormats",
            ],
            exclude: ["README.md"]),
        /// Runs a pod's command as a local child process.
        .target(
            name: "Executors", dependencies: ["ActionEngine", "ProcessIO", "BlockingIO", "GoFormats"],
            exclude: ["README.md"]),
        /// Everything `karaffe` does except `main`.
        .target(
            name: "KaraffeCommands",
            dependencies: [
                "BlueprintRules", "KanisterFunctions", "Executors", "ActionEngine", "Blueprints", "GoTemplate",
                "Diagnostics", "GoFormats", "RunnerContract", "ProcessIO", "BlockingIO", argumentParser,
            ]),
        .executableTarget(name: "karaffe", dependencies: ["KaraffeCommands"]),

        // Data plane, bottom up.

        /// Blob IDs, the `BlobStorage` protocol and the filesystem provider.
        .target(name: "KopiaBlob", dependencies: ["BlockingIO", "GoFormats"], exclude: ["README.md"]),
        /// S3 and Azure Blob providers, request signing, locks.
        .target(
            name: "KopiaCloud", dependencies: ["KopiaBlob", "HTTPTransport", "Digests", "Secrets", "GoFormats"],
            exclude: ["README.md"]),
        /// Hashing, encryption, compression, error correction, key derivation and `kopia.repository`.
        .target(
            name: "KopiaFormat",
            dependencies: ["KopiaBlob", "GoFormats", "CBlake2b", "COpenSSL", "CZstd", "CZlib"],
            exclude: ["README.md"]),
        /// Contents, packs, pack indexes, index blobs, epochs, sessions.
        .target(
            name: "KopiaContent", dependencies: ["KopiaFormat", "KopiaBlob", "GoFormats"], exclude: ["README.md"]),
        /// Splitters, object IDs, indirect objects, object reader and writer.
        .target(
            name: "KopiaObject", dependencies: ["KopiaContent", "KopiaFormat", "GoFormats"], exclude: ["README.md"]),
        /// Labelled JSON manifests.
        .target(
            name: "KopiaManifest", dependencies: ["KopiaContent", "KopiaFormat", "GoFormats"], exclude: ["README.md"]),
        /// Client of kopia's repository server: contents and manifests over gRPC.
        .target(
            name: "KopiaServer",
            dependencies: [
                "KopiaManifest", "KopiaContent", "KopiaFormat", "HTTPTransport", "Digests", "GoFormats", protobuf,
            ],
            exclude: ["README.md", "Messages/kopia_repository.proto"]),
        /// Snapshot manifests, sources, directory entries, policies.
        .target(
            name: "KopiaSnapshot", dependencies: ["KopiaManifest", "KopiaObject", "KopiaContent", "GoFormats"],
            exclude: ["README.md"]),
        /// Opens a repository from a location: the only door of the data plane.
        .target(
            name: "KopiaRepository",
            dependencies: [
                "KopiaServer", "KopiaSnapshot", "KopiaManifest", "KopiaObject", "KopiaContent", "KopiaFormat",
                "KopiaCloud",
                "KopiaBlob", "GoFormats",
            ],
            exclude: ["README.md"]),
        /// pg_dump, psql and libpq: arguments, environment, versions, meaning of exits.
        .target(
            name: "PostgresDump", dependencies: ["ProcessIO", "BlockingIO", "Secrets", "GoFormats", "CPQ"],
            exclude: ["README.md"]),
        /// Everything `pod-runner` does except `main`.
        .target(
            name: "PodRunner",
            dependencies: [
                "PostgresDump", "KopiaRepository", "KopiaCloud", "RunnerContract", "ProcessIO", "BlockingIO", "Secrets",
                "GoFormats", argumentParser,
            ],
            exclude: ["README.md"]),
        .executableTarget(name: "pod-runner", dependencies: ["PodRunner"]),

        // Tests. Tiers are targets: <Room>Tests are hermetic; Compatibility and Integration use other programs.

        .target(
            name: "TestSupport", dependencies: ["KopiaBlob", "KopiaContent", "GoFormats", "BlockingIO", "COpenSSL"],
            path: "Tests/TestSupport", exclude: ["Server/kopia_server_double.py", "Network/tls_front.py"]),
        /// S3 servers and the double of Azure for tests.
        .target(
            name: "CloudTestSupport",
            dependencies: ["KopiaCloud", "KopiaBlob", "HTTPTransport", "Secrets", "GoFormats", "TestSupport"],
            path: "Tests/CloudTestSupport", exclude: ["Fixtures"]),
        .testTarget(name: "ArchitectureTests", dependencies: ["Blueprints", "Diagnostics"]),
        .testTarget(name: "DiagnosticsTests", dependencies: ["Diagnostics"]),
        .testTarget(name: "GoFormatsTests", dependencies: ["GoFormats"]),
        .testTarget(
            name: "HTTPTransportTests", dependencies: ["HTTPTransport", "TestSupport"], exclude: ["Fixtures"]),
        .testTarget(name: "ProcessIOTests", dependencies: ["ProcessIO", "BlockingIO"]),
        .testTarget(
            name: "BlueprintsTests", dependencies: ["Blueprints", "Diagnostics", "GoFormats"], exclude: ["Fixtures"]),
        .testTarget(
            name: "GoTemplateTests", dependencies: ["GoTemplate", "Diagnostics", "GoFormats"], exclude: ["Fixtures"]),
        .testTarget(
            name: "ActionEngineTests",
            dependencies: [
                "ActionEngine", "KanisterFunctions", "Blueprints", "GoTemplate", "RunnerContract", "Diagnostics",
                "GoFormats",
            ],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "BlueprintRulesTests",
            dependencies: [
                "BlueprintRules", "KanisterFunctions", "ActionEngine", "Blueprints", "Diagnostics", "GoFormats",
            ],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "KaraffeCommandsTests",
            dependencies: [
                "KaraffeCommands", "KanisterFunctions", "Executors", "ActionEngine", "Blueprints", "ProcessIO",
                "GoFormats",
                "Diagnostics",
            ]),
        .testTarget(name: "KopiaBlobTests", dependencies: ["KopiaBlob", "TestSupport", "GoFormats"]),
        .testTarget(name: "DigestsTests", dependencies: ["Digests", "GoFormats"]),
        .testTarget(
            name: "KopiaCloudTests",
            dependencies: [
                "KopiaCloud", "KopiaBlob", "HTTPTransport", "CloudTestSupport", "TestSupport", "Secrets", "GoFormats",
            ],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "KopiaFormatTests",
            dependencies: ["KopiaFormat", "KopiaBlob", "TestSupport", "GoFormats", "COpenSSL"],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "KopiaContentTests",
            dependencies: ["KopiaContent", "KopiaFormat", "KopiaBlob", "TestSupport", "GoFormats"],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "KopiaObjectTests",
            dependencies: [
                "KopiaObject", "KopiaManifest", "KopiaSnapshot", "KopiaContent", "KopiaFormat", "KopiaBlob",
                "TestSupport", "GoFormats",
            ],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "KopiaServerTests",
            dependencies: [
                "KopiaServer", "KopiaManifest", "KopiaContent", "KopiaFormat", "HTTPTransport", "TestSupport",
                "GoFormats",
                protobuf,
            ],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "KopiaRepositoryTests",
            dependencies: [
                "KopiaRepository", "KopiaServer", "KopiaSnapshot", "KopiaManifest", "KopiaObject", "KopiaContent",
                "KopiaFormat", "HTTPTransport", "KopiaCloud", "CloudTestSupport",
                "KopiaBlob", "TestSupport", "GoFormats",
            ]),
        /// Writes snapshots until it is killed; for CrashTests.
        .executableTarget(
            name: "CrashWriter",
            dependencies: [
                "KopiaRepository", "KopiaSnapshot", "KopiaManifest", "KopiaObject", "KopiaContent", "KopiaFormat",
                "KopiaBlob", "TestSupport", "GoFormats",
            ],
            path: "Tests/CrashWriter"),
        .testTarget(
            name: "CrashTests",
            dependencies: [
                "CrashWriter", "pod-runner", "KopiaRepository", "KopiaSnapshot", "KopiaManifest", "KopiaObject",
                "KopiaContent",
                "KopiaFormat", "KopiaBlob", "ProcessIO", "TestSupport", "GoFormats",
            ]),
        .testTarget(name: "RunnerContractTests", dependencies: ["RunnerContract", "GoFormats"]),
        .testTarget(
            name: "PodRunnerTests",
            dependencies: [
                "PodRunner", "pod-runner", "PostgresDump", "KopiaRepository", "KopiaCloud", "RunnerContract",
                "ProcessIO", "CloudTestSupport", "TestSupport", "Secrets", "GoFormats",
            ], exclude: ["Fixtures"]),
        .testTarget(
            name: "CompatibilityTests",
            dependencies: [
                "KopiaRepository", "KopiaSnapshot", "KopiaManifest", "KopiaObject", "KopiaContent", "KopiaFormat",
                "KopiaBlob", "CloudTestSupport", "TestSupport", "GoFormats", "ProcessIO",
            ],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "ProcessIO", "BlockingIO", "GoFormats", "RunnerContract", "KopiaCloud", "KopiaBlob", "CloudTestSupport",
                "TestSupport", "PostgresDump",
            ],
            exclude: ["Fixtures"]),
    ]
)

for target in package.targets where ![.system, .plugin, .binary].contains(target.type) {
    target.swiftSettings = [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .treatAllWarnings(as: .error),
    ]
}
