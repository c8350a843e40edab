/// Finding cuts. A rolling hash depends on the last 64 bytes alone and no chunk is shorter, so a cut is a pure function
/// of the chunk's own bytes: nothing is carried from chunk to chunk, the first `lengthMin - 64` bytes are skipped, and
/// stretches of one stream can be searched in parallel (`candidates`) and filtered afterwards.
extension Splitter {
    /// The length of the chunk that starts at `chunk[0]`, or nil when more bytes are needed to know.
    ///
    /// - Parameters:
    ///   - chunk: the bytes since the last cut.
    ///   - tested: how many of them an earlier call saw; 0 for a new chunk.
    ///
    /// Concurrency and memory: pure; the caller's buffer is only read.
    public func cut(in chunk: UnsafeBufferPointer<UInt8>, tested: Int = 0) -> Int? {
        let end = min(chunk.count, lengthMax)
        let first = max(lengthMin, tested + 1)
        guard let base = chunk.baseAddress else { return nil }
        let mask = UInt64(averageLength - 1)
        var found: Int?
        switch rule {
        case .fixed: break
        case .buzhash where first <= end:
            found = RollingHash.firstBuzhash(base, first, end, UInt32(truncatingIfNeeded: mask))
        case .rabinKarp where first <= end: found = RollingHash.firstRabinKarp(base, first, end, mask)
        case .buzhash, .rabinKarp: break
        // Nothing is decided before the last allowed position was seen.
        case .gear: return end == lengthMax ? RollingHash.lowestGear(base, lengthMin, end) : nil
        }
        return found ?? (end == lengthMax ? end : nil)
    }

    /// Every position where the rule would cut if there were neither a shortest nor a longest chunk: `p` means after
    /// byte `p - 1`. Positions below 64 are not looked at.
    ///
    /// Slices that overlap by 63 bytes can be searched independently.
    func candidates(in bytes: UnsafeBufferPointer<UInt8>) -> [Int] {
        guard rule == .buzhash || rule == .rabinKarp, bytes.count >= Self.window, let base = bytes.baseAddress
        else { return [] }
        let mask = UInt64(averageLength - 1)
        var found: [Int] = []
        var next = Self.window
        while next <= bytes.count {
            let hit =
                rule == .buzhash
                ? RollingHash.firstBuzhash(base, next, bytes.count, UInt32(truncatingIfNeeded: mask))
                : RollingHash.firstRabinKarp(base, next, bytes.count, mask)
            guard let hit else { break }
            found.append(hit)
            next = hit + 1
        }
        return found
    }
}

/// The two rolling hashes over a window of 64 bytes. State lives in locals and tables are read through pointers: class
/// or array storage in these loops costs a factor of up to 25.
enum RollingHash {
    /// The first position in `first ... end` after which `hash & mask == 0`.
    ///
    /// hash = XOR over the window of `rotl(table[byte], distance from its end)`; the byte that leaves was rotated 64
    /// times, which is no rotation of 32 bits.
    ///
    /// - Parameter base: `end` readable bytes, `first >= 64`.
    static func firstBuzhash(_ base: UnsafePointer<UInt8>, _ first: Int, _ end: Int, _ mask: UInt32) -> Int? {
        buzhashTable.withUnsafeBufferPointer { table -> Int? in
            guard let table = table.baseAddress else { return nil }
            var first = first
            while end &- first >= 4 &* stretch {
                if let hit = anyBuzhash(base, first, mask, table) {
                    return nextBuzhash(base, first, hit, mask, table)
                }
                first &+= 4 &* stretch
            }
            return nextBuzhash(base, first, end, mask, table)
        }
    }

    private static func nextBuzhash(
        _ base: UnsafePointer<UInt8>, _ first: Int, _ end: Int, _ mask: UInt32, _ table: UnsafePointer<UInt32>
    ) -> Int? {
        var hash = buzhash(base + first, table)
        var position = first
        while hash & mask != 0 {
            if position >= end { return nil }
            hash = rolled(hash, base + position, table)
            position &+= 1
        }
        return position
    }

    /// Positions that each of four searches side by side looks at before they go on together: one search waits for its
    /// own last step, four do not wait for each other.
    private static let stretch = 1 << 10

    /// Whether there is a cut after `first` and less than `4 × stretch` bytes more: then one, not always the first.
    private static func anyBuzhash(
        _ base: UnsafePointer<UInt8>, _ first: Int, _ mask: UInt32, _ table: UnsafePointer<UInt32>
    ) -> Int? {
        let (at0, at1) = (base + first, base + (first &+ stretch))
        let (at2, at3) = (at1 + stretch, at1 + 2 &* stretch)
        var (hash0, hash1) = (buzhash(at0, table), buzhash(at1, table))
        var (hash2, hash3) = (buzhash(at2, table), buzhash(at3, table))
        var step = 0
        while step < stretch {
            if hash0 & mask == 0 { return first &+ step }
            if hash1 & mask == 0 { return first &+ stretch &+ step }
            if hash2 & mask == 0 { return first &+ 2 &* stretch &+ step }
            if hash3 & mask == 0 { return first &+ 3 &* stretch &+ step }
            hash0 = rolled(hash0, at0 + step, table)
            hash1 = rolled(hash1, at1 + step, table)
            hash2 = rolled(hash2, at2 + step, table)
            hash3 = rolled(hash3, at3 + step, table)
            step &+= 1
        }
        return nil
    }

    /// Of the 64 bytes before `end`.
    @inline(__always)
    private static func buzhash(_ end: UnsafePointer<UInt8>, _ table: UnsafePointer<UInt32>) -> UInt32 {
        var hash: UInt32 = 0
        var offset = -Splitter.window
        while offset < 0 {
            hash = (hash &<< 1 | hash &>> 31) ^ table[Int(end[offset])]
            offset &+= 1
        }
        return hash
    }

    /// One byte further: the two look-ups do not wait for the hash.
    @inline(__always)
    private static func rolled(
        _ hash: UInt32, _ next: UnsafePointer<UInt8>, _ table: UnsafePointer<UInt32>
    ) -> UInt32 {
        (hash &<< 1 | hash &>> 31) ^ (table[Int(next[-Splitter.window])] ^ table[Int(next[0])])
    }

    // MARK: Gear

    /// Of the positions `first ... last` the first with the lowest hash.
    ///
    /// hash = sum over the window of `table[byte] << distance from its end`, modulo 2^64.
    ///
    /// - Parameter base: `last` readable bytes, `first >= 64`, `first <= last`.
    static func lowestGear(_ base: UnsafePointer<UInt8>, _ first: Int, _ last: Int) -> Int {
        gearTable.withUnsafeBufferPointer { table -> Int in
            guard let table = table.baseAddress else { return last }
            // Four searches side by side, each over a quarter.
            let quarter = (last &- first &+ 1) / 4
            let (at0, at1) = (base + first, base + (first &+ quarter))
            let (at2, at3) = (at1 + quarter, at1 + 2 &* quarter)
            var (hash0, hash1) = (gear(at0, table), gear(at1, table))
            var (hash2, hash3) = (gear(at2, table), gear(at3, table))
            var (lowest0, lowest1, lowest2, lowest3) = (hash0, hash1, hash2, hash3)
            var (found0, found1, found2, found3) = (0, 0, 0, 0)
            var step = 0
            while step &+ 1 < quarter {
                hash0 = hash0 &<< 1 &+ table[Int(at0[step])]
                hash1 = hash1 &<< 1 &+ table[Int(at1[step])]
                hash2 = hash2 &<< 1 &+ table[Int(at2[step])]
                hash3 = hash3 &<< 1 &+ table[Int(at3[step])]
                step &+= 1
                if hash0 < lowest0 { (lowest0, found0) = (hash0, step) }
                if hash1 < lowest1 { (lowest1, found1) = (hash1, step) }
                if hash2 < lowest2 { (lowest2, found2) = (hash2, step) }
                if hash3 < lowest3 { (lowest3, found3) = (hash3, step) }
            }
            var (lowest, found) = (lowest0, first &+ found0)
            if lowest1 < lowest { (lowest, found) = (lowest1, first &+ quarter &+ found1) }
            if lowest2 < lowest { (lowest, found) = (lowest2, first &+ 2 &* quarter &+ found2) }
            if lowest3 < lowest { (lowest, found) = (lowest3, first &+ 3 &* quarter &+ found3) }
            // What four equal quarters leave.
            var position = first &+ 4 &* quarter
            while position <= last {
                let hash = gear(base + position, table)
                if hash < lowest { (lowest, found) = (hash, position) }
                position &+= 1
            }
            return found
        }
    }

    /// Of the 64 bytes before `end`.
    @inline(__always)
    private static func gear(_ end: UnsafePointer<UInt8>, _ table: UnsafePointer<UInt64>) -> UInt64 {
        var hash: UInt64 = 0
        var offset = -Splitter.window
        while offset < 0 {
            hash = hash &<< 1 &+ table[Int(end[offset])]
            offset &+= 1
        }
        return hash
    }

    /// The first 256 numbers of SplitMix64 with seed 0. Never to change: all chunks would be new.
    private static let gearTable: [UInt64] = {
        var seed: UInt64 = 0
        return (0..<256).map { _ in
            seed &+= 0x9e37_79b9_7f4a_7c15
            var word = seed
            word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
            return word ^ (word >> 31)
        }
    }()

    // MARK: Rabin-Karp

    /// As `firstBuzhash`; hash = the window as a polynomial over GF(2), oldest byte first, modulo `polynomial`.
    static func firstRabinKarp(_ base: UnsafePointer<UInt8>, _ first: Int, _ end: Int, _ mask: UInt64) -> Int? {
        rabinKarpTables.withUnsafeBufferPointer { tables -> Int? in
            guard let reduce = tables.baseAddress else { return nil }
            let leave = reduce + 256
            let keep: UInt64 = 1 << UInt64(degree - 8) - 1
            var hash: UInt64 = 0
            var position = first &- Splitter.window
            while position < first {
                hash = ((hash & keep) &<< 8 | UInt64(base[position])) ^ reduce[Int(hash &>> UInt64(degree - 8))]
                position &+= 1
            }
            while hash & mask != 0 {
                if position >= end { return nil }
                hash ^= leave[Int(base[position &- Splitter.window])]
                hash = ((hash & keep) &<< 8 | UInt64(base[position])) ^ reduce[Int(hash &>> UInt64(degree - 8))]
                position &+= 1
            }
            return position
        }
    }

    private static let polynomial: UInt64 = 0x2e_3e3e_4a30_5605
    private static let degree = 53

    /// 256 remainders of `byte · x^degree`, then 256 of `byte · x^(8·63)`.
    private static let rabinKarpTables: [UInt64] = {
        func timesByte(_ value: UInt64) -> UInt64 {
            var value = value
            for _ in 0..<8 {
                value <<= 1
                if value >> UInt64(degree) & 1 == 1 { value ^= polynomial }
            }
            return value
        }
        // degree is no multiple of 8: bring each byte to x^degree bit by bit.
        let reduce = (0..<256).map { byte -> UInt64 in
            var value = UInt64(byte)
            for _ in 0..<degree {
                value <<= 1
                if value >> UInt64(degree) & 1 == 1 { value ^= polynomial }
            }
            return value
        }
        let leave = (0..<256).map { byte -> UInt64 in
            var value = UInt64(byte)
            for _ in 0..<(Splitter.window - 1) { value = timesByte(value) }
            return value
        }
        return reduce + leave
    }()

    /// The default table of the rolling-hash library that kopia uses: the low 32 bits of the first distinct draws of
    /// Go's `math/rand` with seed 1.
    private static let buzhashTable: [UInt32] = [
        0x07fcfd52, 0x5f3f164f, 0x6695721d, 0x7b4d7c03, 0x49c6e2d1, 0x0d1d68d8, 0x7916001e, 0x22c4d294,
        0x392907a0, 0x189deb99, 0xf3875d04, 0x95e94627, 0xba517936, 0x83c471d4, 0x7cb3ad0b, 0xa42655d9,
        0x7c4e0b68, 0xd4491d1b, 0x25632186, 0xa9d78d73, 0x169c1121, 0xbb158644, 0xb68e6a3f, 0x759805f5,
        0x2cdf5b8a, 0x57d29245, 0xc5d6d268, 0x6b83d0e2, 0x7674cb74, 0xb068d9db, 0xbb9457d8, 0xa15d523b,
        0x794209ff, 0x9da1d7eb, 0x5a25e0cb, 0xf840ec4b, 0x36d4ff9b, 0xf4a5ee3b, 0x5ad145f4, 0xf6740304,
        0x3f71f8cb, 0x91018d7c, 0xfccae224, 0xb186b51f, 0x7d9e8fbc, 0x93f93f33, 0xf63a5b6f, 0x19476c36,
        0xbc897d06, 0x169873f5, 0x724c7af1, 0x581eeb39, 0x2257bb7d, 0x6f269a28, 0xbe8e9981, 0x7039374b,
        0x25416fed, 0xded7e411, 0x6678e7aa, 0x244fcd36, 0x56aa6b86, 0xde4561ad, 0x3e99b0a8, 0xbed80a3a,
        0xe58348b0, 0xaf63e58d, 0x406aec9d, 0xc233f007, 0xa5ead0bd, 0x050143a6, 0x738b6829, 0x3699caf3,
        0x967cd710, 0x06f665a6, 0x25fd3d7f, 0x0fd6e479, 0x26fbf29b, 0x16de4c35, 0x2bf3394b, 0x4af864ba,
        0x1cb9e6c6, 0x41439089, 0x69a39144, 0xc34f182d, 0x421657ff, 0xf9fc6568, 0x8b02c917, 0x6c9c64b7,
        0x83d17909, 0xea3d4ca5, 0xaf635d47, 0x7fc78769, 0xbe14186f, 0x3539b1ea, 0xe9174548, 0xc051e18a,
        0x07b73658, 0x29ec300c, 0xa250bf34, 0xa7ed5d97, 0xfe3dea79, 0xb8b352f7, 0xc9b344e9, 0x8e5f0475,
        0x1941e52a, 0x2694763d, 0x6b40eabc, 0x8485d68b, 0x336eacca, 0x4399a363, 0x67149b9c, 0xae10a901,
        0x5a5ffefb, 0x563b26de, 0x6f00f02b, 0x9f06397d, 0x545836c4, 0x31d6416b, 0x12f4128d, 0x752f33ff,
        0x4a305605, 0x0c8dc214, 0x72521a90, 0x8eb3e4a1, 0x83efc6c6, 0x090ec04f, 0xc1540864, 0xec2c8aaa,
        0x70ab53ba, 0x38d3b494, 0x878d4063, 0xa317ae3f, 0x3cb62f07, 0xf360412c, 0x4ffbf3a9, 0x22d554b4,
        0x3f190476, 0x0796a710, 0xf5c353cf, 0x04f59bb7, 0x2d230176, 0xe2d6a9ce, 0x3f1d7427, 0xafd915bb,
        0xb01aa47d, 0xcde2c269, 0x7417bf38, 0x1e094f9a, 0x55ece0ea, 0xcb94539b, 0x13d346b5, 0x54e0c0c1,
        0x6db30e37, 0xdc02b390, 0xa6e222f5, 0xe2f8c1fe, 0x2e166bdf, 0x67588a74, 0x21898f34, 0x4c330f1d,
        0x19af53ba, 0x70658b94, 0x133c9673, 0x4efeeadd, 0x0f212551, 0x070f0914, 0x6f241c57, 0xf13e41b7,
        0x3be70cb0, 0xf4b6f47f, 0x20f31127, 0x6551cb89, 0x289cbd2c, 0x8946f23d, 0x40a79c3b, 0x03c6d982,
        0x0365790c, 0x0cf52517, 0x0bb131e8, 0x3da5475c, 0x139efcca, 0xbcd44eb4, 0xa54af747, 0xb73c32ed,
        0x9f6c47ac, 0xe8ba8f22, 0x54043a66, 0x3b0a7f20, 0xb4926431, 0xe17c02d5, 0x8f0d2558, 0x014fbff2,
        0x7f803594, 0x79b76fbe, 0x33fe2656, 0x792c8ee8, 0x6b41292d, 0xfdff9c32, 0x82093298, 0x59483870,
        0xb2d5a113, 0x2dd96e5a, 0x5b8e56a9, 0xebd9dda9, 0x04f9ce92, 0xcb440950, 0xa67e52b1, 0x49f6d261,
        0x92417fc3, 0x1c3b6bd9, 0xb027b7e0, 0x1f765a41, 0x44c9ab40, 0x45d99121, 0xfd7a84af, 0x99b75788,
        0xe3abff4a, 0xa88aa67f, 0x736e41cc, 0x9cbcbe5e, 0x7b3ccebc, 0xe1b7fa93, 0x315ae6af, 0x9cced2e2,
        0x19ea0f2f, 0xa9770722, 0x84a6bfdc, 0x88f03f07, 0xa44a03a4, 0x27a6b885, 0xb580c8ba, 0x018153da,
        0xb648e604, 0x51180278, 0x893a310f, 0x728f5f4c, 0x37f5198b, 0x3cc0ea9b, 0xe39d02db, 0x13883142,
        0xca599392, 0xc12d154e, 0xc176163d, 0x5c92e2b8, 0xf9f95ede, 0xb802bdfc, 0x8a928585, 0xdca6e10b,
        0x887953e8, 0x48b9e962, 0xe533e9a3, 0x5e0ce6e5, 0x1dba77ae, 0xc8214b8a, 0x53b428d7, 0x4cf20a65,
    ]
}
