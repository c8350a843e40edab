import Synchronization

/// Where objects are read from: a folder of manifests, later an API server.
///
/// Concurrency: may be called from several tasks.
public protocol Cluster: Sendable {
    /// The object, or nil when there is none.
    ///
    /// - Parameters:
    ///   - kind: singular kind or lower-case plural resource, any case: `Secret`, `secrets`, `pvc`.
    ///   - namespace: empty for objects without one.
    func object(kind: String, namespace: String, name: String) async throws -> KubernetesObject?

    /// Every object of a kind in a namespace; nil means every namespace. In the order of the API server: by namespace,
    /// then name.
    func objects(kind: String, namespace: String?) async throws -> [KubernetesObject]

    /// Whether objects change while this run does not change them: false for a copy, where waiting is of no use.
    var changesByItself: Bool { get }

    /// Creates the object, or replaces the one of that kind, namespace and name.
    ///
    /// - Throws: `ClusterError` when this cluster is for reading only.
    func put(_ object: KubernetesObject) async throws

    /// Removes the object; nothing happens when there is none.
    ///
    /// - Throws: `ClusterError` when this cluster is for reading only.
    func remove(kind: String, namespace: String, name: String) async throws
}

extension Cluster {
    public var changesByItself: Bool { true }
    public func put(_ object: KubernetesObject) async throws { throw Self.readOnly(object.display) }
    public func remove(kind: String, namespace: String, name: String) async throws {
        throw Self.readOnly("\(kind) \(namespace)/\(name)")
    }

    private static func readOnly(_ what: String) -> ClusterError {
        ClusterError("\(what) cannot be changed: the cluster is for reading only")
    }
}

/// A copy of a cluster that the phases of one run change: what KubeOps and ScaleWorkload work on. Nothing is written back.
///
/// Concurrency and memory: safe to share; holds every manifest.
public final class ClusterCopy: Cluster {
    private let current: Mutex<ManifestCluster>

    public init(of cluster: ManifestCluster) { current = Mutex(cluster) }

    public var changesByItself: Bool { false }

    public func object(kind: String, namespace: String, name: String) -> KubernetesObject? {
        current.withLock { $0.object(kind: kind, namespace: namespace, name: name) }
    }

    public func objects(kind: String, namespace: String?) -> [KubernetesObject] {
        current.withLock { $0.objects(kind: kind, namespace: namespace) }
    }

    public func put(_ object: KubernetesObject) throws {
        try current.withLock { cluster in
            cluster.remove(kind: object.kind, namespace: object.namespace, name: object.name)
            try cluster.add(object)
        }
    }

    public func remove(kind: String, namespace: String, name: String) {
        current.withLock { $0.remove(kind: kind, namespace: namespace, name: name) }
    }
}

/// A cluster that is a snapshot of plain manifests: what `--cluster-dir` stands for.
///
/// Concurrency and memory: a plain value holding every manifest.
public struct ManifestCluster: Cluster {
    private var byKind: [String: [KubernetesObject]] = [:]

    /// No object at all.
    public init() {}

    /// - Throws: `ClusterError` when two manifests are the same kind, namespace and name.
    public init(_ objects: [KubernetesObject]) throws(ClusterError) {
        for object in objects { try add(object) }
    }

    /// - Throws: `ClusterError` when an object of that kind, namespace and name is already there.
    public mutating func add(_ object: KubernetesObject) throws(ClusterError) {
        let key = KubernetesKind.canonical(object.kind)
        var list = byKind[key, default: []]
        if let other = list.first(where: { $0.name == object.name && $0.namespace == object.namespace }) {
            let files = [other.file, object.file].compactMap { $0 }
            throw ClusterError(
                "\(object.display) is there twice" + (files.isEmpty ? "" : ": \(files.joined(separator: " and "))"),
                hint: "remove one of the two manifests")
        }
        let position = list.firstIndex { ($0.namespace, $0.name) > (object.namespace, object.name) } ?? list.endIndex
        list.insert(object, at: position)
        byKind[key] = list
    }

    mutating func remove(kind: String, namespace: String, name: String) {
        byKind[KubernetesKind.canonical(kind)]?.removeAll { $0.name == name && $0.namespace == namespace }
    }

    public func object(kind: String, namespace: String, name: String) -> KubernetesObject? {
        byKind[KubernetesKind.canonical(kind)]?.first { $0.name == name && $0.namespace == namespace }
    }

    public func objects(kind: String, namespace: String?) -> [KubernetesObject] {
        let all = byKind[KubernetesKind.canonical(kind)] ?? []
        guard let namespace else { return all }
        return all.filter { $0.namespace == namespace }
    }

    /// Names and namespaces of all objects: what is public in a cluster.
    public var publicNames: Set<String> {
        var names: Set<String> = []
        for object in byKind.values.joined() {
            names.insert(object.name)
            names.insert(object.namespace)
        }
        return names
    }
}

/// The spellings of a kind: `Deployment`, `deployment`, `deployments`, and the short names kubectl knows.
public enum KubernetesKind {
    private static let shortNames = [
        "pvc": "persistentvolumeclaim", "pvcs": "persistentvolumeclaim", "ns": "namespace", "cm": "configmap",
        "sts": "statefulset", "deploy": "deployment", "po": "pod", "rs": "replicaset", "svc": "service",
        "sa": "serviceaccount", "dc": "deploymentconfig", "pv": "persistentvolume",
    ]

    /// One lower-case spelling for all of them.
    public static func canonical(_ text: String) -> String {
        let lower = text.lowercased()
        if let long = shortNames[lower] { return long }
        if lower.hasSuffix("ies") { return lower.dropLast(3) + "y" }
        if lower.hasSuffix("sses") || lower.hasSuffix("xes") { return String(lower.dropLast(2)) }
        if lower.hasSuffix("s"), !lower.hasSuffix("ss") { return String(lower.dropLast()) }
        return lower
    }
}
