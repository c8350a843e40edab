import ActionEngine
import ArgumentParser
import GoFormats
import RunnerContract

/// `karaffe runs`: earlier local runs.
struct RunsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs", abstract: "Show earlier runs on this machine, their artifacts and logs.",
        discussion: """
            Runs are kept below $KARAFFE_STATE_DIR, else $XDG_STATE_HOME/karaffe, else ~/.local/state/karaffe. A run whose \
            process ended without a word is shown as abandoned. Remove a run by removing its folder.
            """)

    @Argument(
        help: ArgumentHelp(
            "Run to show: its ID, a unique beginning of it, or 'last'. All runs when absent.", valueName: "run"))
    var run: String?

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(help: "Print the run's log.")
    var log = false

    func validate() throws {
        if log, run == nil { throw ValidationError("--log needs a run: give its ID, or 'last'.") }
    }

    func run() async throws {
        let output = Output(secrets: KnownSecrets(), reveals: true)
        do {
            let store = try RunStore.standard()
            if let run {
                try show(try store.record(of: try store.resolve(run)), output)
            } else {
                list(store, output)
            }
        } catch let error as RunStoreError {
            output.say("error: \(error.message)" + (error.hint.map { "\n  hint: \($0)" } ?? ""))
            throw Exit(.input)
        }
    }

    private func show(_ record: RunRecord, _ output: Output) throws {
        if log {
            do throws(FileError) {
                output.data(String(decoding: try Files.read("\(record.folder)/log.txt"), as: UTF8.self))
            } catch {
                output.say("error: \(error.message)")
                throw Exit(.input)
            }
            return
        }
        output.data(json ? Self.json(Self.document(record)) : YAMLWriter.text(Self.document(record)))
    }

    private static func document(_ record: RunRecord) -> JSONValue {
        var document = record.document
        document["state"] = .string(record.shownState)
        document["folder"] = .string(record.folder)
        return .object(document)
    }

    private static func json(_ value: JSONValue) -> String {
        GoJSON.text(value, style: .init(escapesHTML: false, indent: "  ", endsWithNewline: true))
    }

    private func list(_ store: RunStore, _ output: Output) {
        let records = store.identifiers().compactMap { identifier -> RunRecord? in
            do throws(RunStoreError) { return try store.record(of: identifier) } catch {
                output.say("warning: \(error.message)")
                return nil
            }
        }
        if json { return output.data(Self.json(.array(records.map { Self.document($0) }))) }
        guard !records.isEmpty else { return output.say("there are no runs in \(store.folder)") }
        var rows = [["RUN", "ACTION", "OBJECT", "STATE", "SECONDS", "ARTIFACTS"]]
        for record in records {
            rows.append([
                record.identifier, record.text("action"), record.text("object"), record.shownState,
                Self.seconds(record),
                record.artifacts.map(\.name).joined(separator: ","),
            ])
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: max(0, $1 - $0.count)) }
            output.tell(Self.trimmed(cells.joined(separator: "  ")))
        }
    }

    private static func seconds(_ record: RunRecord) -> String {
        guard let started = Timestamp(rfc3339: record.text("started")),
            let ended = Timestamp(rfc3339: record.text("ended"))
        else { return "" }
        let tenths = Int((ended.secondsSince(started) * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }

    private static func trimmed(_ text: String) -> String {
        var text = text
        while text.hasSuffix(" ") { text.removeLast() }
        return text
    }
}
