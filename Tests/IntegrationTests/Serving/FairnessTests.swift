import Foundation
import Synchronization
import Testing

/// Rude clients and administrators at work, beside one who asks politely, all through nginx as it is shipped.
///
/// Quiet and attacked turns alternate. What is mended here made a token check hundreds of times slower, or fail, whenever
/// it was done. So one good pair of turns is enough, and a busy machine makes a test longer and not red; that a check
/// fails is a fault in every turn.
@Suite("Nobody starves anybody", .serialized)
struct FairnessTests {
    /// A way to be rude.
    struct Way: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// How many do it at the same time.
        let count: Int
        /// Does it once; called again and again until the turn is over.
        let act: @Sendable (Stage, _ number: Int) throws -> Void
    }

    /// Where it is done.
    final class Stage: Sendable {
        let site: Site
        let isOver = Atomic(false)
        /// How many have begun.
        let begun = Atomic(0)

        init(_ site: Site) { self.site = site }

        /// Says that the caller is rude now, and stays so until the turn is over.
        func stay() {
            begun.add(1, ordering: .relaxed)
            while !isOver.load(ordering: .relaxed) { usleep(2000) }
        }
    }

    static let ways: [Way] = [
        Way(testDescription: "long answers that nobody reads", count: 40) { stage, _ in
            let connection = try HTTP.Connection(port: stage.site.nginxPort)
            connection.setReceiveBuffer(bytes: 4096)
            let fields = [("Authorization", "Token " + (stage.site.tokens["stella"] ?? ""))]
            try connection.send(HTTP.request("GET", "/api/users/?page_size=1000", fields))
            stage.stay()
        },
        Way(testDescription: "long answers that nobody reads, from a web server without buffers", count: 40) {
            stage,
            _ in
            let client = try FastCGIClient(stage.site.socket)
            client.send(
                FastCGIClient.request([
                    ("REQUEST_METHOD", "GET"), ("POSTERN_VIEW", "users"), ("REMOTE_ADDR", "127.0.0.1"),
                    ("QUERY_STRING", "page_size=1000"), ("DOCUMENT_URI", "/api/users/"),
                    ("HTTP_AUTHORIZATION", "Token " + (stage.site.tokens["stella"] ?? "")),
                ])
            )
            stage.stay()
        },
        Way(testDescription: "heads that come slowly", count: 60) { stage, number in
            let client = try FastCGIClient(stage.site.socket)
            let request = FastCGIClient.request([("REQUEST_METHOD", "GET"), ("POSTERN_VIEW", "whoami")])
            client.send(Array(request.prefix(1 + number % (request.count - 1))))
            stage.stay()
        },
        Way(testDescription: "bodies that come slowly", count: 120) { stage, _ in
            let client = try FastCGIClient(stage.site.socket)
            let head = FastCGIClient.request([
                ("REQUEST_METHOD", "POST"), ("POSTERN_VIEW", "token.obtain"), ("CONTENT_LENGTH", "1000"),
                ("CONTENT_TYPE", "application/json"), ("REMOTE_ADDR", "127.0.0.1"),
            ])
            client.send(Array(head.dropLast(8)) + FastCGIClient.record(5, [1, 2, 3]))
            stage.stay()
        },
        Way(testDescription: "logins with a right password", count: 120) { stage, number in
            try obtain(stage, "ann", Site.password, host: UInt8(10 + number % 100))
        },
        Way(testDescription: "logins with names that are nobody's", count: 120) { stage, number in
            try obtain(stage, "nobody\(number)", "wrong", host: UInt8(10 + number % 100))
        },
        Way(testDescription: "Basic with a wrong password", count: 60) { stage, number in
            let credential = Data("ann:wrong\(number)".utf8).base64EncodedString()
            try ask(stage, "/secure/", [("Authorization", "Basic " + credential)], host: UInt8(10 + number % 100))
        },
        Way(testDescription: "refresh tokens that are none", count: 30) { stage, number in
            let body = Array(#"{"refresh":"eyJhbGciOiJIUzI1NiJ9.e30.\#(number)"}"#.utf8)
            try ask(stage, "/api/token/refresh/", [("Content-Type", "application/json")], body: body)
        },
        Way(testDescription: "wrong tokens", count: 10) { stage, number in
            try ask(stage, "/secure/", [("Authorization", "Token pst_wrong\(number)")], host: UInt8(10 + number))
        },
        Way(testDescription: "fields that cost much to read", count: 8) { stage, _ in
            let client = try FastCGIClient(stage.site.socket)
            client.send(
                FastCGIClient.request([
                    ("REQUEST_METHOD", "GET"), ("POSTERN_VIEW", "whoami"), ("POSTERN_PERMISSION", "AllowAny"),
                    ("REMOTE_ADDR", "127.0.0.1"), ("HTTP_ACCEPT", String(repeating: ",;", count: 15_000)),
                ])
            )
            _ = client.receiveAnswer()
            stage.begun.add(1, ordering: .relaxed)
        },
        Way(testDescription: "long lists", count: 4) { stage, _ in
            let token = stage.site.tokens["stella"]
            _ = try stage.site.get("/api/users/?page_size=1000", token: token)
            stage.begun.add(1, ordering: .relaxed)
        },
        Way(testDescription: "tokens made and ended", count: 20) { stage, _ in
            let fields = [
                ("Authorization", "Token " + (stage.site.tokens["ann"] ?? "")), ("Content-Type", "application/json"),
            ]
            let request = HTTP.request("POST", "/api/tokens/", fields, body: Array("{}".utf8))
            let answer = try HTTP.exchange(stage.site.nginxPort, request)
            stage.begun.add(1, ordering: .relaxed)
            guard let id = answer.text.firstMatch(of: /"id":(\d+)/)?.1 else { return }
            _ = try HTTP.exchange(stage.site.nginxPort, HTTP.request("DELETE", "/api/tokens/\(id)/", fields))
        },
        Way(testDescription: "metrics, health and OpenAPI", count: 6) { stage, number in
            _ = try stage.site.get(["/metrics/", "/health/", "/openapi.json"][number % 3])
            stage.begun.add(1, ordering: .relaxed)
        },
        Way(testDescription: "backups", count: 1) { stage, _ in
            let folder = stage.site.folder + "/backup-\(UInt32.random(in: 0 ... .max))"
            try stage.site.postern(["store", "backup", folder]).expectSuccess()
            stage.begun.add(1, ordering: .relaxed)
        },
        Way(testDescription: "compactions", count: 1) { stage, _ in
            try stage.site.postern(["store", "compact"]).expectSuccess()
            stage.begun.add(1, ordering: .relaxed)
        },
        Way(testDescription: "keys that change", count: 1) { stage, _ in
            try stage.site.postern(["key", "rotate"]).expectSuccess()
            stage.begun.add(1, ordering: .relaxed)
        },
        Way(testDescription: "logs opened again", count: 1) { stage, _ in
            for server in stage.site.servers { kill(server.pid, SIGHUP) }
            usleep(1000)
            stage.begun.add(1, ordering: .relaxed)
        },
        Way(testDescription: "an import", count: 1) { stage, _ in
            let file = stage.site.folder + "/import-\(UInt32.random(in: 0 ... .max))"
            let lines = (0..<2000).map { "imported\($0):$2y$05$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234" }
            try lines.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
            _ = try stage.site.postern(["import", "htpasswd", file])
            stage.begun.add(1, ordering: .relaxed)
        },
    ]

    private static func ask(
        _ stage: Stage,
        _ path: String,
        _ fields: [(String, String)],
        body: [UInt8] = [],
        host: UInt8 = 1
    ) throws {
        let request = HTTP.request(body.isEmpty ? "GET" : "POST", path, fields, body: body)
        // It is counted before it is answered: its answer may take its time.
        stage.begun.add(1, ordering: .relaxed)
        _ = try HTTP.exchange(stage.site.nginxPort, request, fromHost: host)
    }

    private static func obtain(_ stage: Stage, _ name: String, _ password: String, host: UInt8) throws {
        let body = Array(#"{"username":"\#(name)","password":"\#(password)"}"#.utf8)
        try ask(stage, "/api-token-auth/", [("Content-Type", "application/json")], body: body, host: host)
    }

    /// With users enough for long lists.
    private static let site = Result {
        let site = try Site(throttlesFailures: true)
        let file = site.folder + "/users"
        let lines = (0..<3000).map { "user\($0):$2y$05$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234" }
        try lines.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
        try site.postern(["import", "htpasswd", file]).expectSuccess()
        return site
    }

    @Test("token checks of others go on", arguments: ways)
    func isFair(_ way: Way) throws {
        let site = try Self.site.get()
        let polite = PoliteClient(site, path: "/secure/", token: try #require(site.tokens["ann"]))
        defer {
            // Where it is the loops that wait, the structure says so, however fast the machine is.
            let metrics = (try? site.get("/metrics/"))?.text ?? ""
            #expect(metrics.contains("\npostern_loop_waits_total 0\n"))
        }
        var seen: [String] = []
        for _ in 0..<20 {
            let quiet = try polite.times(100).quantile(0.99)
            let attacked = try attackedTimes(polite, way, site).quantile(0.99)
            if attacked < max(10 * quiet, 20) { return }
            seen.append("\(quiet) and \(attacked)")
        }
        Issue.record("p99 quiet and attacked, in milliseconds: \(seen)")
    }

    /// Milliseconds, sorted.
    private func attackedTimes(_ polite: PoliteClient, _ way: Way, _ site: Site) throws -> [Double] {
        let stage = Stage(site)
        let rude = DispatchGroup()
        for number in 0..<way.count {
            rude.enter()
            Thread.detachNewThread {
                while !stage.isOver.load(ordering: .relaxed) {
                    // Who is refused tries again, as rude clients do.
                    do { try way.act(stage, number) } catch { usleep(1000) }
                }
                rude.leave()
            }
        }
        defer {
            stage.isOver.store(true, ordering: .relaxed)
            rude.wait()
        }
        try eventually("\(way.testDescription) have begun") {
            stage.begun.load(ordering: .relaxed) >= way.count
        }
        return try polite.times(100)
    }
}
