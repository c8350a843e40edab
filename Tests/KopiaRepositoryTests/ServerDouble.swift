import HTTPTransport
import KopiaServer
import TestSupport

@testable import KopiaRepository

/// Repositories behind the double of a kopia server.
enum ServerDouble {
    static let identity = RepositoryIdentity(userName: "runner", host: "client")

    /// Attempts follow each other at once. Silence counts for nothing on a machine that is busy: a server has time, and is
    /// often asked whether it is there.
    static var options: ServerOptions {
        var options = ServerOptions()
        options.session.silenceTimeout = .seconds(60)
        options.session.requestTimeout = .seconds(60)
        options.session.probeInterval = .milliseconds(50)
        options.connecting = RetryPolicy(attemptsMax: 4, firstDelay: .milliseconds(1), delayMax: .milliseconds(1))
        options.reconnecting = RetryPolicy(attemptsMax: 6, firstDelay: .milliseconds(1), delayMax: .milliseconds(1))
        options.closeTimeout = .seconds(2)
        return options
    }

    /// An answer that never comes is only told by the time, and so is an end without a status before there is a session: what
    /// takes minutes takes a moment. A server that is only slow costs an attempt.
    static func options(for fault: KopiaServerDouble.Fault?) -> ServerOptions {
        var options = options
        guard let fault, fault.action == "lost" || fault.action == "nostatus" && fault.number == 0 else {
            return options
        }
        options.session.silenceTimeout = .milliseconds(600)
        options.session.requestTimeout = .milliseconds(800)
        return options
    }

    static func with<Result>(
        _ double: KopiaServerDouble, _ options: ServerOptions = options, password: String = "client-password",
        _ body: (Repository) async throws -> Result
    ) async throws -> Result {
        let address = try ServerAddress(endpoint: double.endpoint, certificate: double.certificate)
        let location = try RepositoryLocation.server(endpoint: double.endpoint, certificate: double.certificate)
        let credentials = try ServerCredentials(
            userName: identity.userName, host: identity.host, password: password)
        return try await ServerRepository.with(address, credentials, options) { server in
            try await body(
                Repository(
                    contents: server.contents, manifests: server.manifests,
                    status: RepositoryStatus(server, location: location, access: .readWrite, identity: identity),
                    identity: identity, access: .readWrite, parallelism: 2))
        }
    }
}
