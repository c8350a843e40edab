import GoFormats

/// Pieces of a JSON Schema.
enum SchemaParts {
    /// - Parameters:
    ///   - properties: name and schema.
    ///   - more: the schema of other members; nil forbids them.
    static func object(
        _ summary: String, _ properties: [(String, JSONValue)], required: [String] = [], more: JSONValue? = nil
    ) -> JSONValue {
        var schema = JSONObject(["type": "object"])
        if !summary.isEmpty { schema["description"] = .string(summary) }
        if !properties.isEmpty {
            schema["properties"] = .object(JSONObject(properties.map { .init(key: $0.0, value: $0.1) }))
        }
        if !required.isEmpty { schema["required"] = .array(required.map { .string($0) }) }
        schema["additionalProperties"] = more ?? false
        return .object(schema)
    }

    static func text(_ summary: String) -> JSONValue { ["type": "string", "description": .string(summary)] }
    static func flag(_ summary: String) -> JSONValue { ["type": "boolean", "description": .string(summary)] }

    static func list(_ summary: String, of item: JSONValue) -> JSONValue {
        ["type": "array", "description": .string(summary), "items": item]
    }

    static func map(_ summary: String, of value: JSONValue) -> JSONValue {
        ["type": "object", "description": .string(summary), "additionalProperties": value]
    }

    static func choice(_ summary: String, _ values: [String]) -> JSONValue {
        ["description": .string(summary), "enum": .array(values.map { .string($0) })]
    }

    static func reference(_ name: String, _ summary: String? = nil) -> JSONValue {
        var schema = JSONObject(["$ref": .string("#/$defs/\(name)")])
        schema["description"] = summary.map { .string($0) }
        return .object(schema)
    }

    /// Any free object.
    static func anything(_ summary: String) -> JSONValue { ["type": "object", "description": .string(summary)] }
}
