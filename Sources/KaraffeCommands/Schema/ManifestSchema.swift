import GoFormats

/// The JSON Schema of everything Kanister and Kasten read.
///
/// Source: Kanister `pkg/apis/cr/v1alpha1/types.go`; Kasten's BlueprintBinding; arguments of functions from
/// `LocalFunctions`.
enum ManifestSchema {
    private typealias Part = SchemaParts

    /// One schema for all four kinds: which one holds is decided by `kind`.
    static var all: JSONValue {
        var definitions = JSONObject()
        for (name, schema) in kinds.map({ ($0.kind, $0.schema) }) + shared + FunctionSchema.definitions {
            definitions[name] = schema
        }
        return [
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Kanister Blueprint, ActionSet, Profile; Kasten BlueprintBinding",
            "type": "object", "required": ["apiVersion", "kind"],
            "properties": [
                "kind": Part.choice("what the document is", kinds.map(\.kind))
            ],
            "allOf": .array(
                kinds.map { kind in
                    [
                        "if": ["properties": ["kind": ["const": .string(kind.kind)]], "required": ["kind"]],
                        "then": Part.reference(kind.kind),
                    ]
                }),
            "$defs": .object(definitions),
        ]
    }

    private static var kinds: [(kind: String, schema: JSONValue)] {
        [
            ("Blueprint", blueprint), ("ActionSet", actionSet), ("Profile", profile), ("BlueprintBinding", binding),
        ]
    }

    private static func manifest(
        _ kind: String, _ group: String, _ summary: String, _ fields: [(String, JSONValue)], required: [String] = []
    ) -> JSONValue {
        let common: [(String, JSONValue)] = [
            ("apiVersion", ["const": .string("\(group)/v1alpha1")]), ("kind", ["const": .string(kind)]),
            ("metadata", Part.reference("Metadata")), ("status", Part.anything("written by the cluster")),
        ]
        return Part.object(summary, common + fields, required: ["apiVersion", "kind", "metadata"] + required)
    }

    private static let kanister = "cr.kanister.io"

    // MARK: Blueprint

    private static var blueprint: JSONValue {
        manifest(
            "Blueprint", kanister, "What to do with an application: named actions of phases.",
            [
                (
                    "actions",
                    Part.map(
                        "actions by name; Kasten calls backup, restore, delete and hooks", of: Part.reference("Action"))
                )
            ], required: ["actions"])
    }

    private static var action: JSONValue {
        Part.object(
            "Phases that run one after another.",
            [
                ("name", Part.text("not read")), ("kind", Part.text("kind of object it works on; not read")),
                ("configMapNames", Part.list("not read", of: Part.text(""))),
                ("secretNames", Part.list("not read", of: Part.text(""))),
                (
                    "inputArtifactNames",
                    Part.list("artifacts it needs, read as .ArtifactsIn.NAME", of: Part.text("a name"))
                ),
                (
                    "outputArtifacts",
                    Part.map("artifacts it makes, rendered after all phases", of: Part.reference("Artifact"))
                ),
                ("phases", Part.list("run in this order", of: Part.reference("Phase"))),
                ("deferPhase", Part.reference("Phase", "runs last, whatever happened")),
            ])
    }

    private static var artifact: JSONValue {
        Part.object(
            "What a backup leaves for the restore.",
            [
                ("keyValue", Part.map("texts by key; templates", of: Part.text("a template"))),
                (
                    "kopiaSnapshot",
                    Part.text("output of kando location push --output-name, or pod-runner backup; a template")
                ),
            ])
    }

    // MARK: ActionSet

    private static var actionSet: JSONValue {
        let spec = Part.object(
            "", [("actions", Part.list("actions to run", of: Part.reference("ActionSpec")))], required: ["actions"])
        return manifest("ActionSet", kanister, "Actions to run on objects.", [("spec", spec)], required: ["spec"])
    }

    private static var actionSpec: JSONValue {
        let references = Part.reference("ObjectReference")
        return Part.object(
            "One action to run.",
            [
                ("name", Part.text("name of the blueprint's action")),
                ("blueprint", Part.text("name of the Blueprint")),
                ("object", Part.reference("ObjectReference", "what the action works on")),
                ("artifacts", Part.map("read as .ArtifactsIn", of: Part.reference("Artifact"))),
                ("configMaps", Part.map("read as .ConfigMaps", of: references)),
                ("secrets", Part.map("read as .Secrets", of: references)),
                ("profile", Part.reference("ObjectReference", "the Profile; only name and namespace are read")),
                ("repositoryServer", references),
                ("podOverride", Part.anything("fragment of a PodSpec, merged over every pod")),
                ("options", Part.map("read as .Options", of: Part.text("a text"))),
                ("preferredVersion", Part.text("version of the functions, like v1.2.3")),
                ("podLabels", Part.map("labels of every pod", of: Part.text("a text"))),
                ("podAnnotations", Part.map("annotations of every pod", of: Part.text("a text"))),
            ], required: ["name", "blueprint", "object"])
    }

    // MARK: Profile

    private static var profile: JSONValue {
        let location = Part.object(
            "Where backups are kept.",
            [
                (
                    "type",
                    Part.choice(
                        "kind of storage; filesystem is for local runs",
                        [
                            "s3Compliant", "gcs", "azure", "kopia", "filesystem",
                        ])
                ), ("bucket", Part.text("bucket, container, or folder of a filesystem")),
                ("endpoint", Part.text("address of the service; for kopia the server's, https://")),
                ("prefix", Part.text("path inside the bucket")), ("region", Part.text("region of the bucket")),
            ], required: ["type"])
        let keyPair = Part.object(
            "Names of two keys in a Secret.",
            [
                ("idField", Part.text("key of the ID")), ("secretField", Part.text("key of the secret")),
                ("secret", Part.reference("ObjectReference")),
            ], required: ["secret"])
        let secretKey = Part.object("", [("key", Part.text("a key")), ("secret", Part.reference("ObjectReference"))])
        let server = Part.object(
            "User of a kopia repository server.",
            [
                ("username", Part.text("user")), ("hostname", Part.text("host of the user")),
                ("userPassphrase", secretKey), ("tlsCert", secretKey),
                ("connectOptions", Part.map("numbers by name", of: ["type": "integer"])),
            ])
        let credential = Part.object(
            "How to get there.",
            [
                ("type", Part.choice("which of the fields below", ["keyPair", "secret", "kopia"])),
                ("keyPair", keyPair),
                ("secret", Part.reference("ObjectReference")), ("kopiaServerSecret", server),
            ], required: ["type"])
        return manifest(
            "Profile", kanister, "A location and the credentials for it.",
            [
                ("location", location), ("credential", credential),
                ("skipSSLVerify", Part.flag("do not check certificates")),
            ],
            required: ["location", "credential"])
    }

    // MARK: BlueprintBinding

    private static var binding: JSONValue {
        let reference = Part.object(
            "The blueprint.", [("name", Part.text("its name")), ("namespace", Part.text("usually kasten-io"))],
            required: ["name", "namespace"])
        let requirements = Part.list("requirements", of: Part.reference("Requirement"))
        let resources = Part.object(
            "Which objects the blueprint is for.", [("matchAll", requirements), ("matchAny", requirements)])
        let spec = Part.object(
            "", [("blueprintRef", reference), ("resources", resources), ("disabled", Part.flag("not in force"))],
            required: ["blueprintRef", "resources"])
        return manifest(
            "BlueprintBinding", "config.kio.kasten.io", "Binds a blueprint to objects.", [("spec", spec)],
            required: ["spec"])
    }

    private static var requirement: JSONValue {
        let operators = Part.choice("how to compare", ["In", "NotIn", "Exists", "DoesNotExist"])
        let texts = Part.list("values", of: Part.text("a value"))
        let keyed = Part.object(
            "", [("key", Part.text("its key")), ("operator", operators), ("values", texts)],
            required: ["key", "operator"])
        let type = Part.object(
            "",
            [
                ("group", Part.text("API group; empty for the core's")), ("version", Part.text("API version")),
                ("resource", Part.text("lower-case plural, for example secrets")),
                ("name", Part.text("name of the object")),
            ])
        return [
            "type": "object", "description": "exactly one of type, namespace, annotations, labels", "minProperties": 1,
            "maxProperties": 1, "additionalProperties": false,
            "properties": [
                "type": Part.object(
                    "kinds of objects",
                    [("operator", Part.choice("", ["In", "NotIn"])), ("values", Part.list("kinds", of: type))],
                    required: ["operator", "values"]),
                "namespace": Part.object("", [("operator", operators), ("values", texts)], required: ["operator"]),
                "annotations": keyed, "labels": keyed,
            ],
        ]
    }

    // MARK: Shared

    private static var shared: [(String, JSONValue)] {
        var metadata =
            Part.object(
                "",
                [
                    ("name", Part.text("name")), ("namespace", Part.text("namespace")),
                    ("generateName", Part.text("beginning of a name the API server completes")),
                ], more: true
            ).objectValue ?? JSONObject()
        metadata["anyOf"] = [["required": ["name"]], ["required": ["generateName"]]]
        let reference = Part.object(
            "An object of the cluster.",
            [
                ("apiVersion", Part.text("the version only, v1")), ("group", Part.text("API group")),
                ("resource", Part.text("lower-case plural")), ("kind", Part.text("kind, for example Secret")),
                ("name", Part.text("name")), ("namespace", Part.text("namespace")),
            ])
        return [
            ("Metadata", .object(metadata)), ("ObjectReference", reference), ("Action", action), ("Artifact", artifact),
            ("ActionSpec", actionSpec), ("Requirement", requirement), ("Phase", FunctionSchema.phase),
        ]
    }
}
