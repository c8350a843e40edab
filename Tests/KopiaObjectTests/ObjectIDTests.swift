import KopiaObject
import Testing

struct ObjectIDTests {
    @Test(arguments: [
        "004e0d2d0e46fdde664485db615d465b", "Ix13039e7559614f7cc314c7c46a9c8216", "k634ee9e8d960d8e2c66dd2c566be5a4d",
        "IIx13039e7559614f7cc314c7c46a9c8216", "Ik634ee9e8d960d8e2c66dd2c566be5a4d",
        "Z004e0d2d0e46fdde664485db615d465b",
    ])
    func printsWhatItRead(text: String) throws {
        #expect(try #require(ObjectID(text)).description == text)
    }

    @Test func dropsTheLegacyMarker() {
        #expect(ObjectID("D004e0d2d0e46fdde664485db615d465b") == ObjectID("004e0d2d0e46fdde664485db615d465b"))
    }

    @Test(arguments: [
        "", "I", "IZ004e0d2d0e46fdde664485db615d465b", "ZI004e0d2d0e46fdde664485db615d465b", "i004", "Xabcd",
        "004e0d2d0e46fdde664485db615d465", "a004e0d2d0e46fdde664485db615d465b", "004E0D2D",
        String(repeating: "I", count: 17) + "x13039e7559614f7cc314c7c46a9c8216",
    ])
    func refuses(text: String) {
        #expect(ObjectID(text) == nil)
    }
}
