import GoFormats
import KopiaRepository
import PostgresDump
import RunnerContract
import Secrets

/// Which repository, as whom, with which password.
struct RepositoryAccessPoint: Sendable {
    private(set) var location: RepositoryLocation
    let password: RepositoryPassword
    let identity: RepositoryIdentity
    /// Tells people what keeps them waiting; nil for silence.
    private(set) var waiting: WaitingReport?

    /// Stable, so that snapshots of different pods have one source. kopia would take the pod's name.
    static let defaultIdentity = RepositoryIdentity(userName: "pod-runner", host: "karaffe")

    /// - Throws: `PodRunnerError` with exit code 3.
    init(profile: Profile, identity: RepositoryIdentity?, environment: [String: String] = [:]) throws {
        switch profile.type {
        case "filesystem": break
        case "kopia":
            try self.init(server: profile, identity: identity, environment: environment)
            return
        case "":
            throw PodRunnerError(
                .input, "Unsupported Location type: the profile has none",
                hint: "give the profile as {{ toJson .Profile }} renders it")
        case "s3Compliant", "azure", "gcs":
            throw PodRunnerError(
                .input, "a profile of location type \(profile.type) names plain objects, and this needs a repository",
                hint:
                    "use --repository s3://bucket/prefix or azblob://container/prefix, or a profile of type kopia or filesystem"
            )
        default:
            throw PodRunnerError(
                .input, "Unsupported Location type: \(profile.type)",
                hint: "known: kopia, s3Compliant, azure, gcs, filesystem")
        }
        guard !profile.bucket.isEmpty else {
            throw PodRunnerError(
                .input, "the profile of type filesystem has no bucket, which is the repository's folder")
        }
        guard let password = profile.password else {
            throw PodRunnerError(
                .input, "the profile has no Credential.KopiaServerSecret.Password, which is the repository's password")
        }
        let place = profile.prefix.isEmpty ? profile.bucket : "\(profile.bucket)/\(profile.prefix)"
        // A local run may keep its repository where --repository could: the bucket is then an address.
        let location =
            profile.bucket.contains("://")
            ? try RepositoryLocation(url: profile.bucket, environment: environment) : .filesystem(path: place)
        self.init(
            location, RepositoryPassword(password.revealed),
            identity
                ?? RepositoryIdentity(
                    userName: profile.userName ?? Self.defaultIdentity.userName,
                    host: profile.host ?? Self.defaultIdentity.host))
    }

    /// A profile of type `kopia`: a repository server. Its `bucket`, `prefix` and `ConnectOptions` (sizes of caches that
    /// pod-runner does not have) say nothing.
    ///
    /// Source: Kanister `pkg/datamover/profile.go`, `pkg/kopia/repository`.
    private init(server profile: Profile, identity: RepositoryIdentity?, environment: [String: String]) throws {
        func missing(_ field: String, _ what: String) -> PodRunnerError {
            PodRunnerError(
                .input, "the profile of type kopia has no \(field), which is \(what)",
                hint: "give the profile as {{ toJson .Profile }} renders it")
        }
        guard !profile.endpoint.isEmpty else { throw missing("Location.endpoint", "the address of the server") }
        guard let userName = profile.userName else {
            throw missing("Credential.KopiaServerSecret.Username", "who asks")
        }
        guard let host = profile.host else { throw missing("Credential.KopiaServerSecret.Hostname", "who asks") }
        guard let password = profile.password else {
            throw missing("Credential.KopiaServerSecret.Password", "the password of the server's user")
        }
        let user = RepositoryIdentity(userName: userName, host: host)
        if let identity, identity != user {
            throw PodRunnerError(
                .input, "--identity is \(identity), but the profile's user is \(user)",
                hint: "a server keeps the snapshots of each user apart: leave --identity out")
        }
        self.init(
            try .server(
                endpoint: profile.endpoint, certificate: profile.certificate, environment: environment),
            RepositoryPassword(password.revealed), user)
    }

    init(location: RepositoryLocation, password: Secret, identity: RepositoryIdentity?) {
        self.init(location, RepositoryPassword(password.revealed), identity ?? Self.defaultIdentity)
    }

    private init(_ location: RepositoryLocation, _ password: RepositoryPassword, _ identity: RepositoryIdentity) {
        self.location = location
        self.password = password
        self.identity = identity
    }

    /// Opens the repository for the time of `body`.
    func open<Result>(_ access: RepositoryAccess, _ body: (Repository) async throws -> Result) async throws -> Result {
        func opened() async throws -> Result {
            try await Repository.with(at: location, password: password, access: access, identity: identity) {
                waiting?.opened()
                return try await body($0)
            }
        }
        guard let waiting else { return try await opened() }
        return try await waiting.during(opened)
    }

    /// Says what keeps one waiting while `body` opens the location itself.
    func reporting<Result>(_ body: () async throws -> Result) async throws -> Result {
        guard let waiting else { return try await body() }
        // How far that is is not known here.
        waiting.opened()
        return try await waiting.during(body)
    }

    /// The same, with patience of the user's measure.
    ///
    /// - Parameter silenceMax: nil for the usual one.
    func waiting(_ silenceMax: Duration?, _ context: RunContext) -> RepositoryAccessPoint {
        let report = WaitingReport("\(location)", context)
        var access = self
        access.waiting = report
        access.location.patience.silenceMax = silenceMax
        access.location.patience.onTrouble = { report.heard($0) }
        access.location.patience.sleep = context.sleep
        return access
    }
}

extension RepositoryAccessPoint {
    /// The same repository as it was then, for reading.
    ///
    /// - Throws: `RepositoryError` where no versions are kept.
    func at(_ time: Timestamp) throws -> RepositoryAccessPoint {
        var access = self
        access.location = try location.at(time)
        return access
    }
}
