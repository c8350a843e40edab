import GoFormats

/// How many snapshots of a source are kept for each period; nil: none for that period.
public struct RetentionPolicy: Sendable, Hashable {
    public var keepLatest: Int64?
    public var keepHourly: Int64?
    public var keepDaily: Int64?
    public var keepWeekly: Int64?
    public var keepMonthly: Int64?
    public var keepAnnual: Int64?

    public init(
        keepLatest: Int64? = nil, keepHourly: Int64? = nil, keepDaily: Int64? = nil, keepWeekly: Int64? = nil,
        keepMonthly: Int64? = nil, keepAnnual: Int64? = nil
    ) {
        self.keepLatest = keepLatest
        self.keepHourly = keepHourly
        self.keepDaily = keepDaily
        self.keepWeekly = keepWeekly
        self.keepMonthly = keepMonthly
        self.keepAnnual = keepAnnual
    }

    /// Why each snapshot is kept: `latest-1`, `daily-3`, `incomplete`, in the order kopia lists them. A snapshot without reasons and pins may go.
    ///
    /// kopia shares one set of seen periods among all kinds, so that the weekly key `2026-03` collides with the monthly
    /// one; this matches it. Weeks are those of UTC, as kopia has them where TZ is UTC.
    ///
    /// - Parameter snapshots: all of one source, in any order.
    /// - Returns: reasons by position in `snapshots`.
    ///
    /// Source: kopia `snapshot/policy/retention_policy.go`; `kopia-format` §6.10.
    public func reasons(for snapshots: [Snapshot]) -> [[String]] {
        var reasons = Array(repeating: [String](), count: snapshots.count)
        let order = snapshots.indices.sorted { snapshots[$0].startTime > snapshots[$1].startTime }
        guard let newest = order.first.map({ snapshots[$0].startTime }) else { return reasons }
        let complete = order.first { snapshots[$0].incompleteReason == nil }.map { snapshots[$0].startTime }
        let rules = complete.map(self.rules(since:)) ?? []
        var seen: Set<String> = []
        var counts: [String: Int64] = [:]
        for (rank, position) in order.enumerated() where snapshots[position].incompleteReason == nil {
            let time = snapshots[position].startTime
            for rule in rules {
                let key = rule.key(time, rank)
                guard time >= rule.cutoff, !seen.contains(key), counts[rule.name, default: 0] < rule.limit else {
                    continue
                }
                seen.insert(key)
                counts[rule.name, default: 0] += 1
                reasons[position].append("\(rule.name)-\(counts[rule.name, default: 0])")
            }
        }
        for (rank, position) in order.enumerated() {
            guard snapshots[position].incompleteReason != nil,
                newest.secondsSince(snapshots[position].startTime) < 4 * 3600 || rank < 3
            else { break }
            reasons[position].append("incomplete")
        }
        // The order of evaluation decides who takes a shared key; people see kopia's order of listing.
        let rank = ["latest", "hourly", "daily", "weekly", "monthly", "annual"]
        return reasons.map { names in
            names.sorted { left, right in
                let (first, second) = (left.prefix { $0 != "-" }, right.prefix { $0 != "-" })
                return (rank.firstIndex { $0 == first } ?? rank.count)
                    < (rank.firstIndex { $0 == second } ?? rank.count)
            }
        }
    }

    private struct Rule {
        let name: String
        let limit: Int64
        let cutoff: Timestamp
        let key: (Timestamp, _ rank: Int) -> String
    }

    private func rules(since newest: Timestamp) -> [Rule] {
        let all = [keepLatest, keepHourly, keepDaily, keepWeekly, keepMonthly, keepAnnual]
        let isEverything = all.allSatisfy { ($0 ?? 0) == 0 }
        var rules: [Rule] = []
        func add(
            _ name: String, _ limit: Int64?, _ cutoff: (Int64) -> Timestamp, key: @escaping (Timestamp, Int) -> String
        ) {
            guard let limit, limit > 0 else { return }
            // Far beyond any count of snapshots, and safe to multiply.
            let bounded = min(limit, 1 << 24)
            rules.append(Rule(name: name, limit: bounded, cutoff: cutoff(bounded), key: key))
        }
        add("latest", isEverything ? 1 << 24 : keepLatest, { _ in .goZero }, key: { _, rank in String(rank) })
        add(
            "annual", keepAnnual, { newest.addingMonths(-12 * $0) },
            key: { time, _ in String(time.description.prefix(4)) })
        add(
            "monthly", keepMonthly, { newest.addingMonths(-$0) }, key: { time, _ in String(time.description.prefix(7)) }
        )
        add("weekly", keepWeekly, { newest.adding(seconds: -7 * 86_400 * $0) }, key: { time, _ in time.isoWeek })
        add(
            "daily", keepDaily, { newest.adding(seconds: -86_400 * $0) },
            key: { time, _ in String(time.description.prefix(10)) })
        add(
            "hourly", keepHourly, { newest.adding(seconds: -3600 * $0) },
            key: { time, _ in time.description.prefix(10) + " " + time.description.dropFirst(11).prefix(2) })
        return rules
    }
}

extension Timestamp {
    private var civil: (date: CivilDate, secondOfDay: Int64) {
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        return (CivilDate(daysSinceEpoch: days), seconds - days * 86_400)
    }

    /// As Go's `AddDate`: a day that does not exist rolls over into the next month.
    func addingMonths(_ months: Int64) -> Timestamp {
        let (date, secondOfDay) = civil
        let index = Int64(date.year) * 12 + Int64(date.month - 1) + months
        let year = index >= 0 ? index / 12 : (index - 11) / 12
        guard let first = CivilDate(year: Int(year), month: Int(index - year * 12) + 1, day: 1) else { return self }
        let days = first.daysSinceEpoch + Int64(date.day - 1)
        return Timestamp(seconds: days * 86_400 + secondOfDay, nanoseconds: Int64(nanoseconds))
    }

    /// `2026-03`: the ISO 8601 year and week.
    var isoWeek: String {
        let days = civil.date.daysSinceEpoch
        // 1970-01-01 was a Thursday; a week belongs to the year of its Thursday.
        let weekday = ((days + 3) % 7 + 7) % 7
        let thursday = days - weekday + 3
        let year = CivilDate(daysSinceEpoch: thursday).year
        let newYear = CivilDate(year: year, month: 1, day: 1)?.daysSinceEpoch ?? thursday
        let week = (thursday - newYear) / 7 + 1
        return "\(year)-" + (week < 10 ? "0\(week)" : "\(week)")
    }
}
