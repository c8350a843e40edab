import Glibc
import Synchronization

/// Holds the writing end of every named pipe in a folder open, so that who reads one sees no end of file while it is not
/// known whether the writer succeeded. A writer that dies looks like one that is done; a held pipe does not.
///
/// A pipe that exists before its writer starts is held from the beginning. One that the writer makes itself is held
/// from the first look (every 10 ms) after its reader opened it.
///
/// Concurrency and memory: safe to share; one descriptor a pipe, at most `limit`.
final class HeldPipes: Sendable {
    private static let limit = 64

    private struct State {
        var held: [String: Int32] = [:]
        var isReleased = false
    }

    private let folder: String
    private let state = Mutex(State())

    init(in folder: String) { self.folder = folder }

    deinit { release() }

    /// Takes hold of what is there.
    ///
    /// - Parameter nobodyWaits: no process works in the folder yet. Only then may the reading end be opened for a
    ///   moment, which is what makes a writer succeed that has no reader.
    func hold(nobodyWaits: Bool = false) {
        for path in Self.pipes(in: folder, depth: 0) {
            state.withLock { state in
                guard !state.isReleased, state.held[path] == nil, state.held.count < Self.limit else { return }
                let reading = nobodyWaits ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW) : -1
                let writing = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)
                if reading >= 0 { close(reading) }
                if writing >= 0 { state.held[path] = writing }
            }
        }
    }

    /// Looks for new pipes until they are released or the task is cancelled.
    func watch() async {
        while !state.withLock({ $0.isReleased }) {
            hold()
            do { try await Task.sleep(for: .milliseconds(10)) } catch { return }
        }
    }

    /// From now on readers see the end of file.
    func release() {
        state.withLock { state in
            for descriptor in state.held.values { close(descriptor) }
            state.held = [:]
            state.isReleased = true
        }
    }

    private static func pipes(in folder: String, depth: Int) -> [String] {
        guard depth < 3, let handle = opendir(folder) else { return [] }
        defer { closedir(handle) }
        var found: [String] = []
        // A folder of many files is not one of pipes.
        for _ in 0..<1000 {
            guard let entry = readdir(handle) else { break }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            let path = "\(folder)/\(name)"
            var status = stat()
            guard lstat(path, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFIFO { found.append(path) }
            if status.st_mode & S_IFMT == S_IFDIR { found += pipes(in: path, depth: depth + 1) }
        }
        return found
    }
}
