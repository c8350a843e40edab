import Synchronization

/// Every secret value an action has seen, so that none of them is shown: the masker of one run.
///
/// Concurrency: safe to share; the values only grow.
public final class KnownSecrets: Sendable {
    private let masker = Mutex(SecretMasker())
    private let publicNames: Set<String>

    /// - Parameter publicNames: names of objects and namespaces. A Secret's value that equals one of them is not masked
    ///   unless its key speaks of a secret: the user name `app1` says nothing that the namespace `app1` does not.
    public init(publicNames: Set<String> = []) { self.publicNames = publicNames }

    /// Takes note of a Secret's data.
    public func add(_ secret: KubernetesObject) {
        let data = secret.secretData
        guard !data.isEmpty else { return }
        masker.withLock { masker in
            for (key, value) in data {
                let isPublic = publicNames.contains(String(decoding: value, as: UTF8.self))
                if isPublic, !Self.speaksOfSecret(key) { continue }
                masker.add(value, label: "\(secret.namespace)/\(secret.name) \(key)")
            }
        }
    }

    /// Takes note of an option, when its name says that it is a secret: `password`, `dbPassword`, `apiToken`.
    public func add(option name: String, _ value: String) {
        let lower = name.lowercased()
        let endings = [
            "password", "passwd", "passphrase", "pwd", "token", "secret", "credential", "credentials", "accesskey",
            "secretkey", "apikey", "privatekey",
        ]
        guard endings.contains(where: { lower.hasSuffix($0) }), !publicNames.contains(value) else { return }
        masker.withLock { $0.add(value, label: "option \(name)") }
    }

    public var current: SecretMasker { masker.withLock { $0 } }

    public func mask(_ text: String) -> String { current.mask(text) }

    private static func speaksOfSecret(_ key: String) -> Bool {
        let lower = key.lowercased()
        return ["pass", "pwd", "secret", "token", "key", "cred", "auth"].contains { word in
            lower.indices.contains { lower[$0...].hasPrefix(word) }
        }
    }
}

/// A cluster that remembers the data of every Secret it hands out.
public struct SecretRecordingCluster: Cluster {
    private let base: any Cluster
    public let secrets: KnownSecrets

    public init(_ base: any Cluster, secrets: KnownSecrets) {
        self.base = base
        self.secrets = secrets
    }

    public func object(kind: String, namespace: String, name: String) async throws -> KubernetesObject? {
        let object = try await base.object(kind: kind, namespace: namespace, name: name)
        if let object { secrets.add(object) }
        return object
    }

    public func objects(kind: String, namespace: String?) async throws -> [KubernetesObject] {
        let objects = try await base.objects(kind: kind, namespace: namespace)
        for object in objects { secrets.add(object) }
        return objects
    }

    public var changesByItself: Bool { base.changesByItself }

    public func put(_ object: KubernetesObject) async throws {
        secrets.add(object)
        try await base.put(object)
    }

    public func remove(kind: String, namespace: String, name: String) async throws {
        try await base.remove(kind: kind, namespace: namespace, name: name)
    }
}
