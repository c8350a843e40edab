/// Go's messages, with the place they name.
extension Evaluator {
    /// The expression being evaluated, as Go prints it.
    var currentText: String {
        switch current {
        case .nothing: ""
        case .expression(let expression): expression.description
        case .command(let command): command.description
        case .pipeline(let pipe): pipe.description
        case .action(_, let pipe): "{{\(pipe.description)}}"
        case .template(_, let text): text
        }
    }

    private var currentLocation: Location? {
        switch current {
        case .nothing: nil
        case .expression(let expression): expression.location
        case .command(let command): command.location
        case .pipeline(let pipe): pipe.location
        case .action(let location, _), .template(let location, _): location
        }
    }

    func failure(
        _ message: String, kind: TemplateError.Kind = .execution, range: Range<Int>? = nil, available: [String] = []
    ) -> TemplateError {
        guard let location = currentLocation else {
            return TemplateError(
                message: "template: \(templateName): \(message)", kind: kind, utf8Range: range ?? 0..<0,
                available: available)
        }
        let before = template.text[..<min(location.position, template.text.count)]
        let line = 1 + before.reduce(0) { $1 == 0x0a ? $0 + 1 : $0 }
        let column = before.count - (before.lastIndex(of: 0x0a).map { $0 + 1 } ?? 0)
        let text = currentText
        return TemplateError(
            message: "template: \(template.name):\(line):\(column): executing \(Quoting.quote(templateName)) at "
                + "<\(text)>: \(message)",
            kind: kind, utf8Range: range ?? location.range, expression: text, available: available)
    }
}
