/// Renders one template once.
///
/// Blocks and template calls are kept on a stack of frames in memory, so that a template that calls itself for ever is
/// an error at `TemplateLimits.templateDepth` and not the end of the process. Only expressions recurse, and the parser
/// bounds their nesting.
///
/// Source: Go `text/template/exec.go`.
struct Evaluator {
    struct Variable {
        let name: String
        var value: GoValue
    }

    /// A node list being walked.
    struct Frame {
        let nodes: [Node]
        var next = 0
        var dot: GoValue
        /// Variables above this are dropped when the list ends.
        let mark: Int
        /// Of the list of a `range`: what remains.
        var loop: Loop?
        /// Of the list of a template call: what the caller goes on with.
        var caller: Caller?
    }

    struct Caller {
        let variables: [Variable]
        let name: String
    }

    /// What errors are about.
    enum Current {
        case nothing
        case expression(Expression)
        case command(Command)
        case pipeline(Pipeline)
        case action(Location, Pipeline)
        case template(Location, String)
    }

    let template: Template
    let parsed: ParsedTemplate
    let options: TemplateOptions
    var templateName: String
    var output: [UInt8] = []
    var frames: [Frame] = []
    var variables: [Variable] = []
    var current = Current.nothing
    var steps = 0
    var depth = 0

    init(template: Template, parsed: ParsedTemplate, root: GoValue) {
        self.template = template
        self.parsed = parsed
        options = template.options
        templateName = template.name
        variables = [Variable(name: "$", value: root)]
        frames = [Frame(nodes: parsed.main.nodes, dot: root, mark: 1)]
    }

    mutating func run() throws(TemplateError) -> [UInt8] {
        while let last = frames.indices.last {
            if frames[last].next < frames[last].nodes.count {
                let node = frames[last].nodes[frames[last].next]
                frames[last].next += 1
                try countStep()
                try walk(node, dot: frames[last].dot)
            } else {
                try finishFrame(last)
            }
        }
        return output
    }

    /// - Parameter cost: more than one for work on large values.
    mutating func countStep(_ cost: Int = 1) throws(TemplateError) {
        steps += cost
        if steps > options.limits.steps {
            throw failure("rendering takes more than \(options.limits.steps) steps", kind: .limit)
        }
    }

    // MARK: - Frames

    private mutating func finishFrame(_ last: Int) throws(TemplateError) {
        if frames[last].loop != nil {
            // A round counts even when its body is empty.
            try countStep()
            variables.removeLast(max(0, variables.count - frames[last].mark))
            if try nextRound(last) { return }
        }
        popFrame()
    }

    private mutating func popFrame() {
        guard let frame = frames.popLast() else { return }
        if let caller = frame.caller {
            variables = caller.variables
            templateName = caller.name
            depth -= 1
        } else {
            let mark = frame.loop?.outerMark ?? frame.mark
            variables.removeLast(max(0, variables.count - mark))
        }
    }

    /// Starts the next round of a loop; false when there is none.
    private mutating func nextRound(_ frame: Int) throws(TemplateError) -> Bool {
        guard let (key, element) = frames[frame].loop?.next() else { return false }
        if let pipe = frames[frame].loop?.pipe {
            try assign(pipe, key: key, element: element)
        }
        frames[frame].dot = element
        frames[frame].next = 0
        return true
    }

    private mutating func assign(_ pipe: Pipeline, key: GoValue, element: GoValue) throws(TemplateError) {
        guard let first = pipe.declarations.first else { return }
        if pipe.assigns {
            try setVariable(first.name, pipe.declarations.count > 1 ? key : element)
            if pipe.declarations.count > 1 { try setVariable(pipe.declarations[1].name, element) }
        } else {
            if let last = variables.indices.last { variables[last].value = element }
            if pipe.declarations.count > 1, variables.count >= 2 { variables[variables.count - 2].value = key }
        }
    }

    mutating func setVariable(_ name: String, _ value: GoValue) throws(TemplateError) {
        guard let index = variables.lastIndex(where: { $0.name == name }) else {
            throw failure("undefined variable: \(name)", available: variables.map(\.name))
        }
        variables[index].value = value
    }

    // MARK: - Nodes

    private mutating func walk(_ node: Node, dot: GoValue) throws(TemplateError) {
        switch node {
        case .text(let bytes): try write(bytes)
        case .action(let location, let pipe):
            let value = try evaluate(pipe, dot: dot)
            guard pipe.declarations.isEmpty else { return }
            current = .action(location, pipe)
            try print(value)
        case .if(let pipe, let list, let otherwise):
            let mark = variables.count
            enter(try evaluate(pipe, dot: dot).isTrue ? list : otherwise, dot: dot, mark: mark)
        case .with(let pipe, let list, let otherwise):
            let mark = variables.count
            let value = try evaluate(pipe, dot: dot)
            if value.isTrue {
                enter(list, dot: value, mark: mark)
            } else {
                enter(otherwise, dot: dot, mark: mark)
            }
        case .range(let pipe, let list, let otherwise):
            try range(pipe, list, otherwise, dot: dot)
        case .break:
            while let frame = frames.last, frame.loop == nil { popFrame() }
            popFrame()
        case .continue:
            while let frame = frames.last, frame.loop == nil { popFrame() }
            if let last = frames.indices.last { frames[last].next = frames[last].nodes.count }
        case .template(let location, let name, let pipe):
            try call(location, name, pipe, dot: dot)
        }
    }

    private mutating func enter(_ list: NodeList?, dot: GoValue, mark: Int) {
        // Without a list the frame is still needed: variables of the pipeline end with it.
        frames.append(Frame(nodes: list?.nodes ?? [], dot: dot, mark: mark))
    }

    private mutating func range(
        _ pipe: Pipeline, _ list: NodeList, _ otherwise: NodeList?, dot: GoValue
    ) throws(TemplateError) {
        let mark = variables.count
        let value = try evaluate(pipe, dot: dot)
        var loop = Loop(pipe: pipe, outerMark: mark, items: .none)
        switch Loop.items(of: value, isPair: pipe.declarations.count > 1) {
        case .failure(let message): throw failure(message)
        case .success(let items): loop.items = items
        }
        guard let (key, element) = loop.next() else { return enter(otherwise, dot: dot, mark: mark) }
        try assign(pipe, key: key, element: element)
        frames.append(Frame(nodes: list.nodes, dot: element, mark: variables.count, loop: loop))
    }

    private mutating func call(
        _ location: Location, _ name: GoString, _ pipe: Pipeline?, dot: GoValue
    ) throws(TemplateError) {
        let title = String(decoding: Quoting.quote(name.bytes), as: UTF8.self)
        current = .template(location, "{{template \(title)\(pipe.map { " " + $0.description } ?? "")}}")
        guard let list = parsed.named[name] else {
            throw failure("template \(title) not defined", available: parsed.named.keys.map(\.text).sorted())
        }
        guard depth < options.limits.templateDepth else {
            throw failure("exceeded maximum template depth (\(options.limits.templateDepth))", kind: .limit)
        }
        let inner = try pipe.map { pipe throws(TemplateError) in try evaluate(pipe, dot: dot) } ?? .invalid
        let caller = Caller(variables: variables, name: templateName)
        depth += 1
        templateName = name.text
        variables = [Variable(name: "$", value: inner)]
        frames.append(Frame(nodes: list.nodes, dot: inner, mark: 1, caller: caller))
    }

    // MARK: - Output

    private mutating func write(_ bytes: [UInt8]) throws(TemplateError) {
        guard output.count + bytes.count <= options.limits.bytes else {
            throw failure("the output is over the limit of \(options.limits.bytes) bytes", kind: .limit)
        }
        output += bytes
    }

    private mutating func print(_ value: GoValue) throws(TemplateError) {
        guard let printable = Formatter.printable(value) else {
            throw failure("can't print \(currentText) of type \(value.type)")
        }
        var formatter = Formatter(limit: options.limits.bytes)
        formatter.print([printable])
        try write(formatter.output)
    }
}
