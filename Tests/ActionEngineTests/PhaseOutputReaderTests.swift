import GoFormats
import KanisterFunctions
import RunnerContract
import Testing

@Suite struct PhaseOutputReaderTests {
    static let vectors = (Cases.phaseOutput["phaseOutput"]?.arrayValue ?? []).map { Case(json: $0) }
    static let chunkVectors = (Cases.phaseOutput["kubeExecChunks"]?.arrayValue ?? []).map { Case(json: $0) }

    struct Reading: Equatable {
        var outputs: [String: String] = [:]
        var logged: [String] = []
        var error: String?
    }

    static func input(of vector: Case) -> [UInt8] {
        if let text = vector["input"]?.stringValue { return Array(text.utf8) }
        let long = String(repeating: "a", count: 100_000)
        return Array("\(long)\n\(long)###Phase-output###: {\"key\":\"longstring\",\"value\":\"\(long)\"}\n".utf8)
    }

    static func read(_ chunks: some Sequence<[UInt8]>) -> Reading {
        var reader = PhaseOutputReader()
        var reading = Reading()
        func take(_ events: [PhaseOutputReader.Event]) {
            for event in events {
                switch event {
                case .log(let text, _): reading.logged.append(String(decoding: text, as: UTF8.self))
                case .output(_, _, let payload): reading.logged.append(String(decoding: payload, as: UTF8.self))
                }
            }
        }
        for chunk in chunks { take(reader.append(chunk)) }
        take(reader.finish())
        reading.error = reader.failure?.message
        for member in reader.outputs.members { reading.outputs[member.key] = member.value.stringValue }
        return reading
    }

    static func pieces(_ bytes: [UInt8], of size: Int) -> [[UInt8]] {
        stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
    }

    @Test(arguments: vectors)
    func readsWhatKanisterReads(_ vector: Case) {
        let reading = Self.read([Self.input(of: vector)])
        #expect(reading.error == vector["error"]?.stringValue)
        guard vector["error"] == nil else { return }
        if vector.id == "o-25" {
            #expect(reading.outputs == ["longstring": String(repeating: "a", count: 100_000)])
        } else {
            #expect(reading.outputs == vector.strings("outputs"))
            #expect(reading.logged == vector["logged"]?.arrayValue?.compactMap(\.stringValue))
        }
    }

    @Test(arguments: vectors)
    func readsTheSameInEveryChunking(_ vector: Case) {
        let bytes = Self.input(of: vector)
        let whole = Self.read([bytes])
        let isLong = bytes.count > 10_000
        let sizes = isLong ? [7, 65_535, 65_536, 65_537] : Array(1...max(1, bytes.count))
        for size in sizes { #expect(Self.read(Self.pieces(bytes, of: size)) == whole, "chunks of \(size)") }
        // In the long one the marker starts at 200,001.
        let splits = isLong ? 199_999...200_022 : 0...bytes.count
        for split in splits {
            #expect(Self.read([Array(bytes[..<split]), Array(bytes[split...])]) == whole, "split at \(split)")
        }
    }

    @Test(arguments: chunkVectors)
    func reassemblesLinesThatArriveInPieces(_ vector: Case) {
        let writes = (vector["writes"]?.arrayValue ?? []).compactMap(\.stringValue).map { Array($0.utf8) }
        #expect(Self.read(writes).outputs == vector.strings("required"))
    }

    @Test func keepsTheBeginningOfALongLineAndCountsTheRest() {
        var reader = PhaseOutputReader()
        let line = [UInt8](repeating: 0x61, count: PhaseOutputReader.logLineLimit + 5)
        let events = reader.append(line + [0x0a])
        #expect(events == [.log(text: Array(line.dropLast(5)), droppedBytes: 5)])
    }

    @Test func refusesOutputsThatAnActionSetCannotStore() {
        let value = String(repeating: "v", count: 900_000)
        let line = { (key: String) in Array("###Phase-output###: {\"key\":\"\(key)\",\"value\":\"\(value)\"}\n".utf8) }
        let reading = Self.read([line("one"), line("two")])
        #expect(
            reading.error
                == "output 'two' of 900000 bytes brings the phase's outputs to 1800006 bytes; "
                + "an ActionSet cannot store more than 1500000")
    }

    @Test func refusesALineWithoutEnd() {
        let start = Array("###Phase-output###: ".utf8)
        let endless = [UInt8](repeating: 0x20, count: PhaseOutputReader.payloadLimit + 1)
        #expect(Self.read([start, endless]).error == "an output line is over the limit of 10485760 bytes")
    }

    @Test func takesAValueOfOneMebibyte() {
        let value = String(repeating: "x", count: 1 << 20)
        let bytes = Array("###Phase-output###: {\"key\":\"k\",\"value\":\"\(value)\"}\n".utf8)
        #expect(Self.read(Self.pieces(bytes, of: 65_536)).outputs == ["k": value])
    }

    @Test(arguments: Cases.group("outputKeys"))
    func outputKeysAreCheckedWhereTheyAreWritten(_ vector: Case) {
        let output = PhaseOutput(key: vector["key"]?.stringValue ?? "", value: "v")
        #expect((output != nil) == vector["ok"]?.boolValue)
    }
}
