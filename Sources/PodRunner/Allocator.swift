import Glibc

/// glibc's allocator, set up for a process that moves bytes through a few large buffers.
enum Allocator {
    /// Left to itself, glibc raises the size from which it maps a block on its own to that of the largest block freed, and
    /// keeps a heap for each of up to eight threads a core: chunks of several MiB then leave holes in all of these heaps. A fixed
    /// threshold keeps chunks in mappings of their own; blocks of 1 MiB are reused, and not given back in between.
    ///
    /// Must run before the first thread starts. Does nothing where the C library knows no `mallopt`.
    static func tune() {
        guard let symbol = dlsym(nil, "mallopt") else { return }
        let arenas = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)) / 4)
        typealias Mallopt = @convention(c) (Int32, Int32) -> Int32
        let mallopt = unsafeBitCast(symbol, to: Mallopt.self)
        for (parameter, value) in [(mmapThreshold, 3 << 19), (trimThreshold, 32 << 20), (arenasMax, arenas)] {
            _ = mallopt(parameter, Int32(value))
        }
    }

    // Of <malloc.h>, which Swift's module of the C library leaves out.
    private static let trimThreshold: Int32 = -1
    private static let mmapThreshold: Int32 = -3
    private static let arenasMax: Int32 = -8
}
