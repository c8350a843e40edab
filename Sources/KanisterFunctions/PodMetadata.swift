public import ActionEngine
public import GoFormats

/// The three arguments by which a blueprint shapes the pods of a function.
public enum PodMetadata {
    static let arguments = [
        FunctionArgument("podOverride", .object, "fragment of a pod spec, merged over the one the function makes"),
        FunctionArgument("podAnnotations", .mapOfText, "annotations of the pod"),
        FunctionArgument("podLabels", .mapOfText, "labels of the pod"),
    ]

    /// The ActionSet's values with the blueprint's over them: on equal keys the blueprint wins.
    ///
    /// Source: Kanister `pkg/function/utils.go`. Vectors: `labelMerge` of the conformance cases.
    public static func merge(
        actionSet: [String: String], blueprint: [(key: String, value: String)]
    ) -> [String: String] {
        var merged = actionSet
        for (key, value) in blueprint { merged[key] = value }
        return merged
    }

    /// Label and annotation keys and label values that Kubernetes would refuse; templates are left for later.
    public static func staticProblems(_ arguments: FunctionArguments) -> [String] {
        var problems: [String] = []
        for (key, value) in (try? arguments.mapOfText("podLabels")) ?? [] {
            if !key.contains("{{"), !LabelSyntax.isQualifiedName(key) {
                problems.append("label key '\(key)' failed validation")
            }
            if !value.contains("{{"), !LabelSyntax.isLabelValue(value) {
                problems.append("label value '\(value)' failed validation")
            }
        }
        for (key, _) in (try? arguments.mapOfText("podAnnotations")) ?? [] {
            if !key.contains("{{"), !LabelSyntax.isQualifiedName(key) {
                problems.append("annotation key '\(key)' failed validation")
            }
        }
        return problems
    }

    /// The default spec with the blueprint's override over it and the ActionSet's over that; the main container is
    /// moved to the front afterwards.
    ///
    /// Source: Kanister `pkg/kube/pod.go` `CreatePatchedPodSpecs`. Vectors: `podOverride` of the conformance cases.
    public static func spec(
        _ base: JSONObject, blueprint: JSONObject?, actionSet: JSONObject?,
        main: String = PodRequest.mainContainerName
    ) -> JSONObject {
        var spec = base
        for patch in [blueprint, actionSet].compactMap({ $0 }) { spec = StrategicMerge.apply(patch, to: spec) }
        guard var containers = spec["containers"]?.arrayValue,
            let position = containers.firstIndex(where: { $0["name"]?.stringValue == main }), position > 0
        else { return spec }
        containers.insert(containers.remove(at: position), at: 0)
        spec["containers"] = .array(containers)
        return spec
    }
}
