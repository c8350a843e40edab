public import GoFormats

extension YAMLNode {
    /// The value as it arrives in a cluster: YAML, turned into JSON by Kubernetes' reader, read back as JSON. So `1.0`
    /// and `1e3` become integers, and infinities and NaN, which JSON has not and Kubernetes refuses, become null
    /// (`readManifests` reports them).
    ///
    /// Memory: proportional to the value with every alias expanded, which `YAMLLimits` bounds.
    public var json: JSONValue {
        switch content {
        case .sequence(let items): return .array(items.map(\.json))
        case .mapping(let mapping):
            return .object(
                JSONObject(mapping.entries.lazy.map { JSONObject.Member(key: $0.name, value: $0.value.json) }))
        case .scalar(let scalar): return scalar.json
        }
    }
}

extension YAMLScalar {
    /// As `YAMLNode.json`.
    public var json: JSONValue {
        switch value {
        case .null: return .null
        case .bool(let flag): return .bool(flag)
        case .integer(let number): return .integer(number)
        case .string(let text): return .string(text)
        case .double(let number):
            guard number.isFinite else { return .null }
            if let whole = Int64(GoJSON.number(number)) { return .integer(whole) }
            return .double(number)
        }
    }
}

/// Go's `strconv.FormatFloat(x, 'g', -1, 32)` with YAML's words, which is how a number becomes a key.
///
/// Source: `sigs.k8s.io/yaml` v1.6.0 `yaml.go` (`convertToJSONableObject`).
enum GoFloat {
    static func text(_ number: Double) -> String {
        if number.isNaN { return ".nan" }
        let single = Float(number)
        if single.isInfinite { return single < 0 ? "-.inf" : ".inf" }
        let sign = single.sign == .minus ? "-" : ""
        if single == 0 { return sign + "0" }
        let decimal = ShortestDecimal(single.magnitude)
        let exponent = decimal.pointPosition - 1
        return sign + (exponent < -4 || exponent >= 6 ? decimal.exponentForm() : decimal.plainForm)
    }
}
