// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "postern",
    products: [
        .library(name: "FastCGI", targets: ["FastCGI"]),
        .library(name: "Journal", targets: ["Journal"]),
        .library(name: "Postern", targets: ["Postern"]),
        .executable(name: "postern", targets: ["PosternCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .systemLibrary(name: "CFastCGI", pkgConfig: "fcgi", providers: [.apt(["libfcgi-dev"])]),
        .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
        .systemLibrary(name: "CCrypt", providers: [.apt(["libcrypt-dev"])]),
        .target(name: "CLinux"),
        .target(name: "CUnicode", exclude: ["make-tables"]),
        .target(
            name: "FastCGI",
            dependencies: ["CFastCGI", "CLinux"],
            swiftSettings: settings
        ),
        .target(
            name: "Journal",
            dependencies: ["CLinux"],
            swiftSettings: settings
        ),
        .target(
            name: "Postern",
            dependencies: [
                "CCrypt", "CLinux", "CSodium", "CUnicode", "FastCGI", "Journal",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .target(name: "WebServerConfiguration", swiftSettings: settings),
        .executableTarget(
            name: "PosternCommand",
            dependencies: [
                "CLinux", "FastCGI", "Journal", "WebServerConfiguration", "Postern",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/postern",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "store-benchmark",
            dependencies: ["Journal", "Postern"],
            path: "Benchmarks/Store",
            swiftSettings: settings
        ),
        .testTarget(name: "FastCGITests", dependencies: ["CLinux", "FastCGI"], swiftSettings: settings),
        .testTarget(
            name: "WebServerConfigurationTests",
            dependencies: ["WebServerConfiguration"],
            swiftSettings: settings
        ),
        .testTarget(name: "JournalTests", dependencies: ["CLinux", "Journal"], swiftSettings: settings),
        .testTarget(
            name: "PosternTests",
            dependencies: ["CUnicode", "FastCGI", "Postern", .product(name: "Logging", package: "swift-log")],
            exclude: ["Vectors"],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "store-exerciser",
            dependencies: ["Journal", "Postern"],
            path: "Tests/StoreExerciser",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "store-simulation",
            dependencies: ["CLinux", "Journal", "Postern"],
            path: "Tests/StoreSimulation",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "parser-cost",
            dependencies: ["FastCGI", "Postern", .product(name: "Logging", package: "swift-log")],
            path: "Tests/ParserCost",
            swiftSettings: settings
        ),
        // The sources of the example package, so that each build holds them against the library.
        .executableTarget(
            name: "Hello",
            dependencies: ["FastCGI", "Postern", .product(name: "Logging", package: "swift-log")],
            path: "Tests/Example/Sources/Hello",
            swiftSettings: settings
        ),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "Hello", "Journal", "Postern", "PosternCommand", "WebServerConfiguration", "parser-cost",
                "store-exerciser", "store-simulation",
            ],
            exclude: ["Serving/Peer"],
            swiftSettings: settings
        ),
    ],
    swiftLanguageModes: [.v6]
)
