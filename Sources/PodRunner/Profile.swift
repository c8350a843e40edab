import GoFormats
import PostgresDump
import RunnerContract

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
    /// Of `Credential.KopiaServerSecret`.
    let userName: String?
    let host: String?
    let password: Secret?
    /// The server's, as PEM.
    let certificate: String?

    /// - Throws: `PodRunnerError` with exit code 3. The message has no part of the text.
    init(parsing text: String) throws {
        let value: JSONValue
        do {
            value = try JSONParser.parse(text)
        } catch {
            throw PodRunnerError(
                .input, "the profile is not JSON (\(error))", hint: "--profile takes JSON, @FILE or env:NAME")
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
        userName = string(server, "Username")
        host = string(server, "Hostname")
        password = string(server, "Password").map { Secret($0) }
        certificate = string(server, "Cert")
    }

    var description: String { "profile of type \(type.isEmpty ? "(none)" : type), bucket \(bucket)" }
}
