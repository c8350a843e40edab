/// The input generators of the golden fixtures; integers are 64 bits and wrap.
///
/// Source: `README.md` of the kopia golden fixtures, "Inputs". Vectors: `inputs.json` beside it, checked in
/// `KopiaFormatTests`.
public enum SeededBytes {
    static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// splitmix64 as little-endian bytes.
    public static func rnd(_ seed: UInt64, _ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            var state = seed
            while filled < count {
                state &+= 0x9E37_79B9_7F4A_7C15
                var word = mix(state)
                for _ in 0..<min(8, count - filled) {
                    buffer[filled] = UInt8(truncatingIfNeeded: word)
                    word >>= 8
                    filled += 1
                }
            }
        }
    }

    /// One row of a dump, with its line break.
    public static func row(_ seed: UInt64, _ number: UInt64) -> String {
        let h = mix(seed &* 0x9E37_79B9_7F4A_7C15 &+ number)
        func word(_ shift: UInt64, _ mask: UInt64) -> String { words[Int(h >> shift & mask)] }
        let cents = h >> 24 & 3
        return
            "\(number)\t\(word(0, 63)) \(word(6, 63))\t\(word(12, 15))\t\(h >> 16 & 255).0\(cents)\t\(notes[Int(h >> 26 & 7)])\n"
    }

    /// A text like pg_dump's. Rows of `changed` come from `changedSeed`.
    public static func dump(
        _ seed: UInt64, _ rows: UInt64, changed: ClosedRange<UInt64>? = nil, changedSeed: UInt64 = 0
    ) -> [UInt8] {
        var text = Array(dumpHead.utf8)
        text.reserveCapacity(Int(rows) * 100 + 1024)
        for number in 1...max(1, rows) where number <= rows {
            let isChanged = changed?.contains(number) ?? false
            text.append(contentsOf: row(isChanged ? changedSeed : seed, number).utf8)
        }
        text.append(contentsOf: dumpFoot.utf8)
        return text
    }

    /// Numbered lines.
    public static func counter(_ lines: Int) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(lines * 80)
        for line in 0..<lines {
            text.append(contentsOf: "\(line)\t\(words[line % 64])\t\(notes[line / 64 % 8])\n".utf8)
        }
        return text
    }

    /// `unit` again and again, cut to `count` bytes.
    public static func repeated(_ unit: [UInt8], _ count: Int) -> [UInt8] {
        guard !unit.isEmpty else { return [] }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + unit.count)
        while bytes.count < count { bytes.append(contentsOf: unit) }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    public static let words = [
        "alder", "amber", "anvil", "apple", "arrow", "aspen", "basil", "beech", "birch", "blaze", "bloom", "brass",
        "brick", "brook", "cedar", "cider", "cliff", "cloud", "clover", "coral", "crane", "creek", "crown", "daisy",
        "delta", "dune", "eagle", "ember", "fable", "falcon", "fern", "field", "flint", "forest", "frost", "garnet",
        "glade", "grove", "harbor", "hazel", "heron", "hollow", "indigo", "iris", "ivory", "jasper", "juniper", "lark",
        "laurel", "linen", "maple", "marsh", "meadow", "moss", "oak", "onyx", "opal", "orchid", "pine", "quartz",
        "raven", "river", "sage", "willow",
    ]

    public static let notes = [
        "account opened after identity check by the branch office on record",
        "monthly statement delivered by mail and confirmed by the customer",
        "address updated following a request received through the web portal",
        "credit limit raised after the annual review of payment history",
        "card reissued because the previous one was reported as damaged",
        "no activity recorded during the current accounting period so far",
        "balance transferred from a closed account with the same owner",
        "customer asked for paperless communication in all future matters",
    ]

    static let dumpHead = """
        --
        -- PostgreSQL database dump
        --

        SET statement_timeout = 0;
        SET client_encoding = 'UTF8';

        CREATE TABLE public.accounts (
            id bigint NOT NULL,
            name text NOT NULL,
            city text,
            balance numeric(12,2),
            note text
        );

        COPY public.accounts (id, name, city, balance, note) FROM stdin;

        """

    static let dumpFoot = """
        \\.

        ALTER TABLE ONLY public.accounts ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

        --
        -- PostgreSQL database dump complete
        --


        """
}

/// splitmix64 as a generator, so that a seed repeats a test exactly.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return SeededBytes.mix(state)
    }
}
