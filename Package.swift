// swift-tools-version: 6.2
import PackageDescription

// The suite runs on a release build whose internals it sees: `make test` says so. Tests themselves are not worth optimizing.
let isTestable = Context.environment["POSTERN_TESTABLE"] == "1"
// In continuous integration a warning is a failure.
let isStrict = Context.environment["POSTERN_CI"] == "1"
let features: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + (isStrict ? [.treatAllWarnings(as: .error)] : [])
let strictC: [CSetting] = isStrict ? [.treatAllWarnings(as: .error)] : []
let settings = features + (isTestable ? [.unsafeFlags(["-enable-testing"])] : [])
let testSettings = features + (isTestable ? [.unsafeFlags(["-Onone"])] : [])

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
        .target(name: "CLinux", cSettings: strictC),
        .target(name: "CUnicode", exclude: ["make-tables"], cSettings: strictC),
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
        // What tests of all targets have in common.
        .target(name: "TestSupport", path: "Tests/Support", swiftSettings: testSettings),
        .testTarget(
            name: "FastCGITests",
            dependencies: ["CLinux", "FastCGI", "TestSupport"],
            swiftSettings: testSettings
        ),
        .testTarget(
            name: "WebServerConfigurationTests",
            dependencies: ["TestSupport", "WebServerConfiguration"],
            swiftSettings: testSettings
        ),
        .testTarget(
            name: "JournalTests",
            dependencies: ["CLinux", "Journal", "TestSupport"],
            swiftSettings: testSettings
        ),
        .testTarget(
            name: "PosternTests",
            dependencies: [
                "CUnicode", "FastCGI", "Journal", "Postern", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            exclude: ["Vectors"],
            swiftSettings: testSettings
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
                "Hello", "Journal", "Postern", "PosternCommand", "TestSupport", "WebServerConfiguration", "parser-cost",
                "store-exerciser", "store-simulation",
            ],
            exclude: ["Serving/Peer"],
            swiftSettings: testSettings
        ),
    ],
    swiftLanguageModes: [.v6]
)
