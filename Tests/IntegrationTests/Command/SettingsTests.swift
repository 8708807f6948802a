import Foundation
import Testing

@testable import Postern

@Suite("Settings of the server")
struct SettingsTests {
    private let folder: String
    private var file: String { folder + "/postern.conf" }

    init() throws { folder = try Site.temporaryFolder() }

    private func write(_ text: String, mode: mode_t = 0o644) throws {
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        chmod(file, mode)
    }

    private func settings(
        _ arguments: [String] = [],
        environment: [String: String] = [:]
    ) throws -> Child.Finished {
        try Child.run(Site.binary, ["settings", "--config", file] + arguments, environment: environment)
    }

    /// The values and what said them, by name.
    private func table(_ result: Child.Finished) throws -> [String: [String: Any]] {
        try result.expectSuccess()
        let rows = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]])
        return Dictionary(rows.compactMap { row in (row["setting"] as? String).map { ($0, row) } }) { $1 }
    }

    @Test("A flag counts more than the environment, that more than the file, that more than the default")
    func precedence() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write(
            """
            # A comment.
            store = /from/file
            log-level = info   # and another one
            \t log-format=json
            allow-user = www-data  nginx

            audit-file = /var/log/audit#1.log
            """
        )
        let environment = ["POSTERN_SERVE_LOG_LEVEL": "debug", "POSTERN_SERVE_ALLOW_USER": "root"]
        let table = try table(
            try settings(
                ["--json", "--allow-user", "a", "--allow-user", "b", "--with-token"],
                environment: environment
            )
        )
        for (name, value, from) in [
            ("store", "/from/file", file + ":2"), ("log-level", "debug", "POSTERN_SERVE_LOG_LEVEL"),
            ("log-format", "json", file + ":4"), ("allow-user", "a b", "--allow-user"),
            ("audit-file", "/var/log/audit#1.log", file + ":7"), ("with-token", "on", "--with-token"),
            ("allow-remote", "off", "default"), ("log-file", "stderr", "default"),
        ] {
            #expect(table[name]?["value"] as? String == value, "\(name)")
            #expect(table[name]?["from"] as? String == from, "\(name)")
        }
        #expect(table["listen"]?["value"] is NSNull)
        #expect(table["log-level"]?["default"] as? String == "notice")
        // What is said can be taken back.
        try write("with-token = on\nlog-file = /var/log/x\n")
        let other = try self.table(try settings(["--json", "--no-with-token", "--log-file", "stderr"]))
        #expect(other["with-token"]?["value"] as? String == "off")
        #expect(other["log-file"]?["value"] as? String == "stderr")
        let text = try settings().output
        #expect(text.hasPrefix("SETTING "))
        #expect(text.split(separator: "\n").count == table.count + 1)
    }

    @Test("Every setting has a flag, and a variable that is no parameter of a location")
    func names() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write("")
        let help = try Child.run(Site.binary, ["serve", "--help"]).output
        let table = try table(try settings(["--json"]))
        #expect(table.count >= 9)
        for (name, row) in table {
            #expect(help.contains("--\(name)"), "\(name)")
            let variable = try #require(row["variable"] as? String)
            #expect(PolicyParameter(rawValue: variable) == nil)
            #expect((row["meaning"] as? String)?.hasSuffix(".") ?? false)
        }
        for parameter in PolicyParameter.allCases { #expect(!parameter.rawValue.hasPrefix("POSTERN_SERVE_")) }
    }

    @Test(
        "What is not understood in the file is refused, with file and line",
        arguments: [
            ("log-level = info\nlog-levle = debug\n", 2, "log-levle"),
            ("log-level = info\n\nlog-level = info", 3, "line 1"),
            ("log-level = loud", 1, "is not a log level"), ("log-level", 1, "name = value"),
            ("log-level =", 1, "no value"),
            ("log-level = # debug", 1, "no value"), ("allow-remote = yes", 1, "neither on nor off"),
            ("log-format = xml", 1, "neither text nor json"), ("listen = nowhere", 1, "is not an address"),
            ("log-file = log", 1, "path"), ("audit-file = stderr", 1, "path"), ("Log-Level = info", 1, "is no setting"),
            ("#\nlog-level = in\u{0}fo", 2, "control character"), ("log-level = in\rfo", 1, "control character"),
            ("= info", 1, "is no setting"), ("[serve]", 1, "name = value"),
        ]
    )
    func badFile(text: String, line: Int, reason: String) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write(text)
        for command in ["settings", "serve"] {
            let result = try Child.run(Site.binary, [command, "--config", file, "--store", folder + "/store"])
            #expect(result.code == 78, "\(result)")
            #expect(result.output == "", "\(result)")
            #expect(result.error.hasPrefix("postern: \(file):\(line): "), "\(result.error)")
            #expect(result.error.contains(reason), "\(result.error)")
            #expect(result.error.count { $0 == "\n" } == 1, "\(result.error)")
        }
    }

    @Test("A file may have Windows' line ends, and a byte order mark")
    func windows() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try write("\u{FEFF}log-level = debug\r\n\r\n# a comment\r\nlog-format = json\r\n")
        let table = try table(try settings(["--json"]))
        #expect(table["log-level"]?["value"] as? String == "debug")
        #expect(table["log-format"]?["value"] as? String == "json")
    }

    @Test("A file that is missing, too large, no text or others' to write is refused; so is a variable that is none")
    func otherFaults() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func expect(_ code: Int32, _ reason: String, _ environment: [String: String] = [:]) throws {
            let result = try settings(environment: environment)
            #expect(result.code == code, "\(result)")
            #expect(result.error.contains(reason), "\(result)")
            #expect(result.error.count { $0 == "\n" } == 1)
        }
        try expect(66, "no such file")
        try write("", mode: 0o664)
        try expect(78, "chmod go-w")
        try write(String(repeating: "#\n", count: 40_000))
        try expect(78, "64 KiB")
        try Data([0xFF, 0x0A]).write(to: URL(fileURLWithPath: file))
        try expect(78, ":1: This is not UTF-8")
        try Data([0xFF, 0xFE, 0x23, 0]).write(to: URL(fileURLWithPath: file))
        try expect(78, "UTF-16")
        try FileManager.default.removeItem(atPath: file)
        try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
        try expect(66, "is no file")
        try FileManager.default.removeItem(atPath: file)
        try write("")
        try expect(78, "POSTERN_SERVE_LOG_LEVLE", ["POSTERN_SERVE_LOG_LEVLE": "debug"])
        try expect(78, "POSTERN_SERVE_LOG_LEVEL loud is not a log level", ["POSTERN_SERVE_LOG_LEVEL": "loud"])
        let flag = try settings(["--log-level", "loud"])
        #expect(flag.code == 64)
        #expect(flag.error.contains("--log-level loud is not a log level"))
    }

    @Test("The server goes by the file; as a CGI program it takes no setting for a parameter of the location")
    func serve() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = folder + "/store"
        try Child.run(Site.binary, ["store", "init", store]).expectSuccess()
        try write("store = \(store)\nlisten = \(folder)/socket\nlog-file = \(folder)/log\nlog-level = debug\n")
        let server = try Child(Site.binary, ["serve", "--config", file], log: folder + "/stderr")
        try eventually("it listens") { FastCGIClient.canConnect(folder + "/socket") }
        #expect(server.end() == 0)
        #expect(try String(contentsOfFile: folder + "/log", encoding: .utf8).contains(" info serving\n"))
        #expect(try String(contentsOfFile: folder + "/stderr", encoding: .utf8) == "")
        let answer = try Child.run(
            Site.binary,
            ["serve"],
            environment: [
                "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "POSTERN_VIEW": "whoami",
                "POSTERN_PERMISSION": "AllowAny", "POSTERN_STORE": store, "POSTERN_SERVE_LOG_FORMAT": "json",
                "POSTERN_SERVE_LOG_LEVEL": "debug",
            ]
        )
        #expect(answer.output.hasPrefix("Status: 200 OK\r\n"), "\(answer)")
        #expect(answer.error.hasPrefix(#"{"time":""#))
        #expect(answer.error.contains("GET answered 200"))
        // A log that cannot be made is no reason to go without.
        let refused = try Child.run(Site.binary, ["serve", "--config", file, "--audit-file", folder + "/none/audit"])
        #expect(refused.code == 73)
        #expect(refused.error.contains("/none/audit"))
    }
}
