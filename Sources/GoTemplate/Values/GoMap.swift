internal import Synchronization

/// The entries of a Go map. A reference, as in Go: `set` and `merge` change the map that everyone else sees.
///
/// Concurrency: safe to share; every call is atomic.
public final class GoMap: Sendable {
    private let storage: Mutex<[GoString: GoValue]>

    public init(_ entries: [GoString: GoValue] = [:]) { storage = Mutex(entries) }

    public subscript(_ key: GoString) -> GoValue? {
        get { storage.withLock { $0[key] } }
        set {
            // The old value is kept until the lock is released: dropping it may run a long chain of deinits.
            let old = storage.withLock { entries -> GoValue? in
                let old = entries[key]
                entries[key] = newValue
                return old
            }
            withExtendedLifetime(old) {}
        }
    }

    public var count: Int { storage.withLock { $0.count } }
    public var entries: [GoString: GoValue] { storage.withLock { $0 } }

    /// Entries in the order Go's template package and `fmt` visit them: by key, byte by byte.
    public var sorted: [(key: GoString, value: GoValue)] { entries.sorted { $0.key < $1.key } }
    public var sortedKeys: [GoString] { storage.withLock { Array($0.keys) }.sorted() }
}
