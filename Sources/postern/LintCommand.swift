import ArgumentParser
import FastCGI
import Glibc
import NginxConfiguration
import Postern

struct LintCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint",
        abstract: "Look for what lets people in by mistake in nginx's configuration.",
        discussion: """
            Lists every location that postern answers or guards, with its policy, and what is wrong. Exit code 1 when \
            something is. The store is not needed.
            """
    )

    @OptionGroup var nginx: NginxOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let configuration = try nginx.configuration()
        let findings = try Self.withPolicyCheck { check in
            NginxLint(
                configuration,
                policyError: { check.error(in: Parameters($0.map { ($0.name, Array($0.value.utf8)) })) },
                socketMode: Self.mode
            ).findings()
        }
        let locations = configuration.servers.flatMap(\.posternLocations).filter {
            $0.gate != nil || $0.location.view != "gate"
        }
        if output.json {
            StandardOutput.write(
                .object([
                    ("locations", .array(locations.map { Self.object($0, configuration) })),
                    ("findings", .array(findings.map(Self.object))),
                ])
            )
        } else {
            for location in locations { StandardOutput.write(Self.line(location, configuration)) }
            if !locations.isEmpty, !findings.isEmpty { StandardOutput.write("\n") }
            for finding in findings {
                StandardOutput.write(
                    "\(finding.file):\(finding.line): \(finding.severity.rawValue): \(printable(finding.message)) [\(finding.rule)]\n"
                )
            }
        }
        guard !locations.isEmpty else {
            throw Failure(.dataError, "Postern neither answers nor guards any location of this configuration.")
        }
        guard findings.isEmpty else { Glibc.exit(1) }
    }

    /// Policies are made for a store, and nobody in it is asked: an empty one will do.
    private static func withPolicyCheck<Result>(_ body: (PolicyCheck) -> Result) throws -> Result {
        try withTemporaryFolder { folder in
            try Store.create(at: folder + "/store")
            return body(PolicyCheck(accounts: Accounts(store: try Store(opening: folder + "/store"))))
        }
    }

    private static func line(_ location: PosternLocation, _ configuration: NginxConfiguration) -> String {
        let policy = location.policy(in: configuration).filter { $0.name != "POSTERN_VIEW" }
        let names = location.server.names.isEmpty ? "_" : location.server.names.joined(separator: " ")
        let what = location.gate == nil ? location.location.view ?? "" : "guarded"
        let parameters = policy.map { " \($0.name.dropFirst("POSTERN_".count).lowercased())=\"\($0.value)\"" }.joined()
        return printable(
            "\(location.location.directive.place): \(names): \(location.location.title): \(what)\(parameters)"
        ) + "\n"
    }

    private static func object(_ location: PosternLocation, _ configuration: NginxConfiguration) -> JSONValue {
        .object([
            ("file", .string(location.location.directive.file)),
            ("line", .integer(Int64(location.location.directive.line))),
            ("servers", .array(location.server.names.map { .string($0) })),
            ("location", .string(location.location.directive.arguments.joined(separator: " "))),
            ("guarded", .bool(location.gate != nil)),
            ("parameters", .object(location.policy(in: configuration).map { ($0.name, .string($0.value)) })),
        ])
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
