import ArgumentParser
import FastCGI
import Glibc
import Postern
import WebServerConfiguration

struct LintCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint",
        abstract: "Look for what lets people in by mistake in the web server's configuration.",
        discussion: """
            Lists every location that postern answers or guards, with its policy, and what is wrong. Exit code 1 when \
            something is. The store is not needed. Of lighttpd, hand over what lighttpd -p -f FILE prints: \
            postern lint --config -.
            """
    )

    @OptionGroup var nginx: NginxOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let text = try nginx.text()
        let report = try Self.withPolicyCheck { check in
            try LighttpdConfiguration.isOne(text) ? Self.lighttpd(text, check) : Self.nginx(text, check)
        }
        if output.json {
            StandardOutput.write(
                .object([
                    ("locations", .array(report.locations.map(\.object))),
                    ("findings", .array(report.findings.map(Self.object))),
                ])
            )
        } else {
            for location in report.locations { StandardOutput.write(printable(location.text) + "\n") }
            if !report.locations.isEmpty, !report.findings.isEmpty { StandardOutput.write("\n") }
            for finding in report.findings { StandardOutput.write(printable(Self.line(finding)) + "\n") }
        }
        guard !report.locations.isEmpty else {
            throw Failure(.dataError, "Postern neither answers nor guards any location of this configuration.")
        }
        guard report.findings.isEmpty else { throw ExitCode(1) }
    }

    private typealias Report = (locations: [LintedLocation], findings: [Finding])
    private typealias PolicyError = ([(name: String, value: String)]) -> String?

    private static func nginx(_ text: String, _ policyError: @escaping PolicyError) throws -> Report {
        let configuration = try NginxConfiguration(dump: text)
        let locations = configuration.servers.flatMap(\.posternLocations).filter {
            $0.gate != nil || $0.location.view != "gate"
        }
        return (
            locations.map { found in
                LintedLocation(
                    file: found.location.directive.file,
                    line: found.location.directive.line,
                    servers: found.server.names,
                    title: found.location.title,
                    isGuarded: found.gate != nil,
                    parameters: found.policy(in: configuration)
                )
            },
            NginxLint(configuration, policyError: policyError, socketMode: mode).findings()
        )
    }

    private static func lighttpd(_ text: String, _ policyError: @escaping PolicyError) throws -> Report {
        let lint = LighttpdLint(try LighttpdConfiguration(dump: text), policyError: policyError, socketMode: mode)
        return (
            lint.locations.map { condition, isGuarded, parameters in
                LintedLocation(
                    file: "lighttpd -p",
                    line: condition.line,
                    servers: [],
                    title: condition.title,
                    isGuarded: isGuarded,
                    parameters: parameters
                )
            },
            lint.findings()
        )
    }

    /// Policies are made for a store, and nobody in it is asked: an empty one will do.
    private static func withPolicyCheck<Result>(_ body: (@escaping PolicyError) throws -> Result) throws -> Result {
        try withTemporaryFolder { folder in
            try Store.create(at: folder + "/store")
            let check = PolicyCheck(accounts: Accounts(store: try Store(opening: folder + "/store")))
            return try body { parameters in
                check.error(in: Parameters(parameters.map { ($0.name, Array($0.value.utf8)) }))
            }
        }
    }

    private static func line(_ finding: Finding) -> String {
        "\(finding.file):\(finding.line): \(finding.severity.rawValue): \(finding.message) [\(finding.rule)]"
    }

    private static func object(_ finding: Finding) -> JSONValue {
        .object([
            ("rule", .string(finding.rule)), ("severity", .string(finding.severity.rawValue)),
            ("file", .string(finding.file)), ("line", .integer(Int64(finding.line))),
            ("message", .string(finding.message)),
        ])
    }

    private static func mode(of path: String) -> UInt32? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode : nil
    }
}

/// A location that Postern answers or guards, as it is shown.
private struct LintedLocation {
    let file: String
    let line: Int
    let servers: [String]
    let title: String
    let isGuarded: Bool
    let parameters: [(name: String, value: String)]

    var object: JSONValue {
        .object([
            ("file", .string(file)), ("line", .integer(Int64(line))), ("servers", .array(servers.map { .string($0) })),
            ("location", .string(title)), ("guarded", .bool(isGuarded)),
            ("parameters", .object(parameters.map { ($0.name, .string($0.value)) })),
        ])
    }

    /// `FILE:LINE: NAMES: LOCATION: VIEW permission="…"`.
    var text: String {
        let view = parameters.first { $0.name == "POSTERN_VIEW" }?.value ?? ""
        let others = parameters.filter { $0.name != "POSTERN_VIEW" }.map { name, value in
            " \(name.dropFirst("POSTERN_".count).lowercased())=\"\(value)\""
        }
        let names = servers.isEmpty ? "" : servers.joined(separator: " ") + ": "
        return "\(file):\(line): \(names)\(title): \(isGuarded ? "guarded" : view)\(others.joined())"
    }
}
