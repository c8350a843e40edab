internal import GoFormats

/// Methods of the few Go types that have some and can reach a template: times, durations, months, weekdays, versions.
enum Methods {
    /// - Parameter receiver: not a pointer.
    static func method(_ name: String, of receiver: GoValue) -> TemplateFunction? {
        switch receiver.storage {
        case .time: return TimeMethods.byName[name]
        case .version: return VersionMethods.byName[name]
        case .signed:
            guard case .named(let type, _) = receiver.type else { return nil }
            return TimeMethods.scalars[type]?[name]
        default: return nil
        }
    }

    /// What `String()` (or `GoString()`) gives; nil for types without.
    static func string(of value: GoValue, goSyntax: Bool) -> String? {
        switch value.storage {
        case .time(let time): return goSyntax ? TimeMethods.goSyntax(time) : TimeMethods.text(time)
        case .none:
            // Go calls the method, sees it fail on a nil pointer, and prints this.
            let hasMethod = [GoType.time, .kubernetesTime, SemanticVersion.type].map(GoType.pointer).contains(
                value.type)
            return hasMethod && !goSyntax ? "<nil>" : nil
        case .pointer(let target):
            if goSyntax { return nil }
            switch target.storage {
            case .version(let version): return version.text
            case .time(let time): return TimeMethods.text(time)
            default: return nil
            }
        case .signed(let number):
            guard !goSyntax, case .named(let type, _) = value.type else { return nil }
            return TimeMethods.scalarText(number, type: type)
        default: return nil
        }
    }
}

/// Methods of `time.Time` and the types it gives.
enum TimeMethods {
    static let monthType = GoType.named("time.Month", .int)
    static let weekdayType = GoType.named("time.Weekday", .int)

    static func text(_ time: GoTime) -> String { TimeLayout.format(time, "2006-01-02 15:04:05.999999999 -0700 MST") }

    static func goSyntax(_ time: GoTime) -> String {
        let parts = ClockParts(time)
        let zone = time.zone == .utc ? "time.UTC" : "time.Location(\(Quoting.quote(time.zone.name)))"
        return "time.Date(\(parts.date.year), time.\(TimeLayout.months[parts.date.month - 1]), \(parts.date.day), "
            + "\(parts.hour), \(parts.minute), \(parts.second), \(parts.nanoseconds), \(zone))"
    }

    static func scalarText(_ number: Int64, type: String) -> String? {
        switch type {
        case "time.Duration": return GoDuration.text(number)
        case "time.Month":
            return (1...12).contains(number) ? TimeLayout.months[Int(number) - 1] : "%!Month(\(number))"
        case "time.Weekday":
            return (0...6).contains(number) ? TimeLayout.weekdays[Int(number)] : "%!Weekday(\(number))"
        default: return nil
        }
    }

    private static func method(
        _ name: String, _ parameters: [GoType] = [], _ body: @escaping @Sendable (GoTime, FunctionCall) -> GoValue
    ) -> (String, TemplateFunction) {
        let function = TemplateFunction(name, parameters, result: "", "") { call in
            body(call[0].timeValue ?? .zero, call)
        }
        return (name, function)
    }

    private static func part(_ name: String, _ value: @escaping @Sendable (ClockParts) -> Int) -> (
        String, TemplateFunction
    ) {
        method(name) { time, _ in .int(value(ClockParts(time))) }
    }

    static let byName = Dictionary(
        [
            part("Year") { $0.date.year }, part("Day") { $0.date.day }, part("Hour") { $0.hour },
            part("Minute") { $0.minute }, part("Second") { $0.second }, part("Nanosecond") { $0.nanoseconds },
            part("YearDay") { $0.yearDay },
            method("Month") { time, _ in GoValue(monthType, .signed(Int64(ClockParts(time).date.month))) },
            method("Weekday") { time, _ in GoValue(weekdayType, .signed(Int64(ClockParts(time).weekday))) },
            method("Unix") { time, _ in .int64(time.seconds) },
            method("UnixMilli") { time, _ in .int64(time.seconds &* 1000 &+ Int64(time.nanoseconds / 1_000_000)) },
            method("UnixMicro") { time, _ in .int64(time.seconds &* 1_000_000 &+ Int64(time.nanoseconds / 1000)) },
            method("UnixNano") { time, _ in .int64(time.seconds &* 1_000_000_000 &+ Int64(time.nanoseconds)) },
            method("UTC") { time, _ in .time(time.with(zone: .utc)) },
            method("Local") { time, call in .time(time.with(zone: call.options.localZone)) },
            method("IsZero") { time, _ in .bool(time.isZero) },
            method("String") { time, _ in .string(text(time)) },
            method("GoString") { time, _ in .string(goSyntax(time)) },
            method("Format", [.string]) { time, call in
                .string(GoString(bytes: TimeLayout.format(time, call.string(1).bytes)))
            },
            method("Add", [GoDuration.type]) { time, call in
                .time(DateFunctions.adding(call[1].signedValue ?? 0, to: time))
            },
            method("Sub", [.time]) { time, call in
                GoValue(
                    GoDuration.type, .signed(DateFunctions.difference(time, call[1].timeValue ?? .zero)))
            },
            method("After", [.time]) { time, call in
                .bool(DateFunctions.isLess(call[1].timeValue ?? .zero, time))
            },
            method("Before", [.time]) { time, call in
                .bool(DateFunctions.isLess(time, call[1].timeValue ?? .zero))
            },
            method("Equal", [.time]) { time, call in
                let other = call[1].timeValue ?? .zero
                return .bool(time.seconds == other.seconds && time.nanoseconds == other.nanoseconds)
            },
            method("AddDate", [.int, .int, .int]) { time, call in
                .time(
                    DateFunctions.adding(
                        years: call.integer(1), months: call.integer(2), days: call.integer(3), to: time))
            },
        ], uniquingKeysWith: { first, _ in first })

    private static func scalar(
        _ name: String, _ body: @escaping @Sendable (Int64) -> GoValue
    ) -> (String, TemplateFunction) {
        (name, TemplateFunction(name, [], result: "", "") { call in body(call[0].signedValue ?? 0) })
    }

    static let scalars: [String: [String: TemplateFunction]] = [
        "time.Duration": Dictionary(
            [
                scalar("Nanoseconds") { .int64($0) }, scalar("Microseconds") { .int64($0 / 1000) },
                scalar("Milliseconds") { .int64($0 / 1_000_000) },
                scalar("Seconds") { .float64(Double($0 / 1_000_000_000) + Double($0 % 1_000_000_000) / 1e9) },
                scalar("Minutes") { .float64(Double($0 / 60_000_000_000) + Double($0 % 60_000_000_000) / 60e9) },
                scalar("Hours") {
                    .float64(Double($0 / 3_600_000_000_000) + Double($0 % 3_600_000_000_000) / 3600e9)
                },
                scalar("String") { .string(GoDuration.text($0)) },
            ], uniquingKeysWith: { first, _ in first }),
        "time.Month": Dictionary([scalar("String") { .string(scalarText($0, type: "time.Month") ?? "") }]) {
            first, _ in first
        },
        "time.Weekday": Dictionary([scalar("String") { .string(scalarText($0, type: "time.Weekday") ?? "") }]) {
            first, _ in first
        },
    ]
}

/// Methods of semver's `Version`.
enum VersionMethods {
    private static func method(_ name: String, _ body: @escaping @Sendable (SemanticVersion) -> GoValue) -> (
        String, TemplateFunction
    ) {
        let function = TemplateFunction(name, [], result: "", "") { call throws(FunctionFailure) in
            guard case .version(let version) = call[0].storage else { throw RuntimeError.nilDereference }
            return body(version)
        }
        return (name, function)
    }

    private static func comparison(
        _ name: String, _ body: @escaping @Sendable (SemanticVersion, SemanticVersion) -> GoValue
    ) -> (String, TemplateFunction) {
        let function = TemplateFunction(name, [SemanticVersion.pointerType], result: "", "") {
            call throws(FunctionFailure) in
            guard case .version(let left) = call[0].storage, case .pointer(let target) = call[1].storage,
                case .version(let right) = target.storage
            else { throw RuntimeError.nilDereference }
            return body(left, right)
        }
        return (name, function)
    }

    static let byName = Dictionary(
        [
            method("Major") { .int64($0.major) }, method("Minor") { .int64($0.minor) },
            method("Patch") { .int64($0.patch) }, method("Prerelease") { .string($0.prerelease) },
            method("Metadata") { .string($0.metadata) }, method("Original") { .string($0.original) },
            method("String") { .string($0.text) },
            method("IncPatch") { $0.incremented(.patch).value }, method("IncMinor") { $0.incremented(.minor).value },
            method("IncMajor") { $0.incremented(.major).value },
            comparison("Compare") { .int($0.compared(to: $1)) },
            comparison("Equal") { .bool($0.compared(to: $1) == 0) },
            comparison("LessThan") { .bool($0.compared(to: $1) < 0) },
            comparison("GreaterThan") { .bool($0.compared(to: $1) > 0) },
        ], uniquingKeysWith: { first, _ in first })
}
