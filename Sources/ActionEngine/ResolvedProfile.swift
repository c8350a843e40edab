public import Blueprints
import GoFormats
public import GoTemplate

/// A Profile with its credentials fetched: what `.Profile` is and what `{{ toJson .Profile }}` hands to kando.
///
/// Secrets do not show in `description`.
///
/// Source: Kanister `pkg/param/param.go` `fetchProfile`, `pkg/param/types.go`; `kopia` and `filesystem` locations.
public struct ResolvedProfile: Sendable, CustomStringConvertible {
    public let name: String
    public let namespace: String
    public let locationType: String
    /// The Go value `.Profile` points to.
    public let value: GoValue

    public var description: String { "Profile \(namespace)/\(name) (\(locationType))" }

    /// Fetches what the profile refers to. The profile itself was checked when it was read.
    ///
    /// - Parameter file: the profile's file; a `filesystem` location's folder is relative to it.
    /// - Throws: `ClusterError` when a Secret, or a key of one, is not there; what the cluster throws.
    public static func resolve(
        _ profile: Profile, file: String?, in cluster: any Cluster
    ) async throws -> ResolvedProfile {
        var location: [String: GoValue] = [
            "Type": .string(profile.location.type.text, type: "v1alpha1.LocationType"),
            "Bucket": .string(profile.location.bucket.text), "Endpoint": .string(profile.location.endpoint.text),
            "Prefix": .string(profile.location.prefix.text), "Region": .string(profile.location.region.text),
        ]
        if profile.location.kind == .filesystem {
            location["Bucket"] = .string(folder(profile.location.bucket.text, relativeTo: file))
        }
        let resolver = CredentialResolver(profile: profile, cluster: cluster)
        let value = GoValue.structure(
            GoTypes.profile,
            [
                "Location": .structure(GoTypes.location, location), "Credential": try await resolver.credential(),
                "SkipSSLVerify": .bool(profile.skipSSLVerify),
            ])
        return ResolvedProfile(
            name: profile.name.text, namespace: profile.namespace.text, locationType: profile.location.type.text,
            value: value)
    }

    /// Relative folders start from the manifest's folder, so that an example can be moved as a whole.
    static func folder(_ path: String, relativeTo file: String?) -> String {
        // An address of storage (s3://…) stays what it is.
        guard !path.hasPrefix("/"), !path.contains("://"), let file, let slash = file.lastIndex(of: "/") else {
            return path
        }
        var parts: [Substring] = []
        let isAbsolute = file.hasPrefix("/")
        for part in (file[..<slash] + "/" + path).split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != ".." {
                parts.removeLast()
            } else if part != ".." || !isAbsolute {
                parts.append(part)
            }
        }
        return (isAbsolute ? "/" : "") + parts.joined(separator: "/")
    }
}

/// Reads the Secrets a Profile's credential names.
private struct CredentialResolver {
    let profile: Profile
    let cluster: any Cluster

    func credential() async throws -> GoValue {
        let credential = profile.credential
        var values: [String: GoValue] = ["Type": .string(credential.type.text, type: "param.CredentialType")]
        switch credential.kind {
        case .keyPair?:
            if let pair = credential.keyPair { values["KeyPair"] = .pointer(try await keyPair(pair)) }
        case .secret?:
            if let reference = credential.secret {
                let secret = try await self.secret(reference)
                try TypedSecret.check(secret)
                values["Secret"] = .pointer(TemplateParams.value(of: secret, as: GoTypes.secret))
            }
        case .kopia?:
            if let kopia = credential.kopiaServerSecret {
                values["KopiaServerSecret"] = .pointer(try await kopiaServerSecret(kopia))
            }
        case nil: break
        }
        return .structure(GoTypes.credential, values)
    }

    private func keyPair(_ pair: Profile.KeyPair) async throws -> GoValue {
        let secret = try await self.secret(pair.secret)
        return .structure(
            GoTypes.keyPair,
            [
                "ID": .string(try text(pair.idField.text, of: secret, word: "Key")),
                "Secret": .string(try text(pair.secretField.text, of: secret, word: "Value")),
            ])
    }

    private func kopiaServerSecret(_ kopia: Profile.KopiaServerSecret) async throws -> GoValue {
        var values: [String: GoValue] = [
            "Username": .string(kopia.username.text), "Hostname": .string(kopia.hostname.text),
        ]
        if let passphrase = kopia.userPassphrase {
            let secret = try await self.secret(passphrase.secret)
            values["Password"] = .string(try text(passphrase.key.text, of: secret, word: "Key"))
        }
        if let certificate = kopia.tlsCert {
            let secret = try await self.secret(certificate.secret)
            values["Cert"] = .string(try text(certificate.key.text, of: secret, word: "Key"))
        }
        if !kopia.connectOptions.isEmpty {
            var options: [String: GoValue] = [:]
            for option in kopia.connectOptions { options[option.name.text] = .int(Int(option.value)) }
            values["ConnectOptions"] = .map(of: .int, options)
        }
        return .structure(GoTypes.kopiaServerCredentials, values)
    }

    private func secret(_ reference: ObjectReference) async throws -> KubernetesObject {
        let namespace = reference.namespace.isEmpty ? profile.namespace.text : reference.namespace.text
        let name = reference.name.text
        guard let secret = try await cluster.object(kind: "Secret", namespace: namespace, name: name) else {
            throw ClusterError(
                "secrets \"\(name)\" not found in namespace '\(namespace)', wanted by Profile \(profile.name.text)",
                hint: "add a manifest of Secret \(namespace)/\(name) to the cluster folder")
        }
        return secret
    }

    private func text(_ key: String, of secret: KubernetesObject, word: String) throws(ClusterError) -> String {
        let data = secret.secretData
        guard let value = data.first(where: { $0.key == key })?.value else {
            throw ClusterError(
                "\(word) '\(key)' not found in secret '\(secret.namespace):\(secret.name)'",
                hint: "keys there: \(data.map(\.key).sorted().joined(separator: ", "))")
        }
        return String(decoding: value, as: UTF8.self)
    }
}

/// Secrets that Kanister checks by their type.
///
/// Source: Kanister `pkg/secrets`.
enum TypedSecret {
    private static let fields: [String: (required: [String], optional: [String])] = [
        "secrets.kanister.io/aws": (["aws_access_key_id", "aws_secret_access_key"], ["role"]),
        "secrets.kanister.io/azure": (
            ["azure_storage_account_id", "azure_storage_key"],
            ["azure_storage_environment", "azure_federated_identity"]
        ),
        "secrets.kanister.io/gcp": (["gcp_project_id", "service-account.json"], []),
        "secrets.kanister.io/filestore": ([], []),
    ]

    /// - Throws: `ClusterError` for an unknown type, a missing or an unknown field.
    static func check(_ secret: KubernetesObject) throws(ClusterError) {
        guard let (required, optional) = fields[secret.type] else {
            throw ClusterError(
                "\(secret.display) has type '\(secret.type)', which is none Kanister knows",
                hint: "types: \(fields.keys.sorted().joined(separator: ", "))")
        }
        let keys = secret.secretData.map(\.key)
        let isFederated = keys.contains("azure_federated_identity")
        for key in required where !keys.contains(key) && !isFederated {
            throw ClusterError("Secret '\(secret.namespace):\(secret.name)' doesn't have required field '\(key)'")
        }
        for key in keys where !required.contains(key) && !optional.contains(key) {
            throw ClusterError(
                "Secret has an unknown field: '\(key)' in \(secret.display)",
                hint: "fields: \((required + optional).joined(separator: ", "))")
        }
    }
}
