public import GoFormats

/// Kubernetes' strategic merge patch, as far as a PodSpec needs it: maps merge, null deletes, lists with a merge key
/// merge by it and others are replaced. `$patch`, `$retainKeys` and `$setElementOrder` work.
///
/// Memory: proportional to both documents; nesting is bounded by the reader that made them.
///
/// Source: Kubernetes `apimachinery/pkg/util/strategicpatch/patch.go`; the keys are the `patchMergeKey` tags of
/// `core/v1` PodSpec. Vectors: `podOverride` of the conformance cases.
public enum StrategicMerge {
    private static let mergeKeys = [
        "containers": "name", "initContainers": "name", "ephemeralContainers": "name", "volumes": "name",
        "env": "name", "imagePullSecrets": "name", "resourceClaims": "name", "schedulingGates": "name",
        "volumeMounts": "mountPath", "volumeDevices": "devicePath", "ports": "containerPort", "hostAliases": "ip",
        "topologySpreadConstraints": "topologyKey",
    ]

    /// `patch` applied to `original`.
    public static func apply(_ patch: JSONObject, to original: JSONObject) -> JSONObject {
        if let directive = patch["$patch"]?.stringValue {
            var rest = patch
            rest["$patch"] = nil
            return directive == "delete" ? JSONObject() : rest
        }
        var result = original
        if let keep = patch["$retainKeys"]?.arrayValue {
            let names = keep.compactMap(\.stringValue)
            for key in result.keys where !names.contains(key) { result[key] = nil }
        }
        for member in patch.members where !member.key.hasPrefix("$") {
            let order = patch["$setElementOrder/\(member.key)"]?.arrayValue
            result[member.key] = merged(member, into: result[member.key], order: order)
        }
        return result
    }

    private static func merged(_ member: JSONObject.Member, into old: JSONValue?, order: [JSONValue]?) -> JSONValue? {
        switch (member.value, old) {
        case (.null, _): return nil
        case (.object(let patch), .object(let original)?):
            if patch["$patch"]?.stringValue == "delete" { return nil }
            return .object(apply(patch, to: original))
        case (.object(let patch), _):
            if patch["$patch"]?.stringValue == "delete" { return nil }
            return .object(apply(patch, to: JSONObject()))
        case (.array(let patch), _):
            guard let key = mergeKeys[member.key] else { return .array(patch) }
            return .array(mergeList(patch, into: old?.arrayValue ?? [], key: key, order: order))
        default: return member.value
        }
    }

    private static func mergeList(
        _ patch: [JSONValue], into original: [JSONValue], key: String, order: [JSONValue]?
    ) -> [JSONValue] {
        let directives = patch.compactMap { $0["$patch"]?.stringValue }
        let items = patch.filter { $0["$patch"] == nil }
        if directives.contains("replace") { return items }
        let deleted = patch.filter { $0["$patch"]?.stringValue == "delete" }.compactMap { $0[key] }
        let kept = original.filter { item in item[key].map { !deleted.contains($0) } ?? true }
        let fromPatch = items.map { item -> JSONValue in
            let old = kept.first { $0[key] != nil && $0[key] == item[key] }
            guard let new = item.objectValue else { return item }
            return .object(apply(new, to: old?.objectValue ?? JSONObject()))
        }
        let patched = fromPatch.map { $0[key] }
        let untouched = kept.filter { !patched.contains($0[key]) }
        let merged = interleave(untouched, fromPatch, positions: original.map { $0[key] }, key: key)
        guard let order else { return merged }
        let wanted = order.map { $0[key] }
        return merged.enumerated().sorted { left, right in
            let places = [left, right].map { wanted.firstIndex(of: $0.element[key]) ?? .max }
            return (places[0], left.offset) < (places[1], right.offset)
        }.map(\.element)
    }

    /// Items of the patch come first, except behind an untouched item that stood before them already.
    private static func interleave(
        _ untouched: [JSONValue], _ patched: [JSONValue], positions: [JSONValue?], key: String
    ) -> [JSONValue] {
        var result: [JSONValue] = []
        var rest = untouched[...]
        for item in patched {
            let place = positions.firstIndex(of: item[key])
            while let next = rest.first, let place, let other = positions.firstIndex(of: next[key]), other < place {
                result.append(next)
                rest = rest.dropFirst()
            }
            result.append(item)
        }
        return result + rest
    }
}
