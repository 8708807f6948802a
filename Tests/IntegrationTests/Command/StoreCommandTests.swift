import Foundation
import Postern
import Testing

@Suite("What is in a store, and how far a long command is")
struct StoreCommandTests {
    @Test("stats counts what is there, what is of no use, and says when it was written")
    func statistics() throws {
        let site = try FaultySite()
        defer { site.remove() }
        func run(_ arguments: [String]) throws -> Child.Finished {
            let finished = try Child.run(Site.binary, arguments, environment: ["POSTERN_STORE": site.store])
            try finished.expectSuccess()
            return finished
        }
        for _ in 0..<4 { _ = try run(["token", "create", "ann"]) }
        _ = try run(["token", "revoke", "1", "2", "3"])
        let json = try JSONSerialization.jsonObject(with: Data(try run(["store", "stats", "--json"]).output.utf8))
        let rows = try #require(json as? [[String: Any]])
        #expect(rows.map { $0["journal"] as? String } == ["users", "tokens", "sessions", "revocations"])
        #expect(rows.map { $0["live"] as? Int } == [1, 1, 0, 0])
        #expect(rows.map { $0["events"] as? Int } == [1, 7, 0, 0])
        let tokens = rows[1]
        let needed = try #require(tokens["needed"] as? Int)
        #expect(tokens["dead_percent"] as? Int == (7 - needed) * 100 / 7)
        let text = try String(contentsOfFile: site.store + "/tokens", encoding: .utf8)
        #expect(tokens["bytes"] as? Int == text.utf8.count)
        let times = text.split(separator: "\n").filter { $0.hasPrefix("2") }.map { String($0.prefix { $0 != "\t" }) }
        #expect(tokens["oldest"] as? String == times.first)
        #expect(tokens["newest"] as? String == times.last)
        #expect(rows[2]["oldest"] is NSNull)
        let table = try run(["store", "stats"]).output.split(separator: "\n")
        try #require(table.count == 5)
        #expect(table[0].hasPrefix("JOURNAL"))
        #expect(table[0].hasSuffix("NEWEST                       CPU MS  MEMORY"))
        _ = try run(["store", "compact"])
        let after = try JSONSerialization.jsonObject(with: Data(try run(["store", "stats", "--json"]).output.utf8))
        #expect(((after as? [[String: Any]])?[1]["dead_percent"] as? Int) == 0)
    }

    @Test("stats says what each journal costs whoever opens the store")
    func costs() throws {
        let site = try FaultySite()
        defer { site.remove() }
        let file = site.folder + "/htpasswd"
        let lines = (0..<20_000).map { "user\($0):$apr1$12345678$1234567890123456789012\n" }
        try lines.joined().write(toFile: file, atomically: false, encoding: .utf8)
        try Child.run(Site.binary, ["import", "htpasswd", file, "--store", site.store]).expectSuccess()
        let output = try Child.run(Site.binary, ["store", "stats", "--json", "--store", site.store]).output
        let rows = try #require(try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [[String: Any]])
        let (memory, times) = (rows.map { $0["memory_bytes"] as? Int ?? -1 }, rows.map { $0["cpu_ms"] as? Int ?? -1 })
        // A hash of a password alone has more than 20 bytes.
        #expect(
            memory.count == 4 && memory[0] > 20_000 * 20 && memory[0] > 10 * memory[3] && memory.allSatisfy { $0 >= 0 }
        )
        #expect(times.allSatisfy { $0 >= 0 } && times[0] > 0)
    }

    /// Commands that read all there is, and the verb by which they say so.
    static let long = [
        (["check"], "checking"), (["compact"], "reading"), (["backup", "COPY"], "reading"), (["stats"], "reading"),
        (["restore", "STORE", "COPY"], "copying"), (["repair", "--yes"], "reading"),
    ]

    /// Runs a command that takes its time: each look at a journal waits.
    private func slowly(_ command: [String], in site: FaultySite, onTerminal: Bool) throws -> Child.Finished {
        let arguments = command.map { ["COPY": site.folder + "/copy", "STORE": site.store][$0] ?? $0 }
        let program = [
            FaultySite.strace, "-f", "-o", "/dev/null", "-P", site.store + "/tokens", "-e",
            "inject=pread64,openat,mmap:delay_enter=700000", Site.binary, "store",
        ]
        // Gives it a terminal, and says what was written there.
        let terminal = """
            import os, pty, sys
            pid, terminal = pty.fork()
            if pid == 0:
                os.execv(sys.argv[1], sys.argv[1:])
            shown = b""
            while True:
                try:
                    data = os.read(terminal, 4096)
                except OSError:
                    break
                if not data:
                    break
                shown += data
            os.write(1, shown)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            """
        let whole = (onTerminal ? ["/usr/bin/python3", "-c", terminal] : []) + program + arguments
        return try Child.run(
            whole[0],
            Array(whole.dropFirst()),
            environment: ["POSTERN_STORE": site.store, "TERM": "xterm", "NO_COLOR": "1"]
        )
    }

    @Test("On a terminal there is a bar, which is gone in the end", arguments: long)
    func bar(command: [String], verb: String) throws {
        let site = try FaultySite()
        defer { site.remove() }
        let finished = try slowly(command, in: site, onTerminal: true)
        #expect(finished.code == 0, "\(finished.output)")
        let drawn = finished.output.split(separator: "\r").map(String.init).filter { $0.contains("[") }
        #expect(drawn.contains { $0.wholeMatch(of: /\w+ \w+ +\[#*-*\] +\d+%/) != nil }, "\(drawn)")
        #expect(drawn.contains { $0.hasPrefix(verb + " ") }, "\(drawn)")
        #expect(drawn.allSatisfy { $0.count < 80 })
        #expect(!finished.output.contains("\u{1B}"))
        // Erased, so that what is printed then begins on an empty line.
        #expect(finished.output.firstMatch(of: /\r +\r/) != nil)
    }

    @Test("Elsewhere there are plain lines", arguments: long)
    func lines(command: [String], verb: String) throws {
        let site = try FaultySite()
        defer { site.remove() }
        let finished = try slowly(command, in: site, onTerminal: false)
        #expect(finished.code == 0, "\(finished.error)")
        #expect(!finished.output.contains("%:"))
        #expect(!finished.output.contains(verb))
        let lines = finished.error.split(separator: "\n").filter { $0.contains("%") }
        #expect(lines.contains { $0.hasPrefix(verb + " ") }, "\(finished.error)")
        for line in lines { #expect(line.wholeMatch(of: /\w+ \w+: \d+%/) != nil, "\(line)") }
        #expect(!finished.error.contains("\r"))
    }

    @Test("What is done at once says nothing of it", arguments: long)
    func quick(command: [String], verb: String) throws {
        let site = try FaultySite()
        defer { site.remove() }
        let arguments = command.map { ["COPY": site.folder + "/copy", "STORE": site.store][$0] ?? $0 }
        let started = ContinuousClock.now
        let finished = try Child.run(Site.binary, ["store"] + arguments, environment: ["POSTERN_STORE": site.store])
        // A machine that is busy may not have been quick.
        guard ContinuousClock.now - started < .milliseconds(400) else { return }
        #expect(finished.code == 0, "\(finished.error)")
        #expect(!finished.error.contains("%"), "\(finished.error)")
    }

    @Test("Files and folders have their modes whatever the umask", arguments: ["000", "777"])
    func modes(mask: String) throws {
        let folder = try Site.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = folder + "/store"
        try Child.run("/bin/sh", ["-c", "umask \(mask) && exec \"\(Site.binary)\" store init \(store)"]).expectSuccess()
        func mode(_ path: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }
        #expect(try mode(store) == 0o700)
        #expect(try mode(store + "/keys") == 0o700)
        let names = try FileManager.default.subpathsOfDirectory(atPath: store).filter { $0 != "keys" }
        #expect(names.count > 6)
        for name in names { #expect(try mode(store + "/" + name) == 0o600, "\(name)") }
    }
}
