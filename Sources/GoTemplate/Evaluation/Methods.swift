/// Methods of the few Go types that have some and can reach a template.
enum Methods {
    /// - Parameter receiver: not a pointer.
    static func method(_ name: String, of receiver: GoValue) -> TemplateFunction? {
        nil
    }

    /// What `String()` (or `GoString()`) gives; nil for types without.
    static func string(of value: GoValue, goSyntax: Bool) -> String? {
        nil
    }
}
