import KopiaCloud
import PostgresDump
import RunnerContract
import Secrets

/// A bucket or container of plain objects with a prefix, and what opens it.
struct ObjectPlace: Sendable {
    let store: any ObjectStore
    let prefix: String

    /// Nothing is sent yet.
    ///
    /// - Parameter environment: for identities that the pod has: token files, regions, CA file.
    /// - Throws: `PodRunnerError` with exit code 3.
    init(
        profile: Profile, environment: [String: String], cloud: CloudEnvironment = .system, silenceMax: Duration? = nil
    ) throws {
        guard !profile.bucket.isEmpty else {
            throw PodRunnerError(.input, "the profile of type \(profile.type) names no bucket")
        }
        prefix = profile.prefix
        do throws(BlobError) {
            var connection = try CloudConnection(environment: environment)
            if let silenceMax { connection.silenceMax = silenceMax }
            if profile.skipsTLSVerification { connection.trustAnyCertificate() }
            switch profile.type {
            case "s3Compliant":
                let region = profile.region.isEmpty ? environment["AWS_REGION"] : profile.region
                let configuration = try S3Configuration(
                    bucket: profile.bucket, endpoint: profile.endpoint, region: region, connection: connection)
                store = try S3ObjectStore(
                    configuration, source: try Self.amazon(profile, configuration.region, environment),
                    environment: cloud)
            case "gcs":
                let configuration = try S3Configuration(
                    bucket: profile.bucket,
                    endpoint: profile.endpoint.isEmpty ? "storage.googleapis.com" : profile.endpoint, region: "auto",
                    connection: connection)
                store = try S3ObjectStore(configuration, source: try Self.google(profile), environment: cloud)
            default:
                let (account, domain, credentials) = try Self.azure(profile, environment)
                let configuration = try AzureConfiguration(
                    account: account, container: profile.bucket, endpoint: profile.endpoint, domain: domain,
                    connection: connection)
                store = try AzureObjectStore(configuration, credentials: credentials, environment: cloud)
            }
        } catch {
            throw PodRunnerError(.input, error.message, hint: error.hint)
        }
    }

    private static func missing(_ profile: Profile, _ what: String) -> BlobError {
        BlobError(
            .accessDenied, "the profile of type \(profile.type) has no credentials",
            hint: "give \(what), as {{ toJson .Profile }} renders them")
    }

    private static func amazon(
        _ profile: Profile, _ region: String, _ environment: [String: String]
    ) throws(BlobError) -> S3CredentialSource {
        if let pair = profile.keyPair {
            let token = environment["AWS_SESSION_TOKEN"].flatMap { $0.isEmpty ? nil : Secret($0) }
            // Keys of the profile go with the environment's token only where that is theirs.
            let isTheirs = environment["AWS_ACCESS_KEY_ID"] == pair.id
            return .fixed(
                S3Credentials(
                    accessKeyID: pair.id, secretAccessKey: pair.secret,
                    sessionToken: isTheirs ? token : nil
                ))
        }
        guard let secret = profile.secret else {
            // Without any in the profile: the pod's own identity.
            guard profile.credentialType.isEmpty else {
                throw missing(profile, "Credential.KeyPair or Credential.Secret")
            }
            return try .from(environment: environment, region: region)
        }
        guard secret.kind == .aws, let id = secret["aws_access_key_id"], let key = secret["aws_secret_access_key"]
        else {
            throw missing(profile, "a Secret of type \(TypedSecret.Kind.aws.rawValue)")
        }
        let keys = S3Credentials(
            accessKeyID: id, secretAccessKey: .init(key), sessionToken: secret["aws_session_token"].map { .init($0) })
        guard let role = secret["role"] else { return .fixed(keys) }
        return .assuming(role: role, with: keys, region: region, endpoint: environment["AWS_ENDPOINT_URL_STS"])
    }

    /// A service account's key file; or an HMAC key, for which Google speaks S3's signatures.
    private static func google(_ profile: Profile) throws(BlobError) -> S3CredentialSource {
        if let pair = profile.keyPair {
            if pair.secret.revealed.trimmingSpace.hasPrefix("{") {
                return try .googleServiceAccount(key: pair.secret)
            }
            return .fixed(S3Credentials(accessKeyID: pair.id, secretAccessKey: pair.secret))
        }
        guard let secret = profile.secret, secret.kind == .gcp, let key = secret["service-account.json"] else {
            throw missing(profile, "Credential.KeyPair with the project and the service account's JSON")
        }
        return try .googleServiceAccount(key: .init(key))
    }

    private static func azure(
        _ profile: Profile, _ environment: [String: String]
    ) throws(BlobError) -> (account: String, domain: String, AzureCredentials) {
        if let pair = profile.keyPair { return (pair.id, domain(nil), try .sharedKey(pair.secret)) }
        guard let secret = profile.secret, secret.kind == .azure, let account = secret["azure_storage_account_id"]
        else {
            throw missing(profile, "Credential.KeyPair or a Secret of type \(TypedSecret.Kind.azure.rawValue)")
        }
        let domain = domain(secret["azure_storage_environment"])
        if let key = secret["azure_storage_key"], !secret.isFederated {
            return (account, domain, try .sharedKey(.init(key)))
        }
        guard let credentials = try AzureCredentials.federated(environment: environment) else {
            throw BlobError(
                .accessDenied, "the profile asks for a federated identity, and this pod has none",
                hint:
                    "AZURE_SAS_TOKEN_FILE, or AZURE_FEDERATED_TOKEN_FILE with AZURE_TENANT_ID and AZURE_CLIENT_ID, must be set"
            )
        }
        return (account, domain, credentials)
    }

    /// Of another Azure cloud. Source: Azure's go-autorest, `environments.go`.
    private static func domain(_ environment: String?) -> String {
        switch environment?.lowercased() {
        case "azurechinacloud": "core.chinacloudapi.cn"
        case "azureusgovernmentcloud", "azureusgovernment": "core.usgovcloudapi.net"
        case "azuregermancloud": "core.cloudapi.de"
        default: "core.windows.net"
        }
    }
}
