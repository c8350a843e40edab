// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nothing it needs reaches users.
let package = Package(
    name: "karaffe-benchmarks",
    dependencies: [.package(name: "karaffe", path: "..")],
    targets: [
        /// MB/s of each stage of the data plane on one thread: hash, compress, encrypt, error correction.
        .executableTarget(
            name: "StageBenchmark", dependencies: [.product(name: "KopiaFormat", package: "karaffe")],
            swiftSettings: [.swiftLanguageMode(.v6)]),
        /// Fills a repository with a million contents and ten thousand snapshots.
        .executableTarget(
            name: "LargeRepository", dependencies: [.product(name: "KopiaRooms", package: "karaffe")],
            swiftSettings: [.swiftLanguageMode(.v6)]),
        /// Makes the dumps of the end-to-end runs.
        .executableTarget(name: "DumpText", swiftSettings: [.swiftLanguageMode(.v6)]),
    ]
)
