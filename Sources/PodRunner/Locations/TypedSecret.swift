import GoFormats
import PostgresDump
import RunnerContract
import Secrets

/// A Kubernetes Secret of one of Kanister's types, checked as Kanister does: the fields that must be there are, and no others.
///
/// | type | fields |
/// |---|---|
/// | `secrets.kanister.io/aws` | `aws_access_key_id`, `aws_secret_access_key`; `aws_session_token`, `role` |
/// | `secrets.kanister.io/azure` | `azure_storage_account_id`, and `azure_storage_key` or `azure_federated_identity: "true"`; `azure_storage_environment` |
/// | `secrets.kanister.io/gcp` | `gcp_project_id`, `service-account.json` |
///
/// Prints without values. Source: Kanister `pkg/secrets/{aws,azure,gcp}.go`; the session token is ours.
struct TypedSecret: Sendable, Hashable {
    enum Kind: String, Sendable, Hashable, CaseIterable {
        case aws = "secrets.kanister.io/aws"
        case azure = "secrets.kanister.io/azure"
        case gcp = "secrets.kanister.io/gcp"

        fileprivate var required: [String] {
            switch self {
            case .aws: ["aws_access_key_id", "aws_secret_access_key"]
            case .azure: ["azure_storage_account_id"]
            case .gcp: ["gcp_project_id", "service-account.json"]
            }
        }

        fileprivate var optional: [String] {
            switch self {
            case .aws: ["aws_session_token", "role"]
            case .azure: ["azure_storage_key", "azure_storage_environment", "azure_federated_identity"]
            case .gcp: []
            }
        }
    }

    let kind: Kind
    private let fields: [String: Secret]

    /// Nil for a field that is missing or empty.
    subscript(name: String) -> String? { fields[name].flatMap { $0.revealed.isEmpty ? nil : $0.revealed } }

    /// From the JSON of a whole Secret; values of `data` are base64.
    ///
    /// - Throws: `PodRunnerError` with exit code 3.
    init(_ object: JSONObject) throws {
        var fields: [String: String] = [:]
        let members = object.caseInsensitive("data")?.objectValue?.members ?? []
        for member in members {
            guard let bytes = Base64.decode(member.value.stringValue ?? ""),
                let text = String(validating: bytes, as: UTF8.self)
            else {
                throw PodRunnerError(.input, "the field \(member.key) of the profile's Secret is not base64 of text")
            }
            fields[member.key] = text
        }
        try self.init(type: object.caseInsensitive("type")?.stringValue ?? "", fields: fields)
    }

    init(type: String, fields: [String: String]) throws {
        guard let kind = Kind(rawValue: type) else {
            throw PodRunnerError(
                .input, "the profile's Secret has the unsupported type \"\(type)\"",
                hint: "known: " + Kind.allCases.map(\.rawValue).joined(separator: ", "))
        }
        self.kind = kind
        let known = kind.required + kind.optional
        if let unknown = fields.keys.sorted().first(where: { !known.contains($0) }) {
            throw PodRunnerError(
                .input, "Secret has an unknown field: \(unknown)", hint: "known: \(known.joined(separator: ", "))")
        }
        self.fields = fields.mapValues { Secret($0) }
        for name in kind.required where self[name] == nil {
            throw PodRunnerError(.input, "\(name) is a required field of Secrets of type \(type)")
        }
        if kind == .azure, self["azure_storage_key"] == nil, !isFederated {
            throw PodRunnerError(
                .input, "azure_storage_key is a required field of Secrets of type \(type)",
                hint: "or set azure_federated_identity to \"true\"")
        }
    }

    /// Azure: the pod's own identity is used, not a key.
    var isFederated: Bool { ["true", "1", "t"].contains(self["azure_federated_identity"]?.lowercased() ?? "") }
}
