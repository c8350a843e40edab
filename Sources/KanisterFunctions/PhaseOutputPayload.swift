import GoFormats

/// Decodes the payload of an output line into key and value as Go decodes it into a struct of two strings: names match
/// without regard to case, unknown ones are skipped, a missing or null one is empty.
enum PhaseOutputPayload {
    /// - Throws: `PhaseOutputError` with Go's wording.
    static func decode(_ payload: [UInt8]) throws(PhaseOutputError) -> (key: String, value: String) {
        if let problem = GoJSONSyntax.problem(in: payload) { throw failure(problem) }
        let document: JSONValue
        do {
            document = try JSONParser.parse(payload)
        } catch {
            throw failure(error.description)
        }
        var key = ""
        var value = ""
        switch document {
        case .null: break
        case .object(let object):
            for member in object.members {
                switch member.key.lowercased() {
                case "key": key = try text(member.value, field: "key", otherwise: key)
                case "value": value = try text(member.value, field: "value", otherwise: value)
                default: break
                }
            }
        default: throw failure("json: cannot unmarshal \(typeName(document)) into Go value of type output.Output")
        }
        return (key, value)
    }

    private static func text(
        _ value: JSONValue, field: String, otherwise current: String
    ) throws(PhaseOutputError) -> String {
        switch value {
        case .string(let text): return text
        case .null: return current
        default:
            throw failure(
                "json: cannot unmarshal \(typeName(value)) into Go struct field Output.\(field) of type string",
                hint: "give key and value as text, in quotes")
        }
    }

    private static func failure(_ reason: String, hint: String? = nil) -> PhaseOutputError {
        PhaseOutputError(
            "Failed to unmarshal key-value pair: \(reason)",
            hint: hint
                ?? "an output line is ###Phase-output###: {\"key\":\"…\",\"value\":\"…\"}; 'kando output' writes it")
    }

    private static func typeName(_ value: JSONValue) -> String {
        switch value {
        case .null: return "null"
        case .bool: return "bool"
        case .integer, .double: return "number"
        case .string: return "string"
        case .array: return "array"
        case .object: return "object"
        }
    }
}
