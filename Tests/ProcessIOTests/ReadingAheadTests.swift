import BlockingIO
import Glibc
import ProcessIO
import Testing

/// A pipe of which the tests hold both ends.
private struct TestPipe: ~Copyable {
    let reading: Int32
    let writing: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        (reading, writing) = (ends[0], ends[1])
        BrokenPipes.ignore()
    }

    deinit {
        close(reading)
        close(writing)
    }
}

@Suite struct ReadingAheadTests {
    @Test func everyByteArrivesOnceAndInOrder() async throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let (reading, writing) = (ends[0], ends[1])
        defer { close(reading) }
        let bytes = (0..<3_000_001).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 11) }
        startThread {
            var offset = 0
            while offset < bytes.count {
                let count = bytes.withUnsafeBytes {
                    Glibc.write(writing, $0.baseAddress.map { $0 + offset }, $0.count - offset)
                }
                guard count > 0 else { break }
                offset += count
            }
            close(writing)
        }
        let stream = try DescriptorStream(reading, name: "a pipe")
        let read = try await stream.readingAhead { next in
            var all: [UInt8] = []
            while let chunk = try await next() {
                #expect(!chunk.isEmpty && chunk.count <= ChildOutput.chunkSize)
                all += chunk
            }
            #expect(try await next() == nil)
            return all
        }
        #expect(read == bytes)
    }

    /// Nobody takes anything: what is read from the pipe stays below the bound that the documentation states.
    @Test func noMoreIsReadAheadThanTheBound() async throws {
        let pipe = try TestPipe()
        _ = fcntl(pipe.writing, F_SETFL, O_NONBLOCK)
        let stream = try DescriptorStream(pipe.reading, name: "a pipe")
        let pipeSize = Int(fcntl(pipe.reading, 1032))
        try #require(pipeSize > 0)
        let writing = pipe.writing
        let taken = try await stream.readingAhead { _ in
            let block = [UInt8](repeating: 1, count: 4096)
            var (taken, refusals) = (0, 0)
            while refusals < 20 {
                let count = Glibc.write(writing, block, block.count)
                if count > 0 {
                    taken += count
                    refusals = 0
                } else {
                    refusals += 1
                    try await Task.sleep(for: .milliseconds(10))
                }
            }
            return taken
        }
        #expect(taken >= pipeSize)
        // What is ahead, what the thread holds while it waits for a place is none of it, and the pipe.
        #expect(taken <= pipeSize + ChildOutput.chunkCount * ChildOutput.chunkSize)
    }

    @Test func givingUpEndsTheThreadThatWaits() async throws {
        let pipe = try TestPipe()
        let stream = try DescriptorStream(pipe.reading, name: "a pipe")
        #expect(try await stream.readingAhead { _ in 7 } == 7)
    }

    @Test func aCancelledReaderEnds() async throws {
        let pipe = try TestPipe()
        let stream = try DescriptorStream(pipe.reading, name: "a pipe")
        let task = Task { try await stream.readingAhead { next in try await next() } }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    /// What came before is delivered.
    @Test func anErrorOfTheSystemArrivesAtTheReader() async throws {
        let folder = open("/tmp", O_RDONLY | O_DIRECTORY)
        try #require(folder >= 0)
        defer { close(folder) }
        let stream = try DescriptorStream(folder, name: "a folder")
        let error = await #expect(throws: DescriptorError.self) {
            try await stream.readingAhead { next in try await next() }
        }
        #expect(error?.message == "cannot read a folder: Is a directory")
    }
}
