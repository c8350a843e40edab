import HTTPTransport
import KopiaServer
import TestSupport

@testable import KopiaRepository

/// Repositories behind the double of a kopia server.
enum ServerDouble {
    static let identity = RepositoryIdentity(userName: "runner", host: "client")

    /// Impatient, so that what takes minutes takes a moment.
    static var options: ServerOptions {
        var options = ServerOptions()
        options.session.silenceTimeout = .milliseconds(600)
        options.session.requestTimeout = .milliseconds(800)
        options.connecting = RetryPolicy(attemptsMax: 4, firstDelay: .milliseconds(1), delayMax: .milliseconds(1))
        options.reconnecting = RetryPolicy(attemptsMax: 6, firstDelay: .milliseconds(1), delayMax: .milliseconds(1))
        options.closeTimeout = .seconds(2)
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
