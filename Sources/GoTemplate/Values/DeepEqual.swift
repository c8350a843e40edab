/// `reflect.DeepEqual`: same types, same contents all the way down. Nil and empty slices or maps differ.
enum DeepEqual {
    static func equal(_ left: GoValue, _ right: GoValue, depth: Int = 0) -> Bool {
        // Something that contains itself is taken as equal, as Go does when it meets a pair again.
        guard depth < 1000 else { return true }
        guard left.type == right.type else { return false }
        switch (left.storage, right.storage) {
        case (.none, .none): return true
        case (.bool(let a), .bool(let b)): return a == b
        case (.signed(let a), .signed(let b)): return a == b
        case (.unsigned(let a), .unsigned(let b)): return a == b
        case (.float(let a), .float(let b)): return a == b
        case (.complex(let a, let b), .complex(let c, let d)): return a == c && b == d
        case (.string(let a), .string(let b)): return a == b
        case (.bytes(let a), .bytes(let b)): return a == b
        case (.time(let a), .time(let b)): return a == b
        case (.version(let a), .version(let b)): return a == b
        case (.placeholder(let a), .placeholder(let b)): return a == b
        case (.pointer(let a), .pointer(let b)): return equal(a, b, depth: depth + 1)
        case (.list(let a), .list(let b)), (.fields(let a), .fields(let b)):
            return a.count == b.count && zip(a, b).allSatisfy { equal($0, $1, depth: depth + 1) }
        case (.map(let a), .map(let b)):
            if a === b { return true }
            let (first, second) = (a.entries, b.entries)
            return first.count == second.count
                && first.allSatisfy { key, value in second[key].map { equal(value, $0, depth: depth + 1) } ?? false }
        default: return false
        }
    }
}
