import Glibc
import PodRunner

@main
struct Main {
    static func main() async {
        await PodRunnerMain.runAndEnd(arguments: CommandLine.arguments, environment: Main.environment())
    }

    /// The process's environment. Names and values that are not UTF-8 are repaired, as nobody here could use them.
    private static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var position = environ
        while let entry = position.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "="), equals != text.startIndex {
                let name = String(text[..<equals])
                if variables[name] == nil { variables[name] = String(text[text.index(after: equals)...]) }
            }
            position += 1
        }
        return variables
    }
}
