// swift-tools-version: 6.2
import PackageDescription

// A package of its own: it is built with a sanitizer and never by `swift build`.
let package = Package(
    name: "karaffe-fuzz",
    dependencies: [.package(name: "karaffe", path: "../..")],
    targets: [
        /// Feeds the decoders of the data plane what libFuzzer makes up.
        .executableTarget(
            name: "DecoderFuzz",
            dependencies: [
                .product(name: "KopiaFormat", package: "karaffe"), .product(name: "KopiaDecoders", package: "karaffe"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6)],
            linkerSettings: [.linkedLibrary("stdc++")])
    ]
)
