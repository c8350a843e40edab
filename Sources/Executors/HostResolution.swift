import Glibc
import ProcessIO

/// How a child process sees other host addresses than the machine does, without root and without a change to the machine.
public enum HostResolution: Sendable, Hashable {
    /// libnss_wrapper preloaded: answers `getaddrinfo` of dynamically linked programs from a file.
    case preload(library: String)
    /// A user and mount namespace in which another file lies over `/etc/hosts`.
    case namespace(unshare: String)

    private static let libraryFolders = [
        "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib",
        "/usr/local/lib64",
    ]

    /// The first way that works here.
    ///
    /// - Throws: `LocalExecutorError` saying what to install when there is none; `CancellationError`.
    static func find(hostsFile: String) async throws -> HostResolution {
        if let library = wrapperLibrary() { return .preload(library: library) }
        if let unshare = program("unshare"), program("mount") != nil {
            let way = HostResolution.namespace(unshare: unshare)
            if await way.works(hostsFile: hostsFile) { return way }
        }
        throw LocalExecutorError(
            "--add-host needs libnss_wrapper.so or user namespaces, and this machine has neither",
            hint:
                "install nss_wrapper (Debian, Ubuntu: apt-get install libnss-wrapper; Fedora: dnf install nss_wrapper), "
                + "or allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)")
    }

    /// Where `libnss_wrapper.so` is; nil when it is not installed.
    public static func wrapperLibrary() -> String? {
        libraryFolders.map { "\($0)/libnss_wrapper.so" }.first { access($0, R_OK) == 0 }
    }

    static func program(_ name: String) -> String? {
        ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    private func works(hostsFile: String) async -> Bool {
        let (command, environment) = apply(
            to: ["/bin/sh", "-c", "exit 0"], environment: ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin"],
            hostsFile: hostsFile)
        guard let program = command.first else { return false }
        let child = ChildCommand(program, Array(command.dropFirst()), environment: environment)
        let result = try? await runChild(child, outputLimit: 64 << 10)
        return result?.exit.isSuccess ?? false
    }

    /// The command and environment that see the overrides.
    func apply(
        to command: [String], environment: [String: String], hostsFile: String
    ) -> (command: [String], environment: [String: String]) {
        switch self {
        case .preload(let library):
            let more = ["LD_PRELOAD": library, "NSS_WRAPPER_HOSTS": hostsFile]
            return (command, environment.merging(more) { own, _ in own })
        case .namespace(let unshare):
            // Root inside the outer namespace may mount; the inner one gives the command its own user back.
            let script = """
                mount --bind "$1" /etc/hosts && shift && exec "$0" --user --map-user=\(getuid()) \
                --map-group=\(getgid()) -- "$@"
                """
            return (
                [unshare, "--user", "--map-root-user", "--mount", "--", "/bin/sh", "-c", script, unshare, hostsFile]
                    + command, environment
            )
        }
    }
}
