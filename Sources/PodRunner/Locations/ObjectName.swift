import RunnerContract

/// The name of an object: `Location.prefix` and `--path`, joined and cleaned as Go's `path.Join` does.
///
/// Refused, where kando does something else: a path that leaves the prefix, and an empty name, which would make a delete
/// match everything.
///
/// Source: Kanister `pkg/location/location.go`; Go `path.Join`.
struct ObjectName: Sendable, Hashable, CustomStringConvertible {
    let description: String

    /// - Throws: `PodRunnerError` with exit code 3.
    init(prefix: String, path: String) throws {
        guard let below = Self.components(path), let above = Self.components(prefix) else {
            throw PodRunnerError(
                .input, "the path \"\(path)\" leaves the location's prefix \"\(prefix)\"",
                hint: "give --path without \"..\"")
        }
        guard !below.isEmpty else {
            throw PodRunnerError(
                .input, "the path \"\(path)\" names no object", hint: "give --path, for example backup.sql")
        }
        description = (above + below).joined(separator: "/")
        guard description.utf8.count <= 1024, !description.utf8.contains(0) else {
            throw PodRunnerError(.input, "the object's name is longer than 1024 bytes", hint: "give a shorter --path")
        }
    }

    /// Nil when `..` goes above the start.
    private static func components(_ path: String) -> [Substring]? {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            guard part == ".." else {
                parts.append(part)
                continue
            }
            if parts.popLast() == nil { return nil }
        }
        return parts
    }
}
