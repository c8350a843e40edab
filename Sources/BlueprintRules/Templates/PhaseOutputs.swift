import ActionEngine
import Blueprints
import KanisterFunctions

/// The outputs a phase will have, as far as its function or its script shows.
struct PhaseOutputs: Sendable {
    enum Certainty: Sendable {
        /// These and no others.
        case exact
        /// The script prints these; it may call something that prints more.
        case shown
        case unknown
    }

    private(set) var keys: Set<String> = []
    private(set) var certainty = Certainty.unknown

    private static let byFunction = Dictionary(
        uniqueKeysWithValues: LocalFunctions.all.compactMap { function in
            function.outputKeys.map { (function.name, Set($0)) }
        })

    init(of phase: BlueprintPhase) {
        if let keys = Self.byFunction[phase.function.text] {
            self.keys = keys
            certainty = .exact
            return
        }
        let commands = PhaseCommand.all(of: phase).filter { $0.givesOutputs }
        guard !commands.isEmpty else { return }
        var isDynamic = false
        for command in commands { add(command, &isDynamic) }
        certainty = isDynamic || keys.isEmpty ? .unknown : .shown
    }

    private mutating func add(_ command: PhaseCommand, _ isDynamic: inout Bool) {
        for call in command.shell.commands {
            guard let output = OutputCall(call) else { continue }
            if let key = output.key, key.isLiteral { keys.insert(key.text) } else { isDynamic = true }
        }
        for key in Self.literalKeys(in: command.script?.string ?? "") {
            if let key { keys.insert(key) } else { isDynamic = true }
        }
    }

    /// Keys of output lines that a script writes itself; nil for one that is only known at run time.
    private static func literalKeys(in script: String) -> [String?] {
        let marker = Array("###Phase-output###".utf8)
        let bytes = Array(script.utf8)
        var keys: [String?] = []
        var index = 0
        while index + marker.count <= bytes.count {
            guard bytes[index] == marker[0], bytes[index..<(index + marker.count)].elementsEqual(marker) else {
                index += 1
                continue
            }
            index += marker.count
            let line = bytes[index...].prefix { $0 != 0x0a }
            keys.append(key(in: String(decoding: line, as: UTF8.self)))
        }
        return keys
    }

    /// The name in `"key":"NAME"`, quotes escaped or not.
    private static func key(in line: String) -> String? {
        let bytes = Array(line.utf8).filter { $0 != UInt8(ascii: "\\") && $0 != 0x20 }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let key = text.quoted(after: "\"key\":"), !key.isEmpty, key.utf8.allSatisfy(ShellScanner.isName) else {
            return nil
        }
        return key
    }
}

/// A call of a program that prints an output line.
struct OutputCall: Sendable {
    /// Nil when it has none where one is needed.
    let key: ShellScript.Word?

    /// Nil for a command that prints none.
    init?(_ command: ShellScript.Command) {
        let words = Array(command.arguments.dropFirst())
        switch (command.program, words.first?.text) {
        case ("kando", "output"?): key = words.dropFirst().first { !$0.text.hasPrefix("-") }
        case ("kando", "location"?) where words.dropFirst().first?.text == "push",
            ("pod-runner", "location"?) where words.dropFirst().first?.text == "push":
            key = Flags(words).value("--output-name", short: "-o") ?? Self.word("kandoOutput")
        case ("pod-runner", "backup"?):
            key = Flags(words).value("--output-name", short: "-o") ?? Self.word("kopiaOutput")
        default: return nil
        }
    }

    private static func word(_ text: String) -> ShellScript.Word { .init(range: 0..<0, text: text) }
}

/// Values of flags in a command: `--flag value` and `--flag=value`.
struct Flags: Sendable {
    private let words: [ShellScript.Word]

    init(_ words: [ShellScript.Word]) { self.words = words }

    func value(_ name: String, short: String? = nil) -> ShellScript.Word? {
        for (position, word) in words.enumerated() {
            if word.text == name || short.map({ word.text == $0 }) ?? false {
                return position + 1 < words.count ? words[position + 1] : nil
            }
            if word.text.hasPrefix(name + "=") {
                var value = word
                value.text = String(word.text.dropFirst(name.count + 1))
                return value
            }
        }
        return nil
    }
}
