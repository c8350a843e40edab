import GoFormats

/// Reads members as Go's decoder does: any case of the key, unknown members ignored, `null` leaves the default; but a
/// wrong type is named instead of guessed.
struct JSONReader {
    private let object: JSONObject
    private let subject: String

    /// - Parameter subject: what this is, for messages: `directory entry`.
    init(_ value: JSONValue, of subject: String) throws(SnapshotError) {
        self.subject = subject
        guard let object = value.objectValue else {
            throw SnapshotError(.malformed, "the \(subject) is no JSON object")
        }
        self.object = object
    }

    func malformed(_ detail: String) -> SnapshotError { SnapshotError(.malformed, "malformed \(subject): \(detail)") }

    func value(_ key: String) throws(SnapshotError) -> JSONValue? {
        guard let value = object.caseInsensitive(key), !value.isNull else { return nil }
        return value
    }

    func string(_ key: String) throws(SnapshotError) -> String? {
        guard let value = try value(key) else { return nil }
        guard let text = value.stringValue else { throw malformed("'\(key)' is no string") }
        return text
    }

    func integer(_ key: String) throws(SnapshotError) -> Int64? {
        guard let value = try value(key) else { return nil }
        guard let number = value.integerValue else { throw malformed("'\(key)' is no integer") }
        return number
    }

    func bool(_ key: String) throws(SnapshotError) -> Bool? {
        guard let value = try value(key) else { return nil }
        guard let flag = value.boolValue else { throw malformed("'\(key)' is neither true nor false") }
        return flag
    }

    func array(_ key: String) throws(SnapshotError) -> [JSONValue]? {
        guard let value = try value(key) else { return nil }
        guard let items = value.arrayValue else { throw malformed("'\(key)' is no array") }
        return items
    }

    func strings(_ key: String) throws(SnapshotError) -> [String]? {
        guard let items = try array(key) else { return nil }
        var texts: [String] = []
        for item in items {
            guard let text = item.stringValue else { throw malformed("'\(key)' has an item that is no string") }
            texts.append(text)
        }
        return texts
    }

    func object(_ key: String) throws(SnapshotError) -> JSONObject? {
        guard let value = try value(key) else { return nil }
        guard let object = value.objectValue else { throw malformed("'\(key)' is no object") }
        return object
    }

    func timestamp(_ key: String) throws(SnapshotError) -> Timestamp? {
        guard let text = try string(key) else { return nil }
        guard let time = Timestamp(rfc3339: text) else { throw malformed("'\(key)' is '\(text)', expected RFC 3339") }
        return time
    }
}
