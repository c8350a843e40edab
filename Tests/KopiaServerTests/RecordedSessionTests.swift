import GoFormats
import HTTPTransport
import SwiftProtobuf
import TestSupport
import Testing

@testable import KopiaServer

/// What the kopia CLI and `kopia server start` (0.23.1) said to each other, message by message:
/// `Fixtures/grpc-session.json`.
struct RecordedSessionTests {
    struct Event: Sendable {
        let session: Int64
        let direction: String
        let bytes: [UInt8]?
        /// Of a message that was recorded without its bytes, because a content is in it.
        let largeID: Int64?
        let error: String?
    }

    static let events: [Event] = {
        guard let json = try? Fixture.json("grpc-session.json") else { return [] }
        let steps = json["steps"]?.arrayValue ?? []
        let events: [JSONValue] = steps.flatMap { $0["events"]?.arrayValue ?? [] }
        return events.map { event in
            Event(
                session: event["session"]?.integerValue ?? 0, direction: event["direction"]?.stringValue ?? "",
                bytes: event["protobuf"]?.stringValue.flatMap { Base64.decode($0) },
                largeID: event["protobuf"]?.isNull == true
                    ? event["message"]?["request_id"]?.stringValue.flatMap { Int64($0) } : nil,
                error: event["error"]?.stringValue)
        }
    }()
    static let sessions = Set(events.map(\.session)).sorted()

    @Test func allOfThemAreThere() {
        #expect(Self.sessions.count == 19)
        #expect(Self.events.count { $0.bytes != nil } == 262)
    }

    /// Field numbers and types: whatever was understood is all that was said.
    @Test func everyMessageComesBackByteForByte() throws {
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        for event in Self.events {
            guard let bytes = event.bytes else { continue }
            let again: [UInt8]
            if event.direction == "request" {
                let request = try SessionRequest(serializedBytes: bytes)
                #expect(request.request != nil)
                again = try request.serializedBytes(options: options)
            } else {
                let response = try SessionResponse(serializedBytes: bytes)
                #expect(response.response != nil)
                again = try response.serializedBytes(options: options)
            }
            #expect(again == bytes)
        }
    }

    /// Each session through the state machine: IDs as kopia counts them, each answer found, the end as it was.
    @Test(arguments: sessions) func theSessionGoesTheSameWay(_ number: Int64) throws {
        var state = SessionState(server: "repository server recorded", user: "runner@client")
        let now = ContinuousClock.now
        var answered = 0
        var asked = 0
        // Several tasks of kopia's client send, so that its IDs do not always come in order.
        var ours: [Int64: Int64] = [:]
        for event in Self.events where event.session == number {
            switch (event.direction, event.bytes) {
            case ("client headers", _): break
            case ("request", let bytes?):
                let request = try SessionRequest(serializedBytes: bytes)
                let body = try #require(request.request)
                let id =
                    asked == 0 ? state.open(now: now) : state.send(body, for: .call(UInt64(asked)), now: now)
                ours[request.requestID] = id
                let again = try frame(body, id: request.requestID, lengthMax: 20 << 20)
                #expect(Array(again.prefix(5)) == GRPCFrame.header(length: bytes.count))
                asked += 1
            case ("request", nil):
                let request = Request.write(prefix: 0, compression: 0)
                let theirs = try #require(event.largeID)
                ours[theirs] = state.send(request, for: .call(UInt64(asked)), now: now)
                asked += 1
            case ("response", nil):
                let theirs = try #require(event.largeID)
                let id = try #require(ours[theirs])
                let events = state.received(try SessionStateTests.message(id, .getContent(.init())), now: now)
                #expect(events.count == 1)
                answered += 1
            case ("response", let bytes?):
                if answered == 0 {
                    let events = state.receivedHead(SessionStateTests.head())
                    #expect(events.isEmpty)
                }
                var response = try SessionResponse(serializedBytes: bytes)
                response.requestID = try #require(ours[response.requestID])
                let message: [UInt8] = try response.serializedBytes()
                let events = state.received(GRPCFrame.header(length: message.count) + message, now: now)
                #expect(events.count == 1)
                if case .failed(let error)? = events.first { Issue.record("\(error)") }
                answered += 1
            case ("end", _):
                guard event.error == "EOF" else {
                    let end = state.receivedEnd(["grpc-status": "7", "grpc-message": "access denied for runner@client"])
                    guard case .failed(let error)? = end.first else {
                        Issue.record("no error")
                        return
                    }
                    #expect(error.code == .credentials)
                    return
                }
                // kopia's client just goes; ours closes first.
                let isClosed = state.close()
                #expect(isClosed)
                guard case .closed? = state.receivedEnd(["grpc-status": "0"]).first else {
                    Issue.record("not closed")
                    return
                }
            default: Issue.record("event \(event.direction) without bytes")
            }
        }
        #expect(answered == asked)
    }
}
