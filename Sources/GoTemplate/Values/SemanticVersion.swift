/// A `*semver.Version` of Masterminds' semver 1.5, looser than the specification: `v1.2` is 1.2.0.
///
/// Source: Masterminds/semver 1.5 `version.go`.
struct SemanticVersion: Sendable, Hashable {
    var major: Int64
    var minor: Int64
    var patch: Int64
    var prerelease: String
    var metadata: String
    /// As it was given.
    var original: String

    static let type = GoType.structure(GoStructType(name: "semver.Version", fields: []))
    static let pointerType = GoType.pointer(type)

    var value: GoValue { GoValue(Self.type, .version(self)) }

    var text: String {
        "\(major).\(minor).\(patch)" + (prerelease.isEmpty ? "" : "-" + prerelease)
            + (metadata.isEmpty ? "" : "+" + metadata)
    }

    enum Part { case major, minor, patch }

    func incremented(_ part: Part) -> SemanticVersion {
        var next = self
        next.prerelease = ""
        next.metadata = ""
        switch part {
        case .patch: if prerelease.isEmpty { next.patch &+= 1 }
        case .minor: (next.minor, next.patch) = (minor &+ 1, 0)
        case .major: (next.major, next.minor, next.patch) = (major &+ 1, 0, 0)
        }
        next.original = (original.hasPrefix("v") ? "v" : "") + next.text
        return next
    }

    /// −1, 0 or 1; metadata does not count.
    func compared(to other: SemanticVersion) -> Int {
        for (left, right) in [(major, other.major), (minor, other.minor), (patch, other.patch)] where left != right {
            return left < right ? -1 : 1
        }
        if prerelease.isEmpty || other.prerelease.isEmpty {
            return prerelease == other.prerelease ? 0 : prerelease.isEmpty ? 1 : -1
        }
        return Self.compare(prerelease, other.prerelease)
    }

    private static func compare(_ left: String, _ right: String) -> Int {
        let left = left.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let right = right.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        for index in 0..<max(left.count, right.count) {
            let order = comparePart(
                index < left.count ? left[index] : "", index < right.count ? right[index] : "")
            if order != 0 { return order }
        }
        return 0
    }

    private static func comparePart(_ left: String, _ right: String) -> Int {
        if left == right { return 0 }
        if left.isEmpty { return -1 }
        if right.isEmpty { return 1 }
        switch (UInt64(left), UInt64(right)) {
        case (nil, nil): return GoString(right) < GoString(left) ? 1 : -1
        case (nil, _?): return 1
        case (_?, nil): return -1
        case (let a?, let b?): return a > b ? 1 : -1
        }
    }
}
