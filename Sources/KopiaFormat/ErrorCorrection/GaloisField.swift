/// GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11D): bytes that add by XOR and can be divided.
enum GaloisField {
    /// Powers of 2, twice over so that sums of two logarithms need no reduction.
    private static let powers: [UInt8] = {
        var powers = [UInt8](repeating: 0, count: 510)
        var value = 1
        for exponent in 0..<255 {
            powers[exponent] = UInt8(value)
            powers[exponent + 255] = UInt8(value)
            value <<= 1
            if value > 255 { value ^= 0x11d }
        }
        return powers
    }()

    /// Logarithms to base 2; the one of 0 does not exist and is 0 here.
    private static let logarithms: [Int] = {
        var logarithms = [Int](repeating: 0, count: 256)
        for exponent in 0..<255 { logarithms[Int(powers[exponent])] = exponent }
        return logarithms
    }()

    static func product(_ left: UInt8, _ right: UInt8) -> UInt8 {
        if left == 0 || right == 0 { return 0 }
        return powers[logarithms[Int(left)] + logarithms[Int(right)]]
    }

    /// - Parameter divisor: not 0.
    static func quotient(_ dividend: UInt8, by divisor: UInt8) -> UInt8 {
        precondition(divisor != 0, "division by zero in GF(256)")
        if dividend == 0 { return 0 }
        return powers[logarithms[Int(dividend)] + 255 - logarithms[Int(divisor)]]
    }

    /// The inverse of a square matrix given by rows; nil when it has none.
    static func inverse(_ matrix: [[UInt8]]) -> [[UInt8]]? {
        let size = matrix.count
        var left = matrix
        var right = (0..<size).map { row in (0..<size).map { UInt8($0 == row ? 1 : 0) } }
        for column in 0..<size {
            guard let pivot = (column..<size).first(where: { left[$0][column] != 0 }) else { return nil }
            left.swapAt(column, pivot)
            right.swapAt(column, pivot)
            let scale = quotient(1, by: left[column][column])
            left[column] = left[column].map { product($0, scale) }
            right[column] = right[column].map { product($0, scale) }
            for row in 0..<size where row != column && left[row][column] != 0 {
                let factor = left[row][column]
                for position in 0..<size {
                    left[row][position] ^= product(factor, left[column][position])
                    right[row][position] ^= product(factor, right[column][position])
                }
            }
        }
        return right
    }
}
