internal import KopiaBlob
import Secrets

/// AWS's file of shared credentials: sections `[name]` with `key = value` lines.
///
/// Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
enum SharedCredentials {
    /// - Parameter profile: the section; nil or empty for `default`.
    /// - Throws: `BlobError.Code.accessDenied`; the message has nothing of the file.
    static func read(_ path: String, profile: String?) throws(BlobError) -> S3Credentials {
        let text: String
        do throws(SmallFile.Failure) { text = try SmallFile.text(path) } catch {
            throw BlobError(.accessDenied, "the file of credentials for S3 \(error.reason)")
        }
        let wanted = profile.flatMap { $0.isEmpty ? nil : $0 } ?? "default"
        var section = ""
        var values: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            let line = trimmed(line)
            if line.hasPrefix("["), line.hasSuffix("]") {
                section = String(trimmed(line.dropFirst().dropLast()))
            } else if section == wanted, let equals = line.firstIndex(of: "="), !line.hasPrefix("#") {
                values[trimmed(line[..<equals]).lowercased()] = String(trimmed(line[equals...].dropFirst()))
            }
        }
        guard let id = values["aws_access_key_id"], let key = values["aws_secret_access_key"], !id.isEmpty, !key.isEmpty
        else {
            throw BlobError(
                .accessDenied, "the file '\(path)' has no credentials for S3 in its section [\(wanted)]",
                hint: "write aws_access_key_id = … and aws_secret_access_key = … there, or set AWS_PROFILE")
        }
        return S3Credentials(
            accessKeyID: id, secretAccessKey: Secret(key), sessionToken: values["aws_session_token"].map { Secret($0) })
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.last?.isWhitespace == true { text.removeLast() }
        while text.first?.isWhitespace == true { text.removeFirst() }
        return text
    }
}
