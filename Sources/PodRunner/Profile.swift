import GoFormats
import PostgresDump
import RunnerContract
import Secrets

/// What `{{ toJson .Profile }}` yields, as far as pod-runner uses it. Prints without secrets.
///
/// Names are matched without regard to case and unknown ones ignored, as Go does.
///
/// Source: Kanister `pkg/param/param.go`, `Profile`; `pkg/apis/cr/v1alpha1/types.go`, `Location`.
struct Profile: Sendable, Hashable, CustomStringConvertible {
    let type: String
    let bucket: String
    let endpoint: String
    let prefix: String
    let region: String
    let skipsTLSVerification: Bool
    let credentialType: String
    let keyPair: KeyPair?
    /// Of `Credential.Secret`.
    let secret: TypedSecret?
    /// Of `Credential.KopiaServerSecret`.
    let userName: String?
    let host: String?
    let password: Secret?
    /// The server's, as PEM.
    let certificate: String?

    /// `Credential.KeyPair`: what ID and secret are depends on the type.
    struct KeyPair: Sendable, Hashable {
        let id: String
        let secret: Secret
    }

    /// Plain objects, no repository.
    var holdsObjects: Bool { ["s3Compliant", "azure", "gcs"].contains(type) }

    /// - Throws: `PodRunnerError` with exit code 3. The message has no part of the text.
    init(parsing text: String) throws {
        let value: JSONValue
        do {
            value = try JSONParser.parse(text)
        } catch {
            throw PodRunnerError(
                .input, "failed to unmarshal profile: it is not JSON (\(error))",
                hint: "--profile takes JSON, @FILE or env:NAME")
        }
        let location = value.objectValue?.caseInsensitive("Location")?.objectValue
        let credential = value.objectValue?.caseInsensitive("Credential")?.objectValue
        let server = credential?.caseInsensitive("KopiaServerSecret")?.objectValue
        func string(_ object: JSONObject?, _ key: String) -> String? {
            object?.caseInsensitive(key)?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
        }
        type = string(location, "type") ?? ""
        bucket = string(location, "bucket") ?? ""
        endpoint = string(location, "endpoint") ?? ""
        prefix = string(location, "prefix") ?? ""
        region = string(location, "region") ?? ""
        skipsTLSVerification = value.objectValue?.caseInsensitive("SkipSSLVerify") == .bool(true)
        credentialType = string(credential, "Type") ?? ""
        let pair = credential?.caseInsensitive("KeyPair")?.objectValue
        keyPair = pair.flatMap { pair in
            guard let id = string(pair, "ID"), let secret = string(pair, "Secret") else { return nil }
            return KeyPair(id: id, secret: Secret(secret))
        }
        secret = try credential?.caseInsensitive("Secret")?.objectValue.map { try TypedSecret($0) }
        userName = string(server, "Username")
        host = string(server, "Hostname")
        password = string(server, "Password").map { Secret($0) }
        certificate = string(server, "Cert")
    }

    var description: String { "profile of type \(type.isEmpty ? "(none)" : type), bucket \(bucket)" }
}
