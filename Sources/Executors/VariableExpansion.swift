/// Kubernetes' `$(NAME)` in commands, arguments and values of environment variables. A name that is not set stays as it
/// is written; `$$` stands for `$`.
///
/// Source: Kubernetes `third_party/forked/golang/expansion/expand.go`.
enum VariableExpansion {
    static func expand(_ text: String, _ variables: [String: String]) -> String {
        let bytes = Array(text.utf8)
        guard bytes.contains(dollar) else { return text }
        var result: [UInt8] = []
        var position = 0
        while position < bytes.count {
            guard bytes[position] == dollar, position + 1 < bytes.count else {
                result.append(bytes[position])
                position += 1
                continue
            }
            let next = bytes[position + 1]
            if next == UInt8(ascii: "("), let end = bytes[(position + 2)...].firstIndex(of: UInt8(ascii: ")")) {
                let name = String(decoding: bytes[(position + 2)..<end], as: UTF8.self)
                result.append(contentsOf: (variables[name] ?? "$(\(name))").utf8)
                position = end + 1
            } else {
                result.append(dollar)
                if next != dollar { result.append(next) }
                position += 2
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static let dollar = UInt8(ascii: "$")
}
