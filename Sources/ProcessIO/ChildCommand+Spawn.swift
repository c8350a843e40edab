internal import Subprocess
import SystemPackage

extension ChildCommand {
    /// The environment as `NAME=value` with a final NUL, sorted.
    ///
    /// - Throws: `ChildError.Code.invalidArgument` for what a process cannot receive; arguments are checked as well.
    func encodedEnvironment() throws(ChildError) -> [[UInt8]] {
        for (position, argument) in arguments.enumerated() where argument.utf8.contains(0) {
            throw ChildError(.invalidArgument, executable, "argument \(position + 1) of \(name) contains a NUL byte")
        }
        var encoded: [[UInt8]] = []
        for (key, value) in environment.sorted(by: { $0.key < $1.key }) {
            guard !key.isEmpty, !key.utf8.contains(UInt8(ascii: "=")), !key.utf8.contains(0) else {
                throw ChildError(
                    .invalidArgument, executable, "\"\(key)\" cannot be the name of an environment variable")
            }
            guard !value.utf8.contains(0) else {
                throw ChildError(
                    .invalidArgument, executable, "environment variable \(key) for \(name) contains a NUL byte")
            }
            encoded.append(Array("\(key)=\(value)\0".utf8))
        }
        return encoded
    }
}

extension ChildError {
    /// What swift-subprocess reports, in our words; its texts may name the arguments.
    init(_ error: SubprocessError, command: ChildCommand, executable: String) {
        let reason = error.underlyingError.map { SystemError.text($0.rawValue) } ?? "\(error)"
        switch error.code {
        case .executableNotFound:
            self.init(
                .notExecutable, command.executable,
                "\(executable) cannot be run: missing interpreter, wrong format or no permission")
        case .failedToChangeWorkingDirectory:
            self.init(
                .workingDirectory, command.executable,
                "\(command.name) cannot start in \(command.workingDirectory ?? "its working directory"): \(reason)")
        default:
            self.init(.spawn, command.executable, "\(command.name) cannot be started: \(reason)")
        }
    }
}
