import Testing

/// The house rules about rooms, once more and independently of Package.swift: who may import whom, and which plane a room
/// belongs to.
struct Room: Sendable, CustomTestStringConvertible {
    enum Plane: Sendable {
        case control
        case data
        case shared
    }

    let name: String
    let plane: Plane
    /// Rooms and outside modules; every room may also use `everywhere`.
    let imports: Set<String>
    var testDescription: String { name }

    init(_ name: String, _ plane: Plane, _ imports: Set<String>) {
        self.name = name
        self.plane = plane
        self.imports = imports
    }

    /// Parts of the toolchain any room may use. Foundation is not among them: it costs start-up time.
    static let everywhere: Set<String> = ["Glibc", "Synchronization"]
    /// Only tests use these.
    static let inTests: Set<String> = ["Testing", "TestSupport", "CloudTestSupport"]

    static let all = [
        Room("Diagnostics", .shared, []),
        Room("GoFormats", .shared, []),
        Room("BlockingIO", .shared, ["Dispatch"]),
        Room("RunnerContract", .shared, ["GoFormats"]),
        Room("HTTPTransport", .shared, ["BlockingIO", "CCurl"]),
        Room("Digests", .shared, ["COpenSSL"]),
        Room("Secrets", .shared, []),
        Room("ProcessIO", .shared, ["BlockingIO", "Subprocess", "SystemPackage", "Dispatch"]),

        Room("Blueprints", .control, ["Diagnostics", "GoFormats", "CYaml"]),
        Room("GoTemplate", .control, ["Diagnostics", "GoFormats", "COpenSSL"]),
        Room("ActionEngine", .control, ["Blueprints", "GoTemplate", "Diagnostics", "GoFormats"]),
        Room(
            "KanisterFunctions", .control, ["ActionEngine", "Blueprints", "RunnerContract", "Diagnostics", "GoFormats"]),
        Room(
            "BlueprintRules", .control,
            ["KanisterFunctions", "ActionEngine", "Blueprints", "GoTemplate", "Diagnostics", "GoFormats"]),
        Room("Executors", .control, ["ActionEngine", "ProcessIO", "BlockingIO", "GoFormats"]),
        Room(
            "KaraffeCommands", .control,
            [
                "BlueprintRules", "KanisterFunctions", "Executors", "ActionEngine", "Blueprints", "GoTemplate",
                "Diagnostics", "GoFormats",
                "RunnerContract", "BlockingIO", "ProcessIO", "ArgumentParser",
            ]),
        Room("karaffe", .control, ["KaraffeCommands"]),

        Room("KopiaBlob", .data, ["BlockingIO", "GoFormats"]),
        Room("KopiaCloud", .data, ["KopiaBlob", "HTTPTransport", "Digests", "Secrets", "GoFormats"]),
        Room("KopiaFormat", .data, ["KopiaBlob", "GoFormats", "CBlake2b", "COpenSSL", "CZstd", "CZlib"]),
        Room("KopiaContent", .data, ["KopiaFormat", "KopiaBlob", "GoFormats"]),
        Room("KopiaObject", .data, ["KopiaContent", "KopiaFormat", "GoFormats"]),
        Room("KopiaManifest", .data, ["KopiaContent", "KopiaFormat", "GoFormats"]),
        Room(
            "KopiaServer", .data,
            [
                "KopiaManifest", "KopiaContent", "KopiaFormat", "HTTPTransport", "Digests", "GoFormats",
                "SwiftProtobuf", "FoundationEssentials", "Foundation",
            ]),
        Room("KopiaSnapshot", .data, ["KopiaManifest", "KopiaObject", "KopiaContent", "GoFormats"]),
        Room(
            "KopiaRepository", .data,
            [
                "KopiaServer", "KopiaSnapshot", "KopiaManifest", "KopiaObject", "KopiaContent", "KopiaFormat",
                "KopiaCloud",
                "KopiaBlob",
                "GoFormats",
            ]),
        Room("PostgresDump", .data, ["ProcessIO", "BlockingIO", "Secrets", "GoFormats", "CPQ"]),
        Room(
            "PodRunner", .data,
            [
                "PostgresDump", "KopiaRepository", "KopiaCloud", "RunnerContract", "ProcessIO", "BlockingIO", "Secrets",
                "GoFormats", "ArgumentParser",
            ]),
        Room("pod-runner", .data, ["PodRunner"]),
    ]

    static func named(_ name: String) -> Room? { all.first { $0.name == name } }

    /// The room through which each outside module enters; libcrypto has one door a plane and one for signing requests,
    /// the command line one an executable.
    static let doors: [String: Set<String>] = [
        "CYaml": ["Blueprints"],
        "CPQ": ["PostgresDump"],
        "CBlake2b": ["KopiaFormat"],
        "CZstd": ["KopiaFormat"],
        "CZlib": ["KopiaFormat"],
        "CCurl": ["HTTPTransport"],
        "COpenSSL": ["KopiaFormat", "GoTemplate", "Digests"],
        "Subprocess": ["ProcessIO"],
        // SwiftProtobuf's bytes are a type of Foundation's.
        "SwiftProtobuf": ["KopiaServer"],
        "FoundationEssentials": ["KopiaServer"],
        "Foundation": ["KopiaServer"],
        "SystemPackage": ["ProcessIO"],
        "ArgumentParser": ["KaraffeCommands", "PodRunner"],
    ]
}
