internal import HTTPTransport
internal import KopiaBlob

/// What an error answer of S3 means.
///
/// Source: Amazon S3 API Reference, "Error responses", list of error codes.
enum S3Failure {
    static func failure(
        _ response: HTTPResponse, _ subject: CloudService.Subject, _ configuration: S3Configuration
    ) -> CloudService.Failure {
        let document = try? XMLReader.parse(response.body)
        let code = document?.value("Code") ?? ""
        let text = document?.value("Message") ?? ""
        var reason = "status \(response.status)"
        if !code.isEmpty { reason = "\(code) (\(reason))" }
        if !text.isEmpty { reason += ": \(text)" }
        let meaning = meaning(response, code, configuration)
        let message = "could not \(subject.action): \(reason)"
        return CloudService.Failure(
            error: BlobError(
                meaning.code, blob: subject.blob, message, hint: meaning.hint, isTransient: meaning.isTransient),
            retryAfter: CloudService.retryAfter(response))
    }

    private struct Meaning {
        var code: BlobError.Code
        var hint: String?
        var isTransient = false
    }

    private static func meaning(
        _ response: HTTPResponse, _ code: String, _ configuration: S3Configuration
    ) -> Meaning {
        switch code {
        case "NoSuchBucket":
            return Meaning(
                code: .invalidStorage,
                hint:
                    "create the bucket '\(configuration.bucket)' first, or check its name, the endpoint and the region")
        case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidSecurity":
            return Meaning(code: .accessDenied, hint: "check the access key, the secret key and the session token")
        case "RequestTimeTooSkewed":
            return Meaning(code: .accessDenied, hint: "set this machine's clock")
        case "AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException":
            let region = response.headers["x-amz-bucket-region"]
            return Meaning(
                code: .invalidStorage,
                hint: region.map { "the bucket is in region '\($0)'; this is '\(configuration.region)'" }
                    ?? "check the region; this is '\(configuration.region)'")
        case "QuotaExceeded", "XMinioStorageFull", "EntityTooLarge":
            return Meaning(code: .noSpace, hint: "raise the quota of the bucket or free space there")
        case "RequestTimeout", "OperationAborted", "SlowDown", "InternalError", "ServiceUnavailable", "BadDigest",
            "IncompleteBody":
            return Meaning(code: .io, isTransient: true)
        case "InvalidRequest", "ObjectLockConfigurationNotFoundError", "InvalidBucketState":
            return Meaning(
                code: .unsupported,
                hint: "if this is about retention: the bucket must have been created with object lock")
        case "NotImplemented": return Meaning(code: .unsupported)
        default: break
        }
        switch response.status {
        case 401, 403:
            return Meaning(
                code: .accessDenied,
                hint: "check the credentials, and that they may read, write, list and delete in this bucket")
        case 301, 307, 308:
            return Meaning(code: .invalidStorage, hint: "check the endpoint and the region '\(configuration.region)'")
        case 501: return Meaning(code: .unsupported)
        case 507: return Meaning(code: .noSpace, hint: "free space on the storage server")
        default: return Meaning(code: .io, isTransient: RetryPolicy.isTransient(status: response.status))
        }
    }
}
