public import GoFormats
public import KopiaManifest

/// Whom a policy is for.
///
/// Source: kopia `snapshot/policy/policy_manager.go`.
public enum PolicyTarget: Sendable, Hashable, CustomStringConvertible {
    case global
    case host(String)
    case user(String, host: String)
    case path(SnapshotSource)

    /// kopia's notation: `(global)`, `@host`, `user@host`, `user@host:/path`.
    public var description: String {
        switch self {
        case .global: return "(global)"
        case .host(let host): return "@\(host)"
        case .user(let user, let host): return "\(user)@\(host)"
        case .path(let source): return source.description
        }
    }

    var labels: [String: String] {
        switch self {
        case .global: return ["type": "policy", "policyType": "global"]
        case .host(let host): return ["type": "policy", "policyType": "host", "hostname": host]
        case .user(let user, let host):
            return ["type": "policy", "policyType": "user", "username": user, "hostname": host]
        case .path(let source):
            return source.labels.merging(["type": "policy", "policyType": "path"]) { _, new in new }
        }
    }

    init?(labels: [String: String]) {
        switch labels["policyType"] {
        case "global": self = .global
        case "host":
            guard let host = labels["hostname"] else { return nil }
            self = .host(host)
        case "user":
            guard let host = labels["hostname"], let user = labels["username"] else { return nil }
            self = .user(user, host: host)
        case "path":
            guard let host = labels["hostname"], let user = labels["username"], let path = labels["path"] else {
                return nil
            }
            self = .path(SnapshotSource(host: host, userName: user, path: path))
        default: return nil
        }
    }

    /// From the most special to the global one: whose policies make up the effective one of a source.
    static func layers(of source: SnapshotSource) -> [PolicyTarget] {
        var targets: [PolicyTarget] = []
        var path = source.path[...]
        while true {
            targets.append(.path(SnapshotSource(host: source.host, userName: source.userName, path: String(path))))
            guard path != "/", let slash = path.lastIndex(of: "/") else { break }
            path = slash == path.startIndex ? path[...slash] : path[..<slash]
        }
        return targets + [.user(source.userName, host: source.host), .host(source.host), .global]
    }
}

/// One stored policy. Kept as the JSON it is, so that settings this program has no use for survive an edit.
///
/// Source: kopia `snapshot/policy/policy.go`.
public struct Policy: Sendable, Hashable {
    public let id: ManifestID
    public let target: PolicyTarget
    public let json: JSONObject

    /// The member of a section, for example `compression.compressorName`; nil when unset.
    func value(_ section: String, _ key: String) -> JSONValue? {
        guard let value = json.caseInsensitive(section)?.objectValue?.caseInsensitive(key), !value.isNull else {
            return nil
        }
        return value
    }

    var hasNoParent: Bool { json.caseInsensitive("noParent")?.boolValue ?? false }

    /// A policy that says nothing: kopia never leaves out a section.
    static let nothing: JSONObject = JSONObject([
        "retention": [:], "files": [:], "errorHandling": [:], "scheduling": [:], "compression": [:],
        "metadataCompression": [:], "splitter": [:], "actions": [:], "osSnapshots": ["volumeShadowCopy": [:]],
        "logging": ["directories": [:], "entries": [:]], "upload": [:],
    ])

    /// What kopia writes for a new repository.
    public static let standard: JSONObject = JSONObject([
        "retention": [
            "keepLatest": 10, "keepHourly": 48, "keepDaily": 7, "keepWeekly": 4, "keepMonthly": 24,
            "keepAnnual": 3, "ignoreIdenticalSnapshots": false,
        ],
        "files": ["ignoreDotFiles": [".kopiaignore"]],
        "errorHandling": [
            "ignoreFileErrors": false, "ignoreDirectoryErrors": false, "ignoreUnknownTypes": true,
        ],
        "scheduling": ["runMissed": true], "compression": ["compressorName": "none"],
        "metadataCompression": ["compressorName": "zstd-fastest"], "splitter": [:], "actions": [:],
        "osSnapshots": ["volumeShadowCopy": ["enable": 0]],
        "logging": [
            "directories": ["snapshotted": 5, "ignored": 5],
            "entries": ["snapshotted": 0, "ignored": 5, "cacheHit": 0, "cacheMiss": 0],
        ],
        "upload": ["maxParallelSnapshots": 1, "parallelUploadAboveSize": 2_147_483_648],
    ])
}
