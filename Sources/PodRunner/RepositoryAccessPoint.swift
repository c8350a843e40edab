import KopiaRepository
import PostgresDump
import RunnerContract

/// Which repository, as whom, with which password.
struct RepositoryAccessPoint: Sendable {
    let location: RepositoryLocation
    let password: RepositoryPassword
    let identity: RepositoryIdentity

    /// Stable, so that snapshots of different pods have one source. kopia would take the pod's name.
    static let defaultIdentity = RepositoryIdentity(userName: "pod-runner", host: "karaffe")

    /// - Throws: `PodRunnerError` with exit code 3.
    init(profile: Profile, identity: RepositoryIdentity?) throws {
        switch profile.type {
        case "filesystem": break
        case "":
            throw PodRunnerError(
                .input, "the profile has no location type", hint: "give the profile as {{ toJson .Profile }} renders it"
            )
        case "kopia", "s3Compliant", "azure", "gcs":
            throw PodRunnerError(
                .input, "profiles of location type \(profile.type) are not in this version",
                hint: "use a profile of type filesystem, or --repository file:///its/folder")
        default:
            throw PodRunnerError(
                .input, "the profile has the unknown location type \"\(profile.type)\"",
                hint: "known: filesystem")
        }
        guard !profile.bucket.isEmpty else {
            throw PodRunnerError(
                .input, "the profile of type filesystem has no bucket, which is the repository's folder")
        }
        guard let password = profile.password else {
            throw PodRunnerError(
                .input, "the profile has no Credential.KopiaServerSecret.Password, which is the repository's password")
        }
        let path = profile.prefix.isEmpty ? profile.bucket : "\(profile.bucket)/\(profile.prefix)"
        location = .filesystem(path: path)
        self.password = RepositoryPassword(password.revealed)
        self.identity =
            identity
            ?? RepositoryIdentity(
                userName: profile.userName ?? Self.defaultIdentity.userName,
                host: profile.host ?? Self.defaultIdentity.host)
    }

    init(location: RepositoryLocation, password: Secret, identity: RepositoryIdentity?) {
        self.location = location
        self.password = RepositoryPassword(password.revealed)
        self.identity = identity ?? Self.defaultIdentity
    }

    /// Opens the repository for the time of `body`.
    func open<Result>(_ access: RepositoryAccess, _ body: (Repository) async throws -> Result) async throws -> Result {
        try await Repository.with(at: location, password: password, access: access, identity: identity, body)
    }
}
