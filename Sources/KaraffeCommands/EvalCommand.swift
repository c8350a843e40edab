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

            --batch FILE reads JSON lines {"id": …, "template": "…", "params": {…}}, or with "paramsFile": "FILE" in place of \
            params, and prints a JSON line for each: {"id": …, "ok": true, "text": "…"} or {"id": …, "ok": false, \
            "error": "…", "kind": "…", "line": n, "column": n}. A line without params uses those of --params. The exit code \
            is 3 when a line could not be read; templates that fail do not change it.
            """)

    @Argument(help: ArgumentHelp("The template.", valueName: "template"))
    var template: String?

    @Option(help: ArgumentHelp("File with the root object; - is standard input.", valueName: "file"))
    var params: String?

    @Option(help: ArgumentHelp("File of JSON lines to render; - is standard input.", valueName: "file"))
    var batch: String?

    @OptionGroup var templates: TemplateFlags

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
        return try Self.root(inFile: params)
    }

    private static func root(inFile path: String) throws -> GoValue {
        let bytes = try Files.read(path)
        let json: JSONValue
        do throws(JSONError) { json = try JSONParser.parse(bytes) } catch {
            throw FileError(message: "\(path) is not JSON: \(error)")
        }
        // The file of vectors itself will do as well.
        return try TemplateParams.root(json: json["fixture"] ?? json)
    }

    private func evaluate(_ template: String, _ root: GoValue, _ output: Output) throws {
        do throws(TemplateError) {
            let text = try Template(parsing: template, options: templates.options).renderBytes(root)
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
        var files: [String: GoValue] = [:]
        var hasUnreadable = false
        for line in bytes.split(separator: 0x0a) {
            var answer = JSONObject()
            do {
                let request = try JSONParser.parse(Array(line))
                answer["id"] = request["id"] ?? .null
                guard let template = request["template"]?.stringValue else {
                    throw FileError(message: "the line has no member 'template' with a text")
                }
                self.answer(template, try Self.root(of: request, &files) ?? root, &answer)
            } catch {
                hasUnreadable = true
                answer["id"] = answer["id"] ?? .null
                answer["ok"] = false
                answer["error"] = .string("\(error)")
                answer["kind"] = "input"
            }
            output.data(GoJSON.text(.object(answer), style: .init(escapesHTML: false, endsWithNewline: true)))
        }
        if hasUnreadable { throw Exit(.input) }
    }

    /// The line's own root; each file is read once.
    private static func root(of request: JSONValue, _ files: inout [String: GoValue]) throws -> GoValue? {
        if let params = request["params"] { return try TemplateParams.root(json: params) }
        guard let file = request["paramsFile"] else { return nil }
        guard let path = file.stringValue else { throw FileError(message: "'paramsFile' is not a text") }
        if let known = files[path] { return known }
        let root = try root(inFile: path)
        files[path] = root
        return root
    }

    private func answer(_ template: String, _ root: GoValue, _ answer: inout JSONObject) {
        do throws(TemplateError) {
            let text = try Template(parsing: template, options: templates.options).render(root)
            answer["ok"] = true
            answer["text"] = .string(text)
        } catch {
            let place = SourceFile(name: "", text: template).position(at: error.utf8Range.lowerBound)
            answer["ok"] = false
            answer["error"] = .string(error.kanisterMessage)
            answer["kind"] = .string(Self.kind(error.kind))
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
