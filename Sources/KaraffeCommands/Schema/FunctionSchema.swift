import ActionEngine
import GoFormats
import KanisterFunctions

/// A phase and the arguments of every function.
enum FunctionSchema {
    private typealias Part = SchemaParts

    private static var functions: [any KanisterFunction] { LocalFunctions.all.sorted { $0.name < $1.name } }

    /// One definition a function: its arguments.
    static var definitions: [(String, JSONValue)] { functions.map { ("\($0.name).args", arguments($0)) } }

    /// `args` depends on `func`.
    static var phase: JSONValue {
        let names: [JSONValue] = functions.map { ["const": .string($0.name), "description": .string($0.summary)] }
        var schema =
            Part.object(
                "One call of a function.",
                [
                    ("func", ["description": "function to call", "oneOf": .array(names)]),
                    ("name", Part.text("unique in the blueprint; read as .Phases.NAME")),
                    (
                        "objects",
                        Part.map(
                            "Secrets and ConfigMaps to fetch, read as .Phases.PHASE.Secrets.NAME",
                            of: Part.reference("ObjectReference"))
                    ), ("args", Part.anything("arguments of the function; texts are templates")),
                ], required: ["func", "args"]
            ).objectValue ?? JSONObject()
        schema["allOf"] = .array(
            functions.map { function in
                [
                    "if": ["properties": ["func": ["const": .string(function.name)]], "required": ["func"]],
                    "then": ["properties": ["args": Part.reference("\(function.name).args")]],
                ]
            })
        return .object(schema)
    }

    private static func arguments(_ function: any KanisterFunction) -> JSONValue {
        var schema =
            Part.object(
                "\(function.name) \(function.summary).", function.arguments.map { ($0.name, self.schema($0)) },
                required: function.arguments.filter(\.isRequired).map(\.name)
            ).objectValue ?? JSONObject()
        // A name may be a template itself.
        schema["patternProperties"] = ["\\{\\{": true]
        return .object(schema)
    }

    /// As weakly as Kanister decodes: numbers and booleans are taken for texts, a single text for a list of one. Whatever
    /// is not text may be a template, which is one.
    private static func schema(_ argument: FunctionArgument) -> JSONValue {
        let scalar: JSONValue = ["type": ["string", "number", "boolean", "null"]]
        var schema: JSONObject
        switch argument.shape {
        case .text: schema = JSONObject(["type": ["string", "number", "boolean", "null"]])
        case .integer: schema = JSONObject(["type": ["integer", "string"]])
        case .boolean: schema = JSONObject(["type": ["boolean", "string", "integer", "null"]])
        case .listOfText:
            schema = JSONObject(["anyOf": [["type": "array", "items": scalar], scalar]])
        case .mapOfText: schema = JSONObject(["type": ["object", "null"], "additionalProperties": scalar])
        case .object: schema = JSONObject(["type": ["object", "null"]])
        case .any: schema = JSONObject()
        }
        schema["description"] = .string(argument.summary + (argument.isRequired ? " (required)" : ""))
        return .object(schema)
    }
}
