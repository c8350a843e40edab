import RunnerContract
import Testing

@Suite struct DatabaseSnapshotsTests {
    @Test func membersAndThoseThatFailed() throws {
        let text = #"[{"database":"a","kopiaSnapshot":{"id":"x1","logicalSize":5}},{"database":"b","error":"no"}]"#
        let found = try #require(try DatabaseSnapshots(parsing: text))
        #expect(found.members.map(\.database) == ["a", "b"])
        #expect(found.members.map { $0.snapshot?.id } == ["x1", nil])
        #expect(found.members(named: ["b"]).map(\.database) == ["b"])
        #expect(found.members(named: []) == found.members)
        #expect(try DatabaseSnapshots(parsing: "[]")?.members == [])
    }

    @Test(arguments: [#"{"id":"x"}"#, "abcdef", ""])
    func anythingButAnArrayIsNone(_ text: String) throws {
        #expect(try DatabaseSnapshots(parsing: text) == nil)
    }

    @Test(arguments: [
        "[", "[1]", "[{}]", #"[{"database":"a"}]"#, #"[{"database":1,"error":""}]"#,
        #"[{"database":"a","kopiaSnapshot":1}]"#,
    ])
    func aBrokenArrayIsAnError(_ text: String) {
        #expect(throws: KopiaSnapshotReferenceError.malformed) { try DatabaseSnapshots(parsing: text) }
    }

    @Test func aSnapshotWithoutAnIDIsAnError() {
        #expect(throws: KopiaSnapshotReferenceError.emptyID) {
            try DatabaseSnapshots(parsing: #"[{"database":"a","kopiaSnapshot":{}}]"#)
        }
    }
}
