import ActionEngine
import Glibc
import GoFormats
import ProcessIO

/// A private folder that lies over `sharedVolumeDir` inside some processes, and nowhere else: a user and mount namespace
/// in which it is bind-mounted. Needs no root and changes nothing on the machine.
struct SharedFolder: Sendable {
    let source: String
    let mountPath: String
    private let unshare: String

    /// - Throws: `LocalExecutorError` when this machine cannot do it; `CancellationError`.
    init(source: String, mountPath: String) async throws {
        self.source = source
        self.mountPath = mountPath
        guard mountPath.hasPrefix("/"), mountPath != "/" else {
            throw LocalExecutorError(
                "sharedVolumeDir '\(mountPath)' is not an absolute path of a folder", hint: "for example /tmp/")
        }
        var status = stat()
        guard stat(mountPath, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw LocalExecutorError(
                "sharedVolumeDir \(mountPath) cannot be honoured by a local run: there is no such folder on this machine",
                hint: "make it, or use the default /tmp/")
        }
        guard let unshare = HostResolution.program("unshare"), HostResolution.program("mount") != nil else {
            throw Self.unsupported(mountPath, "there is no unshare or mount")
        }
        self.unshare = unshare
        let probe = apply(to: ["/bin/sh", "-c", "exit 0"])
        let child = ChildCommand(
            probe[0], Array(probe.dropFirst()), environment: ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin"])
        let result = try await runChild(child, outputLimit: 64 << 10)
        guard result.exit.isSuccess else { throw Self.unsupported(mountPath, result.standardErrorText) }
    }

    private static func unsupported(_ mountPath: String, _ reason: String) -> LocalExecutorError {
        LocalExecutorError(
            "sharedVolumeDir \(mountPath) cannot be honoured by a local run: \(reason)",
            hint: "a shared volume needs the programs unshare and mount (util-linux) and unprivileged user namespaces "
                + "(sysctl kernel.unprivileged_userns_clone=1)")
    }

    /// The command that sees the folder.
    func apply(to command: [String]) -> [String] {
        // Root inside the outer namespace may mount; the inner one gives the command its own user back.
        let script = """
            mount --bind "$1" "$2" && shift 2 && exec "$0" --user --map-user=\(getuid()) --map-group=\(getgid()) -- "$@"
            """
        return [
            unshare, "--user", "--map-root-user", "--mount", "--", "/bin/sh", "-c", script, unshare, source, mountPath,
        ] + command
    }

    /// Where the volume `shared` of a pod is mounted in a container.
    static func mountPath(of container: JSONObject) -> String {
        let mounts = container["volumeMounts"]?.arrayValue ?? []
        return mounts.first { $0["name"] == "shared" }?["mountPath"]?.stringValue ?? "/tmp/"
    }

    /// A folder for working folders that the shared one does not hide.
    static func parent(for pod: PodRequest, _ usual: String) -> String {
        guard pod.backgroundContainer != nil else { return usual }
        let hidden = mountPath(of: pod.mainContainer).split(separator: "/")
        func isHidden(_ path: String) -> Bool { path.split(separator: "/").starts(with: hidden) }
        return [usual, "/var/tmp", "/dev/shm", "/tmp"].first { !isHidden($0) && access($0, W_OK) == 0 } ?? usual
    }
}
