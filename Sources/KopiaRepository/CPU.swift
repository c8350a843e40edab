#if canImport(Glibc)
    import Glibc
#endif

package enum CPU {
    /// Cores this process may count on; at least 1.
    package static let count = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
}
