/// The functions templates may call, by name. A value: adding one makes another table.
public struct FunctionTable: Sendable {
    private var functions: [String: TemplateFunction]

    init(_ groups: [[TemplateFunction]]) {
        functions = [:]
        for function in groups.joined() { functions[function.name] = function }
    }

    /// The functions of Go's `text/template` itself.
    public static let builtins = FunctionTable([Builtins.functions, Comparisons.functions])

    /// The builtins and the 150 text functions of sprig 2.22.0 as Kanister offers them.
    ///
    /// - Parameter allowEnvironment: whether `env`, `expandenv` and `getHostByName` may look at this machine. Kanister
    ///   runs them in its controller, so that a blueprint reads the controller's environment; they are refused here
    ///   unless asked for.
    public static func sprig(allowEnvironment: Bool) -> FunctionTable {
        allowEnvironment ? sprigWithEnvironment : sprigWithoutEnvironment
    }

    private static let sprigGroups: [[TemplateFunction]] = [
        Builtins.functions, Comparisons.functions, StringFunctions.functions, CaseFunctions.functions,
        LayoutFunctions.functions, NumberFunctions.functions, ListFunctions.functions, DictionaryFunctions.functions,
        DefaultFunctions.functions, DateFunctions.functions, EncodingFunctions.functions, RegexFunctions.functions,
        VersionFunctions.functions, URLFunctions.functions, RandomFunctions.functions, CryptoFunctions.functions,
        CertificateFunctions.functions,
    ]
    private static let sprigWithoutEnvironment = FunctionTable(sprigGroups + [EnvironmentFunctions.refused])
    private static let sprigWithEnvironment = FunctionTable(sprigGroups + [EnvironmentFunctions.allowed])

    public subscript(_ name: String) -> TemplateFunction? { functions[name] }

    /// Sorted.
    public var names: [String] { functions.keys.sorted() }
    /// Sorted by name.
    public var all: [TemplateFunction] { functions.values.sorted { $0.name < $1.name } }

    /// This table with `function` added, or in the place of the one with its name.
    public func adding(_ function: TemplateFunction) -> FunctionTable {
        var copy = self
        copy.functions[function.name] = function
        return copy
    }
}
