import Glibc

/// Ends the process with an exit code, at once. What an executable's `main` calls in place of `exit`.
///
/// `exit` runs what libraries registered for it: libcrypto frees all of its state. Threads that are still letting go of
/// something (a connection of libcurl, the last reference to a keyed context) would use what was freed, and a command
/// that did its work would end with SIGABRT. What is buffered for standard output is written first; nothing else waits for `exit`.
public func endProcess(_ code: Int32) -> Never {
    fflush(nil)
    _exit(code)
}
