import GoFormats
import KopiaRepository
import TestSupport

/// A real `kopia server start` over a repository in a folder, with the users `runner@client` and `other@client`, password
/// `client-password`. Ends with the last reference.
actor RealServer {
    static let repositoryPassword = "repository-password"
    static let userPassword = "client-password"
    static let identity = RepositoryIdentity(userName: "runner", host: "client")

    let folder: String
    let port: Int
    /// Working on the repository itself, as the server's operator does.
    let operatorKopia: Kopia
    private var service: Service?
    private(set) var certificate = ""

    private init(folder: String, port: Int, operatorKopia: Kopia) {
        self.folder = folder
        self.port = port
        self.operatorKopia = operatorKopia
    }

    static func start(in folder: String) async throws -> RealServer {
        let kopia = try await Kopia.connect(
            to: "\(folder)/repository", in: folder, password: repositoryPassword, user: "server", host: "host",
            creating: [])
        for user in ["runner", "other"] {
            try await kopia.run(["server", "users", "add", "\(user)@client", "--user-password=\(userPassword)"])
        }
        let server = RealServer(folder: folder, port: try unusedPort(), operatorKopia: kopia)
        try await server.start(isFirst: true)
        return server
    }

    private func start(isFirst: Bool) throws {
        guard let executable = Kopia.executable else { throw TestSupportError("set KOPIA_EXE to a kopia program") }
        let log = "\(folder)/server.log"
        let service = try Service(
            executable,
            [
                "--config-file=\(folder)/repository.config", "--log-dir=\(folder)/logs", "server", "start",
                "--address=https://127.0.0.1:\(port)", "--tls-cert-file=\(folder)/server.crt",
                "--tls-key-file=\(folder)/server.key", "--server-control-password=control", "--no-ui",
            ] + (isFirst ? ["--tls-generate-cert", "--tls-generate-rsa-key-size=2048"] : []),
            environment: [
                "KOPIA_PASSWORD": Self.repositoryPassword, "KOPIA_CHECK_FOR_UPDATES": "false", "HOME": folder,
            ], logPath: log)
        try service.waitUntilReady(seconds: 60) { service.log.contains("SERVER ADDRESS") }
        self.service = service
        certificate = String(decoding: try Files.read("\(folder)/server.crt"), as: UTF8.self)
    }

    /// Killed, not asked to stop.
    func kill() { service = nil }

    func restart() throws {
        service = nil
        try start(isFirst: false)
    }

    var endpoint: String { "https://127.0.0.1:\(port)" }

    func location() throws -> RepositoryLocation { try .server(endpoint: endpoint, certificate: certificate) }

    func open<Result: Sendable>(
        _ identity: RepositoryIdentity = RealServer.identity, password: String = RealServer.userPassword,
        _ body: sending (Repository) async throws -> Result
    ) async throws -> Result {
        try await Repository.with(
            at: try location(), password: RepositoryPassword(password), access: .readWrite, identity: identity, body)
    }

    /// kopia's own client of this server.
    func client(_ user: String = "runner") async throws -> Kopia {
        let place = "\(folder)/\(user)"
        try Files.makeFolder(place)
        let kopia = Kopia(folder: place, password: Self.userPassword)
        let digest = try Program.run(
            "sh", ["-c", "openssl x509 -in '\(folder)/server.crt' -outform DER | sha256sum | cut -d' ' -f1"])
        let fingerprint = digest.output.filter { !$0.isWhitespace }
        try await kopia.run([
            "repository", "connect", "server", "--url=\(endpoint)", "--server-cert-fingerprint=\(fingerprint)",
            "--override-username=\(user)", "--override-hostname=client", "--cache-directory=\(place)/cache",
            "--no-check-for-updates",
        ])
        return kopia
    }
}
