import Glibc
import KopiaCloud
import ProcessIO
import RunnerContract

/// `location push|pull|delete` on plain objects.
extension ObjectPlace {
    /// - Parameter source: a file, or `-` for standard input, which is read to its end.
    func push(_ source: String, path: String, _ context: RunContext) async throws {
        let name = try ObjectName(prefix: prefix, path: path).description
        let input: DescriptorStream
        var length: Int64?
        if source == "-" {
            input = try context.input()
        } else {
            var status = stat()
            guard stat(source, &status) == 0 else {
                throw PodRunnerError(.input, "cannot read \(source): \(String(cString: strerror(errno)))")
            }
            guard status.st_mode & S_IFMT != S_IFDIR else {
                throw PodRunnerError(
                    .input, "\(source) is a folder, and the profile keeps single objects",
                    hint: "push an archive of it, or use a profile of a kopia repository")
            }
            if status.st_mode & S_IFMT == S_IFREG { length = Int64(status.st_size) }
            input = try DescriptorStream(reading: source)
        }
        let bytes = try await input.readingAhead { next in
            try await store.upload(name, length: length, next: next)
        }
        if !context.isKando { context.note("stored \(Figures.bytes(bytes)) as '\(name)' in \(store.displayName)") }
    }

    /// - Parameter target: a file, which is replaced when everything has come, or `-` for standard output.
    func pull(_ target: String, path: String, _ context: RunContext) async throws {
        let name = try ObjectName(prefix: prefix, path: path).description
        guard target != "-" else {
            try await store.download(name) { chunk in try await context.output(chunk) }
            return
        }
        try await TargetFile.write(target) { file in
            try await store.download(name) { chunk in try await file.write(chunk) }
        }
    }

    /// The object, and everything below it as a folder; not, as kando does, what only starts with the same letters.
    func delete(path: String, _ context: RunContext) async throws {
        let name = try ObjectName(prefix: prefix, path: path).description
        try await store.deleteTree(name)
        if !context.isKando { context.note("'\(name)' is not in \(store.displayName) any more") }
    }
}

/// A file that is complete or as it was.
enum TargetFile {
    /// Writes beside the target and renames; what is no file (a pipe, a device) is written as it is.
    ///
    /// - Throws: `PodRunnerError`, `DescriptorError`, what `body` throws.
    static func write(_ path: String, _ body: (DescriptorStream) async throws -> Void) async throws {
        var status = stat()
        let exists = stat(path, &status) == 0
        if exists, status.st_mode & S_IFMT == S_IFDIR {
            throw PodRunnerError(.input, "\(path) is a folder", hint: "name a file in it")
        }
        guard !exists || status.st_mode & S_IFMT == S_IFREG else {
            return try await body(DescriptorStream(writing: path))
        }
        let part = "\(path).pulling-\(getpid())"
        unlink(part)
        do {
            let file = try DescriptorStream(creating: part, mode: 0o600)
            try await body(file)
            try await file.synchronize()
            let mode = exists ? status.st_mode & 0o7777 : 0o644
            guard chmod(part, mode) == 0, rename(part, path) == 0 else {
                throw PodRunnerError(.input, "cannot make the file \(path): \(String(cString: strerror(errno)))")
            }
        } catch {
            unlink(part)
            throw error
        }
    }
}
