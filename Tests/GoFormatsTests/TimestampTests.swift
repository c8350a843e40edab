import GoFormats
import Testing

struct TimestampTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", 0),
        ("2026-01-01T00:00:00.100000000Z", "2026-01-01T00:00:00.1Z", 1_767_225_600_100_000_000),
        ("2024-02-29T23:59:59.123456789+02:30", "2024-02-29T21:29:59.123456789Z", 1_709_242_199_123_456_789),
        ("1754-08-30T22:43:41.128654848Z", "1754-08-30T22:43:41.128654848Z", -6_795_364_578_871_345_152),
    ])
    func readsAndPrintsRFC3339(_ text: String, _ printed: String, _ nanoseconds: Int64) throws {
        let time = try #require(Timestamp(rfc3339: text))
        #expect(time.description == printed)
        #expect(time.unixNanoseconds == nanoseconds)
        #expect(Timestamp(unixNanoseconds: nanoseconds) == time)
    }

    @Test(arguments: [
        "", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx", "0000-01-01T00:00:00Z", "2026-01-01T00:00:00+2:00",
    ])
    func refusesEverythingElse(_ text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func everyDayOfFourCenturiesSurvivesTheRoundTrip() {
        var failures = 0
        for day in Int64(-200_000)...100_000 where CivilDate(daysSinceEpoch: day).daysSinceEpoch != day {
            failures += 1
        }
        #expect(failures == 0)
    }

    @Test func outsideTheNanosecondRangeThereIsNoNumber() {
        #expect(Timestamp(rfc3339: "0001-01-01T00:00:00Z")?.unixNanoseconds == nil)
        #expect(Timestamp(unixNanoseconds: .min).unixNanoseconds == .min)
        #expect(Timestamp(unixNanoseconds: .max).unixNanoseconds == .max)
    }
}
