import Foundation
import TestSupport
import Testing
import WebServerConfiguration

/// Our choice of a location against nginx's own.
@Suite("Which location nginx chooses", .randomized)
struct NginxMatchTests {
    @Test("For thousands of paths among random locations, the same as nginx")
    func choice() throws {
        var generator = seeded
        let folder = try Site.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let ports = try (0..<6).map { _ in try freePort() }
        var text = geteuid() == 0 ? "user root;\n" : ""
        text += "pid nginx.pid; error_log error.log; events {} http { access_log off;\n"
        for kind in ["client_body", "fastcgi", "proxy", "scgi", "uwsgi"] { text += "\(kind)_temp_path \(kind);\n" }
        for port in ports {
            text += "server { listen 127.0.0.1:\(port);\n\(Self.locations(&generator, depth: 0, within: "/"))}\n"
        }
        text += "}\n"
        try text.write(toFile: folder + "/nginx.conf", atomically: true, encoding: .utf8)
        let nginx = try Child(
            "/usr/sbin/nginx",
            ["-p", folder, "-c", folder + "/nginx.conf", "-e", "error.log", "-g", "daemon off;"],
            log: folder + "/log"
        )
        defer { nginx.end() }
        try eventually("nginx listens") { ports.allSatisfy { (try? HTTP.Connection(port: $0)) != nil } }
        let configuration = try NginxConfiguration(dump: text)
        for port in ports {
            let server = try #require(configuration.server(port: Int(port), name: "localhost"))
            for _ in 0..<400 {
                let path =
                    "/" + (0..<Int.random(in: 0...4, using: &generator)).map { _ in Self.piece(&generator) }.joined()
                let answer = try HTTP.exchange(port, HTTP.request("GET", path))
                // nginx merges slashes before it looks.
                let merged = path.replacing(try Regex("//+"), with: "/")
                let expected = server.location(for: merged)?.location
                let line = answer.status == 200 ? answer.text : "none"
                #expect(line == (expected?.own("return").first?.arguments.last ?? "none"), "\(path) in \(text)")
            }
        }
    }

    private static func piece(_ generator: inout SeededGenerator) -> String {
        ["a", "b", "/", "a/", ".php", "B"].randomElement(using: &generator) ?? "a"
    }

    /// Locations that answer with a number of their own.
    private static func locations(_ generator: inout SeededGenerator, depth: Int, within prefix: String)
        -> String
    {
        var text = ""
        var seen = Set<String>()
        for _ in 0..<Int.random(in: 1...(depth == 0 ? 7 : 3), using: &generator) {
            let sign = ["", "", "^~ ", "= ", "~ ", "~* "].randomElement(using: &generator) ?? ""
            let path = prefix + (0..<Int.random(in: 0...2, using: &generator)).map { _ in piece(&generator) }.joined()
            let isRegex = sign.hasPrefix("~")
            let pattern = ["a", "^/a", "b$", "\\.php$", "/(a|b)/", "^/b/.*a"].randomElement(using: &generator) ?? "a"
            // nginx knows no two static locations of one kind and text, whether with ^~ or without.
            guard seen.insert((sign == "= " ? "=" : isRegex ? sign : "") + (isRegex ? pattern : path)).inserted else {
                continue
            }
            let id = UInt32.random(in: .min ... .max, using: &generator)
            let isNested = depth < 2 && sign != "= " && Bool.random(using: &generator)
            let nested = isNested ? locations(&generator, depth: depth + 1, within: isRegex ? "/" : path) : ""
            // Within a regular expression nginx takes regular expressions alone.
            let inner = isRegex ? "" : nested
            text += "location \(sign)\(isRegex ? pattern : path) { \(inner) return 200 \(id); }\n"
        }
        return text
    }
}
