import KopiaBlob

/// Names of packs, each kept once and known by a number.
///
/// Memory: the name's bytes (55 for kopia's names), 4 for its end and 8 … 16 for its slot; a dictionary of strings
/// would need three times as much, which counts when a pack holds five contents.
struct PackNameTable: Sendable {
    private var names: [UInt8] = []
    private var ends: [UInt32] = []
    /// Open addressing; number + 1, or 0 when free. The size is a power of two and at most half is used.
    private var slots: [UInt32] = Array(repeating: 0, count: 16)

    var count: Int { ends.count }
    var memoryFootprint: Int { names.capacity + 4 * ends.capacity + 4 * slots.count }

    /// Nil when the names would need more than 4 GiB.
    mutating func number(of pack: BlobID) -> UInt32? {
        let name = Array(pack.description.utf8)
        let slot = findSlot(name)
        if slots[slot] != 0 { return slots[slot] - 1 }
        guard let end = UInt32(exactly: names.count + name.count), ends.count < Int(UInt32.max) - 1 else { return nil }
        names += name
        ends.append(end)
        let number = UInt32(ends.count - 1)
        slots[slot] = number + 1
        if ends.count * 2 > slots.count { grow() }
        return number
    }

    func contains(_ pack: BlobID) -> Bool { slots[findSlot(Array(pack.description.utf8))] != 0 }

    /// - Parameter number: one that this table gave out.
    func bytes(_ number: UInt32) -> ArraySlice<UInt8> {
        let start = number == 0 ? 0 : Int(ends[Int(number) - 1])
        return names[start..<Int(ends[Int(number)])]
    }

    /// Gives back what growing by doubling left over.
    mutating func trim() {
        names = exactCopy(names)
        ends = exactCopy(ends)
    }

    private func findSlot(_ name: [UInt8]) -> Int {
        var slot = Int(PackIndexBuilder.fnv1a(name)) & (slots.count - 1)
        while slots[slot] != 0, !bytes(slots[slot] - 1).elementsEqual(name) { slot = (slot + 1) & (slots.count - 1) }
        return slot
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        for number in 0..<UInt32(ends.count) { slots[findSlot(Array(bytes(number)))] = number + 1 }
    }
}

/// The same elements without spare room.
func exactCopy<Element>(_ elements: [Element]) -> [Element] {
    guard elements.capacity > elements.count else { return elements }
    return [Element](unsafeUninitializedCapacity: elements.count) { buffer, count in
        count = elements.count
        _ = buffer.initialize(fromContentsOf: elements)
    }
}
