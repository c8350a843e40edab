internal import GoFormats

/// sprig's functions on dates. What is neither a time nor a number counts as now: `date` of a text formats this moment.
///
/// Source: sprig 2.22.0 `date.go`.
enum DateFunctions {
    static let functions: [TemplateFunction] = formatting + making

    private static func time(_ value: GoValue, _ call: FunctionCall) throws(FunctionFailure) -> GoTime {
        if let time = value.timeValue { return time }
        if value.type == .pointer(.time) {
            guard case .pointer(let target) = value.storage, let time = target.timeValue else {
                throw RuntimeError.nilDereference
            }
            return time
        }
        switch value.type {
        case .basic(.int64), .basic(.int), .basic(.int32):
            return GoTime(seconds: value.signedValue ?? 0, zone: call.options.localZone)
        default: return GoTime(call.now, zone: call.options.localZone)
        }
    }

    private static func format(
        _ call: FunctionCall, _ layout: GoString, _ value: GoValue, zone: String?
    ) throws(FunctionFailure) -> GoValue {
        let time = try time(value, call)
        let local = call.options.localZone
        let zone = zone.map { GoZone.named($0, local: local) ?? .utc } ?? local
        return .string(GoString(bytes: TimeLayout.format(time.with(zone: zone), layout.bytes)))
    }

    private static let dateInZone = TemplateFunction(
        "dateInZone", [.string, .interface, .string], result: "string",
        "A time laid out as a Go date layout shows, in a zone; UTC when the zone is unknown."
    ) { call throws(FunctionFailure) in try format(call, call.string(0), call[1], zone: call.text(2)) }

    private static let formatting: [TemplateFunction] = [
        TemplateFunction(
            "date", [.string, .interface], result: "string",
            "A time, or seconds since 1970, laid out as a Go date layout shows. Anything else, even a text, is now."
        ) { call throws(FunctionFailure) in try format(call, call.string(0), call[1], zone: nil) },
        dateInZone,
        dateInZone.renamed("date_in_zone"),
        TemplateFunction("htmlDate", [.interface], result: "string", "A time as `2006-01-02`.") {
            call throws(FunctionFailure) in try format(call, "2006-01-02", call[0], zone: nil)
        },
        TemplateFunction(
            "htmlDateInZone", [.interface, .string], result: "string", "A time as `2006-01-02` in a zone."
        ) { call throws(FunctionFailure) in try format(call, "2006-01-02", call[0], zone: call.text(1)) },
        TemplateFunction("unixEpoch", [.time], result: "string", "Seconds since 1970.") { call in
            .string(String((call[0].timeValue ?? .zero).seconds))
        },
        TemplateFunction("ago", [.interface], result: "string", "How long ago a time was, to the second.") { call in
            var then = GoTime(call.now)
            if let time = call[0].timeValue {
                then = time
            } else if call[0].type == .int64 || call[0].type == .int {
                then = GoTime(seconds: call[0].signedValue ?? 0)
            }
            let elapsed = difference(GoTime(call.now), then)
            return .string(GoDuration.text(GoDuration.rounded(elapsed, to: 1_000_000_000)))
        },
    ]

    /// Nanoseconds from `earlier` to `later`, held at the ends of 64 bits.
    static func difference(_ later: GoTime, _ earlier: GoTime) -> Int64 {
        let (seconds, overflow) = later.seconds.subtractingReportingOverflow(earlier.seconds)
        let (product, tooLarge) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, over) = product.addingReportingOverflow(Int64(later.nanoseconds - earlier.nanoseconds))
        if overflow || tooLarge || over { return later.seconds < earlier.seconds ? .min : .max }
        return sum
    }

    static func adding(_ nanoseconds: Int64, to time: GoTime) -> GoTime {
        let total = Int64(time.nanoseconds) + nanoseconds % 1_000_000_000
        let carry = total < 0 ? -1 : total / 1_000_000_000
        let seconds = time.seconds &+ nanoseconds / 1_000_000_000 &+ carry
        return GoTime(seconds: seconds, nanoseconds: Int32(total - carry * 1_000_000_000), zone: time.zone)
    }

    private static let dateModify = TemplateFunction(
        "dateModify", [.string, .time], result: "time.Time",
        "A time moved by a duration such as `-1.5h`; unchanged when that is none."
    ) { call in
        let time = call[1].timeValue ?? .zero
        return .time(GoDuration.parse(call.text(0)).map { adding($0, to: time) } ?? time)
    }

    private static let making: [TemplateFunction] = [
        TemplateFunction("now", [], result: "time.Time", "This moment.") { call in
            .time(GoTime(call.now, zone: call.options.localZone))
        },
        TemplateFunction(
            "toDate", [.string, .string], result: "time.Time",
            "The time a text stands for under a Go date layout; the year 1 when it does not fit, without an error."
        ) { call in
            let local = call.options.localZone
            return .time(TimeLayout.parse(call.string(0).bytes, call.string(1).bytes, local: local) ?? .zero)
        },
        dateModify,
        dateModify.renamed("date_modify"),
    ]
}

extension DateFunctions {
    static func isLess(_ left: GoTime, _ right: GoTime) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    /// Calendar arithmetic: February 30 becomes March 1 or 2, as in Go.
    static func adding(years: Int, months: Int, days: Int, to time: GoTime) -> GoTime {
        let parts = ClockParts(time)
        let bound = 1_000_000
        guard abs(years) <= bound, abs(months) <= bound, abs(days) <= bound * 400, abs(parts.date.year) <= bound else {
            return time
        }
        let monthCount = (parts.date.year + years) * 12 + parts.date.month - 1 + months
        let year = monthCount >= 0 ? monthCount / 12 : (monthCount - 11) / 12
        guard let first = CivilDate(year: year, month: monthCount - year * 12 + 1, day: 1) else { return time }
        let day = first.daysSinceEpoch + Int64(parts.date.day - 1 + days)
        let clock = Int64(parts.hour * 3600 + parts.minute * 60 + parts.second)
        let local = day * 86_400 + clock
        let offset = time.zone.offset(at: local - Int64(parts.offset)).seconds
        return GoTime(seconds: local - Int64(offset), nanoseconds: time.nanoseconds, zone: time.zone)
    }
}
