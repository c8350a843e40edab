internal import GoFormats
internal import KopiaBlob
import Secrets

/// An application of Microsoft Entra ID and the tokens it gets for storage: by workload identity (a token file that Kubernetes
/// keeps fresh) or by a client secret.
///
/// Source: Microsoft identity platform, "OAuth 2.0 client credentials flow", second and third case; Azure Workload
/// Identity's environment variables.
struct EntraApplication: Sendable, Hashable {
    enum Proof: Sendable, Hashable {
        /// Read again for each token.
        case tokenFile(path: String)
        case clientSecret(Secret)
    }

    let tenant: String
    let client: String
    let authority: String
    let proof: Proof

    static let scope = "https://storage.azure.com/.default"

    /// `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, and `AZURE_FEDERATED_TOKEN_FILE` or `AZURE_CLIENT_SECRET`; `AZURE_AUTHORITY_HOST`.
    /// Nil when there is neither file nor secret.
    ///
    /// - Throws: `BlobError.Code.accessDenied` when tenant or client are missing.
    init?(environment: [String: String]) throws(BlobError) {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let path = variable("AZURE_FEDERATED_TOKEN_FILE") {
            proof = .tokenFile(path: path)
        } else if let secret = variable("AZURE_CLIENT_SECRET") {
            proof = .clientSecret(Secret(secret))
        } else {
            return nil
        }
        guard let tenant = variable("AZURE_TENANT_ID"), let client = variable("AZURE_CLIENT_ID") else {
            throw BlobError(
                .accessDenied, "the Entra credentials for Azure storage are not complete",
                hint: "set AZURE_TENANT_ID and AZURE_CLIENT_ID beside AZURE_FEDERATED_TOKEN_FILE or AZURE_CLIENT_SECRET"
            )
        }
        self.tenant = tenant
        self.client = client
        authority = variable("AZURE_AUTHORITY_HOST") ?? "https://login.microsoftonline.com"
    }

    func tokens(_ environment: CloudEnvironment) throws(BlobError) -> Refreshing<Secret> {
        var base = authority
        while base.hasSuffix("/") { base.removeLast() }
        let service = try TokenService(
            "\(base)/\(tenant)/oauth2/v2.0/token", action: "get a token for the application \(client)",
            hint: "check tenant, client and the federated credential or secret of the application", environment)
        return Refreshing(clock: environment.clock) {
            let now = environment.clock()
            var form = [("client_id", client), ("scope", Self.scope), ("grant_type", "client_credentials")]
            switch proof {
            case .clientSecret(let secret): form.append(("client_secret", secret.revealed))
            case .tokenFile(let path):
                form.append(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"))
                do throws(SmallFile.Failure) { form.append(("client_assertion", try SmallFile.text(path))) } catch {
                    throw service.malformed("the token file \(error.reason)")
                }
            }
            return try service.accessToken(try await service.post(form), now: now)
        }
    }
}
