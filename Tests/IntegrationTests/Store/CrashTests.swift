import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("Nothing acknowledged is lost", .randomized)
struct CrashTests {
    /// A thousand in the long mode.
    @Test("Tokens that four processes create at once are all there, each once")
    func concurrent() async throws {
        let count = LongTests.times(40, long: 250)
        let site = try Site(users: false)
        try site.postern(["user", "add", "ann", "--no-password"]).expectSuccess()
        let script =
            "i=0; while [ $i -lt \(count) ]; do \"\(Site.binary)\" token create ann 2>/dev/null || exit 1; i=$((i + 1)); done"
        let store = site.store
        let outputs = try await withThrowingTaskGroup(of: Child.Finished.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    try await onThread {
                        try Child.run("/bin/sh", ["-c", script], environment: ["POSTERN_STORE": store])
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for output in outputs { try output.expectSuccess() }
        let tokens = outputs.flatMap { $0.output.split(separator: "\n") }
        #expect(Set(tokens).count == 4 * count)
        let list = try site.postern(["token", "list", "--json"])
        let rows = try #require(try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [[String: Any]])
        #expect(rows.compactMap { $0["id"] as? Int } == Array(1...4 * count))
        for token in tokens { #expect(try site.get("/secure/", token: String(token)).status == 200) }
    }

    @Test("Kills of servers and of writing commands at random moments lose nothing that was acknowledged")
    func kills() throws {
        let site = try Site(users: false)
        try site.postern(["user", "add", "ann", "--minimum-password-length", "8"], input: "pj3kfwq0\n").expectSuccess()
        // Moments from the first instruction to well after the last one, whatever else the machine does.
        let whole = try ContinuousClock().measure { try site.postern(["token", "create", "ann"]).expectSuccess() }
        let latest = UInt32(2 * max(10, whole / .milliseconds(1))) * 1000
        var acknowledged: [String] = []
        for round in 0..<LongTests.times(100, long: 1000) {
            let output = site.folder + "/token-\(round)"
            let command = try Child(
                Site.binary,
                ["token", "create", "ann"],
                environment: ["POSTERN_STORE": site.store],
                log: output
            )
            usleep(UInt32.random(in: 0..<latest, using: &seeded))
            command.end(with: SIGKILL)
            let text = try String(contentsOfFile: output, encoding: .utf8)
            // A line that was printed was on disk before.
            acknowledged += text.split(separator: "\n").filter { $0.hasPrefix("pst_") }.map(String.init)
            if round % 5 == 0 {
                let tokens = try killServerWhileItIssues(site)
                acknowledged += tokens
            }
        }
        #expect(acknowledged.count > 5)
        for token in acknowledged { #expect(try site.get("/secure/", token: token).status == 200) }
        try site.postern(["token", "list"]).expectSuccess()
    }

    /// Tokens that a server gave out before it was killed.
    private func killServerWhileItIssues(_ site: Site) throws -> [String] {
        let tokens = Mutex<[String]>([])
        let request = HTTP.request(
            "POST",
            "/api-token-auth/",
            [("Content-Type", "application/json")],
            body: Array(#"{"username":"ann","password":"pj3kfwq0"}"#.utf8)
        )
        let port = site.nginxPort
        let clients = DispatchGroup()
        for _ in 0..<4 {
            clients.enter()
            Thread.detachNewThread {
                for _ in 0..<2 {
                    guard let answer = try? HTTP.exchange(port, request), answer.status == 200,
                        let object = try? JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: String],
                        let token = object["token"]
                    else { continue }
                    tokens.withLock { $0.append(token) }
                }
                clients.leave()
            }
        }
        usleep(UInt32.random(in: 0..<200_000, using: &seeded))
        try site.restartServer(with: SIGKILL)
        clients.wait()
        return tokens.withLock { $0 }
    }
}

/// Runs what blocks on a thread of its own.
func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Swift.Result { try body() }) }
    }
}
