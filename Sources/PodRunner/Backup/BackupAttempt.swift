import GoFormats
import PostgresDump

/// One try at a dump, as `karaffe.json` has it: the last one succeeded, those before it say why not.
struct BackupAttempt: Sendable, Hashable {
    var host: String
    var port: String
    var startTime: Timestamp
    var endTime: Timestamp
    /// `PostgresError.Code` and what happened; nil for success.
    var code: String?
    var message: String?

    var json: JSONValue {
        func optional(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
        return [
            "host": .string(host), "port": .string(port), "startTime": .string(startTime.description),
            "endTime": .string(endTime.description), "code": optional(code), "message": optional(message),
        ]
    }

    init(_ settings: PostgresSettings, from startTime: Timestamp, to endTime: Timestamp, error: PostgresError?) {
        host = settings.host
        port = settings.port
        self.startTime = startTime
        self.endTime = endTime
        code = error.map { "\($0.code)" }
        message = error?.message
    }

    init?(json: JSONValue) {
        guard let host = json["host"]?.stringValue, let port = json["port"]?.stringValue,
            let start = json["startTime"]?.stringValue.flatMap({ Timestamp(rfc3339: $0) }),
            let end = json["endTime"]?.stringValue.flatMap({ Timestamp(rfc3339: $0) })
        else { return nil }
        self.host = host
        self.port = port
        (startTime, endTime) = (start, end)
        code = json["code"]?.stringValue
        message = json["message"]?.stringValue
    }
}
