internal import GoFormats
internal import Synchronization

/// A kopia repository server made of somebody else's HTTP/2 library, with a repository in memory and faults by script:
/// `kopia_server_double.py` says what it can do. Ends with the last reference.
///
/// User `runner@client`, password `client-password`.
public final class KopiaServerDouble: Sendable {
    public let port: Int
    /// Of its certificate, PEM.
    public let certificate: String
    private let service: Service
    private let control: Mutex<ServerConnection>

    /// Whether tests with it should run.
    public static var isWanted: Bool { PythonTools.isWanted("python") }

    public var endpoint: String { "https://127.0.0.1:\(port)" }

    /// - Parameter certificate: a certificate and its key, PEM files; nil makes one of its own.
    public init(certificate given: (path: String, key: String)? = nil) throws {
        let scratch = "\(CurrentEnvironment.value("TMPDIR") ?? "/tmp")/karaffe-kopia-\(UInt64.random(in: 0 ... .max))"
        try Files.makeFolder(scratch)
        if let given {
            try Files.write(try Files.read(given.path), "\(scratch)/cert.pem")
            try Files.write(try Files.read(given.key), "\(scratch)/key.pem")
        } else {
            let made = try Program.run(
                "openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    "\(scratch)/key.pem", "-out", "\(scratch)/cert.pem", "-days", "2", "-subj", "/O=Kopia",
                ])
            guard made.exitCode == 0 else { throw TestSupportError("openssl: \(made.output)") }
        }
        certificate = String(decoding: try Files.read("\(scratch)/cert.pem"), as: UTF8.self)
        let service = try Service(
            try PythonTools.require("python"),
            [Self.program, "\(scratch)/cert.pem", "\(scratch)/key.pem"],
            logPath: "\(scratch)/log", scratchFolder: scratch)
        func announced() -> [Int] {
            guard service.log.hasPrefix("PORTS "), service.log.hasSuffix("\n") else { return [] }
            return service.log.dropFirst(6).dropLast().split(separator: " ").compactMap { Int($0) }
        }
        try service.waitUntilReady(seconds: 60) { announced().count == 2 }
        let ports = announced()
        guard ports.count == 2, let descriptor = Loopback.connect(port: ports[1]) else {
            throw TestSupportError("no ports: \(service.log)")
        }
        self.service = service
        port = ports[0]
        control = Mutex(ServerConnection(descriptor))
    }

    /// SHA-256 of its certificate, hex.
    public func fingerprint() throws -> String {
        let folder = try TemporaryDirectory()
        try Files.write(Array(certificate.utf8), "\(folder.path)/cert.pem")
        return try Certificates.fingerprint("\(folder.path)/cert.pem")
    }

    private static let program: String = {
        let folder = String(describing: #filePath).split(separator: "/", omittingEmptySubsequences: false).dropLast()
        return folder.joined(separator: "/") + "/kopia_server_double.py"
    }()

    /// One thing that goes wrong, once.
    public struct Fault: Sendable, Hashable, CustomStringConvertible {
        /// `open`, `info`, `flush`, `write`, `get`, `get-manifest`, `put`, `find`, `delete`, or `any`.
        public var request: String
        /// At which of those requests, from 0.
        public var number: Int
        public var action: String
        public var code: Int64?
        public var message = "said the double"
        public var seconds = 0.0

        public init(_ request: String, _ number: Int = 0, _ action: String, code: Int64? = nil) {
            self.request = request
            self.number = number
            self.action = action
            self.code = code
        }

        public var description: String { "\(request) \(number): \(action)\(code.map { " \($0)" } ?? "")" }

        fileprivate var json: JSONValue {
            var object: JSONObject = JSONObject()
            object["on"] = .string(request)
            object["after"] = .integer(Int64(number))
            object["do"] = .string(action)
            if let code { object["code"] = .integer(code) }
            object["message"] = .string(message)
            object["seconds"] = .double(seconds)
            return .object(object)
        }
    }

    /// What the repository holds and what happened so far.
    public struct State: Sendable {
        private let json: JSONValue
        fileprivate init(_ json: JSONValue) { self.json = json }

        private func number(_ key: String) -> Int { Int(json[key]?.integerValue ?? -1) }
        public var sessions: Int { number("sessions") }
        public var flushes: Int { number("flushes") }
        public var uploads: Int { number("uploads") }
        public var questions: Int { number("questions") }
        public var faultsLeft: Int { number("faultsLeft") }
        /// Requests of a kind, or `any`.
        public func count(_ request: String) -> Int { Int(json["counts"]?[request]?.integerValue ?? 0) }
        /// Lengths by ID, of what is published.
        public var contents: [String: Int64] {
            Dictionary(
                uniqueKeysWithValues: (json["contents"]?.objectValue?.members ?? []).map {
                    ($0.key, $0.value.integerValue ?? -1)
                })
        }
        /// Labels and text by ID, of what is published.
        public var manifests: [String: (type: String, text: String)] {
            Dictionary(
                uniqueKeysWithValues: (json["manifests"]?.objectValue?.members ?? []).map {
                    ($0.key, ($0.value["labels"]?["type"]?.stringValue ?? "", $0.value["json"]?.stringValue ?? ""))
                })
        }
        public var snapshotCount: Int { manifests.values.count { $0.type == "snapshot" } }
    }

    /// An empty repository, nothing counted, these faults to come.
    @discardableResult
    public func reset(_ faults: [Fault] = []) throws -> State {
        try command(["reset": true, "faults": .array(faults.map(\.json))])
    }

    @discardableResult
    public func add(_ faults: [Fault]) throws -> State { try command(["faults": .array(faults.map(\.json))]) }

    public func state() throws -> State { try command(["state": true]) }

    /// A manifest of somebody else.
    public func seed(labels: [String: String], text: String) throws {
        let members = labels.map { JSONObject.Member(key: $0.key, value: .string($0.value)) }
        try command(["seed": ["labels": .object(JSONObject(members)), "json": .string(text)]])
    }

    /// Every published content counts as deleted, as maintenance leaves it.
    public func markDeleted() throws { try command(["mark-deleted": true]) }

    /// Every published content has other bytes.
    public func damage() throws { try command(["damage": true]) }

    @discardableResult
    private func command(_ json: JSONValue) throws -> State {
        try control.withLock { connection in
            try connection.write(GoJSON.text(json) + "\n")
            var answer: [UInt8] = []
            while answer.last != 0x0a {
                let bytes = try connection.read()
                guard !bytes.isEmpty else {
                    throw TestSupportError("the double has ended: \(service.log.suffix(2000))")
                }
                answer += bytes
            }
            return State(try JSONParser.parse(answer))
        }
    }
}
