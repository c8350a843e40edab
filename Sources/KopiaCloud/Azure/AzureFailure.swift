internal import HTTPTransport
internal import KopiaBlob

/// What an error answer of Azure Blob Storage means.
///
/// Source: Microsoft, Azure Storage REST reference, "Common REST API error codes", "Blob Storage error codes".
enum AzureFailure {
    /// The service's code: from the header field, which HEAD has too, else from the body.
    static func code(_ response: HTTPResponse) -> String {
        response.headers["x-ms-error-code"] ?? (try? XMLReader.parse(response.body))?.value("Code") ?? ""
    }

    static func failure(
        _ response: HTTPResponse, _ subject: CloudService.Subject, _ configuration: AzureConfiguration,
        hasRetention: Bool = false
    ) -> CloudService.Failure {
        let code = code(response)
        // The first line; the others are a request ID and a time.
        let text = (try? XMLReader.parse(response.body))?.value("Message")?.split(separator: "\n").first ?? ""
        var reason = "status \(response.status)"
        if !code.isEmpty { reason = "\(code) (\(reason))" }
        if !text.isEmpty { reason += ": \(text)" }
        let meaning = meaning(response, code, configuration, hasRetention: hasRetention)
        return CloudService.Failure(
            error: BlobError(
                meaning.code, blob: subject.blob, "could not \(subject.action): \(reason)", hint: meaning.hint,
                isTransient: meaning.isTransient),
            retryAfter: CloudService.retryAfter(response))
    }

    private struct Meaning {
        var code: BlobError.Code
        var hint: String?
        var isTransient = false
    }

    private static func meaning(
        _ response: HTTPResponse, _ code: String, _ configuration: AzureConfiguration, hasRetention: Bool
    ) -> Meaning {
        switch code {
        case "ContainerNotFound":
            return Meaning(
                code: .invalidStorage,
                hint: "create the container '\(configuration.container)' first, or check its name and the account")
        case "AuthenticationFailed":
            return Meaning(
                code: .accessDenied,
                hint: "check the account's key or the shared access signature, and this machine's clock")
        case "BlobImmutableDueToPolicy":
            return Meaning(code: .accessDenied, hint: "the blob is locked; it can be changed when its time is over")
        case "ServerBusy", "InternalError", "OperationTimedOut", "ContainerBeingDeleted", "Md5Mismatch":
            return Meaning(code: .io, isTransient: true)
        default: break
        }
        switch response.status {
        case 401, 403:
            return Meaning(
                code: .accessDenied,
                hint: "check the credentials, and that they may read, write, list and delete in this container")
        case 400 where hasRetention, 409 where hasRetention:
            return Meaning(
                code: .unsupported,
                hint: "retention needs versioning and version-level immutability on the account or the container")
        default: return Meaning(code: .io, isTransient: RetryPolicy.isTransient(status: response.status))
        }
    }
}
