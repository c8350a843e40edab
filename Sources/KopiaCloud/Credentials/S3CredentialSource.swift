internal import GoFormats
public import KopiaBlob
public import Secrets

/// Where the credentials for an S3 request come from. What expires is renewed before it does.
public struct S3CredentialSource: Sendable {
    private enum Kind: Sendable {
        case fixed(S3Credentials)
        case role(AssumedRole)
        case google(GoogleServiceAccount)
    }
    private let kind: Kind

    public static func fixed(_ credentials: S3Credentials) -> S3CredentialSource {
        S3CredentialSource(kind: .fixed(credentials))
    }

    /// Keys that may only assume a role.
    ///
    /// - Parameter endpoint: of STS; nil for AWS's of the region.
    public static func assuming(
        role: String, with keys: S3Credentials, region: String, endpoint: String? = nil
    ) -> S3CredentialSource {
        S3CredentialSource(kind: .role(AssumedRole(role: role, proof: .keys(keys), region: region, endpoint: endpoint)))
    }

    /// A Google service account, for Cloud Storage's XML API: requests carry an OAuth token instead of a signature.
    ///
    /// - Parameter key: the account's key file, JSON.
    /// - Throws: `BlobError.Code.accessDenied` when it is not one.
    public static func googleServiceAccount(key: Secret) throws(BlobError) -> S3CredentialSource {
        S3CredentialSource(kind: .google(try GoogleServiceAccount(json: key)))
    }

    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`; without them `AWS_WEB_IDENTITY_TOKEN_FILE` and
    /// `AWS_ROLE_ARN` (`AWS_ROLE_SESSION_NAME`, `AWS_ENDPOINT_URL_STS`).
    ///
    /// - Throws: `BlobError.Code.accessDenied` when there are neither.
    public static func from(environment: [String: String], region: String) throws(BlobError) -> S3CredentialSource {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if variable("AWS_ACCESS_KEY_ID") == nil, let path = variable("AWS_WEB_IDENTITY_TOKEN_FILE"),
            let role = variable("AWS_ROLE_ARN")
        {
            return S3CredentialSource(
                kind: .role(
                    AssumedRole(
                        role: role, proof: .tokenFile(path: path),
                        sessionName: variable("AWS_ROLE_SESSION_NAME") ?? "karaffe", region: region,
                        endpoint: variable("AWS_ENDPOINT_URL_STS"))))
        }
        return .fixed(try S3Credentials(environment: environment))
    }

    enum Authorization: Sendable {
        /// Signs each request.
        case keys(Refreshing<S3Credentials>)
        /// Sends a token.
        case bearer(Refreshing<Secret>)
    }

    func authorization(_ environment: CloudEnvironment) throws(BlobError) -> Authorization {
        switch kind {
        case .fixed(let credentials):
            return .keys(Refreshing(clock: environment.clock) { Expiring(value: credentials, until: nil) })
        case .role(let role): return .keys(try role.credentials(environment))
        case .google(let account): return .bearer(try account.tokens(environment))
        }
    }
}
