import BlockingIO
import Glibc
import Synchronization

/// One running child and its process group: who may signal it, and who waits for it.
///
/// Signals go to the group only while the leader has not been reaped, so a number is never used after the system may
/// have given it to somebody else.
final class ChildProcess: Sendable {
    private struct State {
        var exit: ChildExit?
        var isTerminating = false
        var waiters: [Int: CheckedContinuation<ChildExit?, Never>] = [:]
        var nextWaiter = 0
    }

    let processIdentifier: pid_t
    private let grace: Duration
    private let state = Mutex(State())
    /// Becomes readable when the child has ended, so that a thread waiting for a pipe wakes up.
    let ended: Descriptor
    private let ending: Descriptor

    init(_ processIdentifier: pid_t, grace: Duration, ended: Descriptor, ending: Descriptor) {
        self.processIdentifier = processIdentifier
        self.grace = grace
        self.ended = ended
        self.ending = ending
        LiveGroups.insert(processIdentifier)
    }

    var exit: ChildExit? { state.withLock { $0.exit } }

    /// Asks the group to end; SIGKILL follows after the grace. Returns at once; only the first call counts.
    func terminate() {
        let isFirst = state.withLock { state -> Bool in
            guard state.exit == nil, !state.isTerminating else { return false }
            state.isTerminating = true
            kill(-processIdentifier, SIGTERM)
            return true
        }
        guard isFirst else { return }
        startThread { [self] in
            var polled = pollfd(fd: ended.number, events: Int16(POLLIN), revents: 0)
            let deadline = ContinuousClock.now + grace
            while true {
                let left = (deadline - .now).wholeMilliseconds
                if left <= 0 || poll(&polled, 1, left) > 0 { break }
            }
            state.withLock { state in
                if state.exit == nil { _ = kill(-processIdentifier, SIGKILL) }
            }
        }
    }

    /// Blocks until the child has ended, then ends what is left of its group, as the kernel does with a container whose
    /// first process ends. Leaves the child to be reaped.
    func waitBlocking() {
        var information = siginfo_t()
        while waitid(P_PID, id_t(processIdentifier), &information, WEXITED | WNOWAIT) == -1 {
            // Anything else would mean that somebody else reaped our child; treat it as gone.
            if errno != EINTR { break }
        }
        let status = information._sifields._sigchld.si_status
        let exit: ChildExit = information.si_code == CLD_EXITED ? .exited(status) : .signalled(status)
        let waiters = state.withLock { state in
            _ = kill(-processIdentifier, SIGKILL)
            state.exit = exit
            LiveGroups.remove(processIdentifier)
            defer { state.waiters = [:] }
            return state.waiters
        }
        ending.close()
        for waiter in waiters.values { waiter.resume(returning: exit) }
    }

    /// Waits whatever becomes of the task: the end comes at the latest after the grace once `terminate` was called.
    func waitForExitUncancelled() async {
        _ = await withCheckedContinuation { (continuation: CheckedContinuation<ChildExit?, Never>) in
            let exit = state.withLock { state -> ChildExit? in
                if state.exit == nil {
                    state.nextWaiter += 1
                    state.waiters[state.nextWaiter] = continuation
                }
                return state.exit
            }
            if let exit { continuation.resume(returning: exit) }
        }
    }

    /// Nil when the waiting task was cancelled first.
    func waitForExit() async -> ChildExit? {
        let identifier = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let exit = state.withLock { state -> ChildExit?? in
                    if let exit = state.exit { return .some(exit) }
                    if Task.isCancelled { return .some(nil) }
                    state.waiters[identifier] = continuation
                    return nil
                }
                if let exit { continuation.resume(returning: exit) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiters.removeValue(forKey: identifier) }
            waiter?.resume(returning: nil)
        }
    }
}

/// The process groups that must not outlive us when there is no time for an orderly end.
enum LiveGroups {
    private static let groups = Mutex<Set<pid_t>>([])

    static func insert(_ group: pid_t) { groups.withLock { _ = $0.insert(group) } }
    static func remove(_ group: pid_t) { groups.withLock { _ = $0.remove(group) } }

    static func killAll() {
        groups.withLock { groups in
            for group in groups { _ = kill(-group, SIGKILL) }
        }
    }
}

extension Duration {
    /// Rounded up, within 0 … 1 hour: for `poll`, which is asked again when time is left.
    fileprivate var wholeMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        if seconds >= 3600 { return 3_600_000 }
        if seconds < 0 || attoseconds < 0 { return 0 }
        return Int32(seconds) * 1000 + Int32((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
