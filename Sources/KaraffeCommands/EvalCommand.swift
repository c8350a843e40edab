import ActionEngine
import ArgumentParser
import Diagnostics
import Glibc
import GoFormats
import GoTemplate
import RunnerContract

/// `karaffe eval`: renders one expression, or many.
struct EvalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval", abstract: "Render a template, to try it out.",
        discussion: """
            --params FILE gives the root object in JSON: Go field names outside (Options, Secrets, Phases, …), JSON names \
            inside Kubernetes objects, Secret data in base64.

            --batch FILE reads JSON lines {"id": …, "template": "…", "params": {…}} and prints a JSON line for each: \
            {"id": …, "output": "…"} or {"id": …, "error": "…", "kind": "…", "line": n, "column": n}. A line without params \
            uses those of --params.
            """)

    @Argument(help: ArgumentHelp("The template.", valueName: "template"))
    var template: String?

    @Option(help: ArgumentHelp("File with the root object; - is standard input.", valueName: "file"))
    var params: String?

    @Option(help: ArgumentHelp("File of JSON lines to render; - is standard input.", valueName: "file"))
    var batch: String?

    func validate() throws {
        if (template == nil) == (batch == nil) { throw ValidationError("Give either a template or --batch FILE.") }
    }

    func run() async throws {
        let output = Output(secrets: KnownSecrets(), reveals: true)
        let root: GoValue
        do {
            root = try readRoot()
        } catch {
            output.say("error: \(error)")
            throw Exit(.input)
        }
        if let template { return try evaluate(template, root, output) }
        try evaluateLines(root, output)
    }

    private func readRoot() throws -> GoValue {
        guard let params else { return try TemplateParams.root(json: [:]) }
        let bytes = try Files.read(params)
        let json: JSONValue
        do throws(JSONError) { json = try JSONParser.parse(bytes) } catch {
            throw FileError(message: "\(params) is not JSON: \(error)")
        }
        // The file of vectors itself will do as well.
        return try TemplateParams.root(json: json["fixture"] ?? json)
    }

    private func evaluate(_ template: String, _ root: GoValue, _ output: Output) throws {
        do throws(TemplateError) {
            let text = try Template(parsing: template).renderBytes(root)
            _ = Files.writeAll(text + [0x0a], to: STDOUT_FILENO)
        } catch {
            let source = SourceFile(name: "template", text: template)
            output.report(
                [
                    Diagnostic(
                        rule: "template", error.kanisterMessage, at: source.range(error.utf8Range),
                        hint: Self.hint(error))
                ], sources: [source])
            throw Exit(.input)
        }
    }

    private static func hint(_ error: TemplateError) -> String? {
        if case .missingKey(let key) = error.kind, let near = nearMissHint(for: key, among: error.available) {
            return near
        }
        return error.available.isEmpty ? nil : "available: \(error.available.prefix(20).joined(separator: ", "))"
    }

    private func evaluateLines(_ root: GoValue, _ output: Output) throws {
        guard let batch else { return }
        let bytes: [UInt8]
        do throws(FileError) { bytes = try Files.read(batch) } catch {
            output.say("error: \(error.message)")
            throw Exit(.input)
        }
        for (index, line) in bytes.split(separator: 0x0a).enumerated() {
            guard let request = try? JSONParser.parse(Array(line)), let template = request["template"]?.stringValue
            else {
                output.say("error: \(batch): line \(index + 1) is not JSON with a member 'template'")
                throw Exit(.input)
            }
            var answer = JSONObject()
            answer["id"] = request["id"]
            do throws(GoDecodingError) {
                let own = try request["params"].map { params throws(GoDecodingError) in
                    try TemplateParams.root(json: params)
                }
                Self.answer(template, own ?? root, &answer)
            } catch {
                answer["error"] = .string("params: \(error)")
                answer["kind"] = "params"
            }
            output.data(GoJSON.text(.object(answer), style: .init(escapesHTML: false, endsWithNewline: true)))
        }
    }

    private static func answer(_ template: String, _ root: GoValue, _ answer: inout JSONObject) {
        do throws(TemplateError) {
            answer["output"] = .string(try Template(parsing: template).render(root))
        } catch {
            let place = SourceFile(name: "", text: template).position(at: error.utf8Range.lowerBound)
            answer["error"] = .string(error.kanisterMessage)
            answer["kind"] = .string(kind(error.kind))
            answer["line"] = .integer(Int64(place.line))
            answer["column"] = .integer(Int64(place.column))
        }
    }

    private static func kind(_ kind: TemplateError.Kind) -> String {
        switch kind {
        case .parse: return "parse"
        case .missingKey: return "missingKey"
        case .execution: return "execute"
        case .limit: return "limit"
        }
    }
}
