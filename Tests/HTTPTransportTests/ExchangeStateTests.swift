import Testing

@testable import HTTPTransport

struct ExchangeStateTests {
    private struct Broken: Error, Equatable {}

    private func receive(_ state: inout ExchangeState, _ bytes: [UInt8]) -> Result<
        ExchangeState.Accepted, ExchangeState.TooLarge
    > { bytes.withUnsafeBytes { state.receive($0) } }

    // The macros cannot call mutating methods.
    private func offer(_ state: inout ExchangeState, _ chunk: [UInt8]) throws -> Bool { try state.offer([chunk]) }
    private func take(_ state: inout ExchangeState) throws -> ExchangeState.Taken? { try state.take() }
    private func nextToSend(_ state: inout ExchangeState) -> ExchangeState.Outgoing { state.nextToSend() }
    private func takeSendRelease(_ state: inout ExchangeState) -> Bool { state.takeSendRelease() }
    private func takeReceiveRelease(_ state: inout ExchangeState) -> Bool { state.takeReceiveRelease() }

    @Test func oneChunkAtATimeWaitsToBeSent() throws {
        var state = ExchangeState(.streamed(limit: 10))
        #expect(try offer(&state, [1]))
        #expect(try !offer(&state, [2]))
        #expect(nextToSend(&state) == .bytes([1]))
        #expect(try offer(&state, [2]))
        state.finishSending()
        #expect(nextToSend(&state) == .bytes([2]))
        #expect(nextToSend(&state) == .end)
    }

    @Test func partsGoOutInOrderAndEmptyOnesNotAtAll() throws {
        var state = ExchangeState(.streamed(limit: 10))
        let isTaken = try state.offer([[1], [], [2, 3], [4]])
        #expect(isTaken)
        #expect(nextToSend(&state) == .bytes([1]))
        #expect(try !offer(&state, [5]))
        let rest = [state.moreToSend(), state.moreToSend(), state.moreToSend()]
        #expect(rest == [[2, 3], [4], nil])
        #expect(!state.isSendHeld)
        #expect(try offer(&state, [5]))
        let isNothingTaken = try state.offer([[], []])
        #expect(isNothingTaken)
        #expect(nextToSend(&state) == .bytes([5]))
        #expect(nextToSend(&state) == .hold)
    }

    @Test func theConnectionIsHeldWhileThereIsNothingToSend() throws {
        var state = ExchangeState(.streamed(limit: 10))
        #expect(nextToSend(&state) == .hold)
        #expect(!state.needsAttention)
        #expect(!takeSendRelease(&state))
        #expect(try offer(&state, [1]))
        #expect(state.needsAttention)
        #expect(takeSendRelease(&state))
        #expect(!takeSendRelease(&state))
        #expect(nextToSend(&state) == .bytes([1]))
    }

    @Test func endingTheSendingSideReleasesTheConnection() {
        var state = ExchangeState(.streamed(limit: 10))
        #expect(nextToSend(&state) == .hold)
        state.finishSending()
        #expect(takeSendRelease(&state))
        #expect(nextToSend(&state) == .end)
    }

    @Test func theConnectionIsHeldWhileNobodyReads() throws {
        var state = ExchangeState(.streamed(limit: 10))
        #expect(receive(&state, [1, 2, 3, 4, 5, 6]) == .success(.taken))
        #expect(receive(&state, [7, 8, 9, 10, 11]) == .success(.hold))
        #expect(!state.needsAttention)
        #expect(try take(&state) == .bytes([1, 2, 3, 4, 5, 6]))
        #expect(state.needsAttention)
        #expect(takeReceiveRelease(&state))
        #expect(receive(&state, [7, 8, 9, 10, 11]) == .success(.taken))
    }

    @Test func aSingleChunkAboveTheLimitIsStillTaken() {
        var state = ExchangeState(.streamed(limit: 2))
        #expect(receive(&state, [1, 2, 3]) == .success(.taken))
        #expect(receive(&state, [4]) == .success(.hold))
    }

    @Test func aWholeResponseOverTheLimitIsRefused() {
        var state = ExchangeState(.whole(limit: 3))
        #expect(receive(&state, [1, 2, 3]) == .success(.taken))
        #expect(receive(&state, [4]) == .failure(.init(limit: 3)))
    }

    @Test func theEndComesAfterWhatWasReceived() throws {
        var state = ExchangeState(.streamed(limit: 10))
        #expect(try take(&state) == nil)
        _ = receive(&state, [1])
        state.finished(.success(()))
        #expect(try take(&state) == .bytes([1]))
        #expect(try take(&state) == .end)
        #expect(try take(&state) == .end)
    }

    @Test func aFailureComesAfterWhatWasReceived() throws {
        var state = ExchangeState(.streamed(limit: 10))
        _ = receive(&state, [1])
        state.finished(.failure(Broken()))
        #expect(try take(&state) == .bytes([1]))
        #expect(throws: Broken()) { try state.take() }
        #expect(throws: Broken()) { try state.headWhenThere() }
        #expect(throws: Broken()) { try state.offer([[1]]) }
    }

    @Test func sendingAfterTheResponseEndedDoesNothing() throws {
        var state = ExchangeState(.streamed(limit: 10))
        #expect(try offer(&state, [1]))
        state.finished(.success(()))
        #expect(try offer(&state, [2]))
        #expect(try offer(&state, [3]))
    }

    @Test(arguments: [
        HTTPResponseHead(status: 403, headers: [:]),
        HTTPResponseHead(status: 200, headers: ["grpc-status": "7"], version: .http2),
    ])
    func anAnswerBeforeTheEndOfTheRequestEndsTheSendingSide(_ head: HTTPResponseHead) throws {
        var state = ExchangeState(.streamed(limit: 10))
        #expect(nextToSend(&state) == .hold)
        state.receivedHead(head, expectedBytes: nil)
        #expect(state.needsAttention)
        #expect(takeSendRelease(&state))
        #expect(nextToSend(&state) == .end)
        #expect(try offer(&state, [1]))
        #expect(try offer(&state, [2]))
        #expect(nextToSend(&state) == .end)
    }

    @Test func aTrailerEndsTheSendingSide() throws {
        var state = ExchangeState(.streamed(limit: 10))
        state.receivedHead(HTTPResponseHead(status: 200, headers: [:], version: .http2), expectedBytes: nil)
        #expect(try offer(&state, [1]))
        #expect(nextToSend(&state) == .bytes([1]))
        #expect(nextToSend(&state) == .hold)
        state.receivedTrailer("grpc-status", "0")
        #expect(takeSendRelease(&state))
        #expect(nextToSend(&state) == .end)
        #expect(state.trailers["Grpc-Status"] == "0")
    }

    @Test func theFirstOutcomeStands() {
        var state = ExchangeState(.streamed(limit: 10))
        state.finished(.success(()))
        state.abort(Broken())
        #expect(throws: Never.self) { try state.take() }
    }

    @Test func anAbortEndsBothDirections() {
        var state = ExchangeState(.streamed(limit: 10))
        state.abort(Broken())
        #expect(state.needsAttention)
        #expect(nextToSend(&state) == .abort)
        #expect(receive(&state, [1]) == .success(.abort))
        #expect(throws: Broken()) { try state.take() }
    }
}
