import Foundation
import Synchronization
import Testing

/// One server for a hundred thousand requests of all kinds, and a million in the long mode. What it takes is the same at the
/// end as at the beginning. Where there is a release build of these sources it is that one's; a debug build gets fewer.
@Suite("A server that lives long")
struct SoakTests {
    /// Something that a client or an operator does, and the requests that it takes.
    private struct Act {
        let weight: Int
        let run: (FastCGIConnection, Int) throws -> Int
    }

    private static func expect(_ answer: FastCGIConnection.Answer, _ status: Int, _ what: String) throws {
        guard answer.status == status else { throw HarnessError("\(what): \(answer.status) \(answer.body)") }
    }

    @Test("Memory, threads, descriptors and processor time are the same from the first tenth to the last")
    func soak() throws {
        let server = try SoakServer()
        defer { server.remove() }
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed)
        let client = try FastCGIConnection(server.socket)
        let acts = acts(server)
        let sum = acts.reduce(0) { $0 + $1.weight }
        var number = 0
        /// - Returns: What a request took, in microseconds of the processor.
        func run(_ requests: Int) throws -> Double {
            let before = try ProcessFigures(server.pid).ticks
            var done = 0
            while done < requests {
                var place = Int.random(in: 0..<sum, using: &random)
                let act = acts.first { act in
                    place -= act.weight
                    return place < 0
                }
                number += 1
                done += try act?.run(client, number) ?? 1
            }
            return Double(try ProcessFigures(server.pid).ticks - before) * 10_000 / Double(done)
        }
        do {
            // All that is made once is made: each policy that is remembered, each thread's stack, each page of shared memory.
            for number in 0..<1100 { try server.askOfNewPolicy(client, -1 - number) }
            let total = LongTests.times(server.isRelease ? 100_000 : 50_000, long: 1_000_000)
            _ = try run(total / 10)
            var figures = [try ProcessFigures(server.pid)]
            var times: [Double] = []
            for _ in 0..<10 {
                times.append(try run(total / 10))
                figures.append(try ProcessFigures(server.pid))
            }
            let kibibytes = figures.map { Double($0.residentKiB) }
            // Bytes a request. A token, a session and a family of refresh tokens are remembered until they have ended.
            // What is made once for each thread and size of memory comes late: it counts from the middle on.
            let growth = Self.slope(Array(kibibytes.suffix(6))) * 10 * 1024 / Double(total)
            let summary = "seed \(seed): KiB \(kibibytes), microseconds \(times)"
            print("soak: \(growth) bytes a request; \(summary)")
            #expect(growth < 40, "\(growth) bytes a request; \(summary)")
            // The timers of the logs, which last a minute, are threads of their own.
            let threads = figures.map(\.threads)
            #expect((threads.max() ?? 0) - (threads.min() ?? 0) <= 4, "\(threads)")
            let descriptors = figures.map(\.descriptors)
            #expect((descriptors.max() ?? 0) - (descriptors.min() ?? 0) <= 4, "\(descriptors)")
            // What grows with each request grows from the first tenth to the last many times over.
            let (first, last) = (times.prefix(3).sorted()[1], times.suffix(3).sorted()[1])
            #expect(last < 2 * first, "\(summary)")
            #expect(server.isRunning)
        } catch {
            throw HarnessError("seed \(seed): \(error), runs: \(server.isRunning)")
        }
    }

    /// Of the line through the values that has the least squares.
    private static func slope(_ values: [Double]) -> Double {
        let middle = Double(values.count - 1) / 2
        let mean = values.reduce(0, +) / Double(values.count)
        let (above, below) = values.enumerated().reduce((0.0, 0.0)) { sums, value in
            let distance = Double(value.offset) - middle
            return (sums.0 + distance * (value.element - mean), sums.1 + distance * distance)
        }
        return above / below
    }

    private func acts(_ server: SoakServer) -> [Act] {
        let token = ("HTTP_AUTHORIZATION", "Token " + server.token)
        let administrator = ("HTTP_AUTHORIZATION", "Token " + server.administrator)
        let basic = Data("ann:\(Site.password)".utf8).base64EncodedString()
        let login = #"{"username":"ann","password":"\#(Site.password)"}"#
        let users = ("POSTERN_PERMISSION", "IsAuthenticated")
        let all = ("POSTERN_PERMISSION", "AllowAny")
        let unthrottled = ("POSTERN_FAILURE_THROTTLE", "off")
        func simple(_ weight: Int, _ view: String, _ status: Int, _ more: [(String, String)]) -> Act {
            Act(weight: weight) { client, _ in
                try Self.expect(try client.ask(view, more), status, view)
                return 1
            }
        }
        return [
            simple(4000, "message", 200, [token, users, ("POSTERN_MESSAGE", "You are in")]),
            simple(1000, "gate", 204, [token]),
            simple(300, "forward-auth", 204, [token, ("POSTERN_REQUEST_METHOD", "GET")]),
            simple(100, "tokens", 200, [token]), simple(100, "whoami", 200, [token, users]),
            simple(200, "health", 200, []), simple(200, "metrics", 200, [all]),
            simple(50, "jwt.jwks", 200, [all]), simple(30, "openapi", 200, [all]),
            simple(100, "users", 200, [administrator]), simple(50, "groups", 200, [administrator]),
            simple(
                100,
                "whoami",
                200,
                [users, ("POSTERN_AUTHENTICATION", "Basic"), ("HTTP_AUTHORIZATION", "Basic " + basic)]
            ),
            // Whom nobody knows, and what the web server never says.
            simple(100, "whoami", 401, [users, unthrottled]),
            Act(weight: 1000) { client, number in
                let bad = ("HTTP_AUTHORIZATION", "Token pst_\(number)")
                try Self.expect(try client.ask("whoami", [users, unthrottled, bad]), 401, "a bad token")
                return 1
            },
            Act(weight: 500) { client, number in
                try server.askOfNewPolicy(client, number)
                return 1
            },
            Act(weight: 300) { _, _ in
                let other = try FastCGIConnection(server.socket)
                try Self.expect(try other.ask("health"), 200, "a new connection")
                return 1
            },
            Act(weight: 500) { client, number in
                let made = try client.ask("tokens", "POST", "/api/tokens/", json: #"{"label":"\#(number)"}"#, [token])
                try Self.expect(made, 201, "a new token")
                let path = "/api/tokens/\(made.member("id") ?? "")/"
                try Self.expect(try client.ask("tokens.detail", "DELETE", path, [token]), 204, "its end")
                return 2
            },
            Act(weight: 4) { client, _ in
                let fields = [("HTTP_AUTHORIZATION", "Basic " + basic)]
                let made = try client.ask("token.login", "POST", json: "{}", fields)
                try Self.expect(made, 200, "a login by token")
                let credential = ("HTTP_AUTHORIZATION", "Token " + (made.member("token") ?? ""))
                try Self.expect(try client.ask("token.logout", "POST", json: "{}", [credential]), 204, "a logout")
                return 2
            },
            Act(weight: 4) { client, _ in
                var tokens = try client.ask("jwt.obtain", "POST", json: login)
                for _ in 0..<6 {
                    let refresh = #"{"refresh":"\#(tokens.member("refresh") ?? "")"}"#
                    tokens = try client.ask("jwt.refresh", "POST", json: refresh)
                    try Self.expect(tokens, 200, "a refresh")
                    let access = ("HTTP_AUTHORIZATION", "Bearer " + (tokens.member("access") ?? ""))
                    let location = [users, ("POSTERN_AUTHENTICATION", "JWT"), access]
                    try Self.expect(try client.ask("whoami", location), 200, "an access token")
                }
                let refresh = #"{"refresh":"\#(tokens.member("refresh") ?? "")"}"#
                try Self.expect(try client.ask("jwt.blacklist", "POST", json: refresh), 200, "the end of a family")
                return 14
            },
            Act(weight: 4) { client, _ in
                let made = try client.ask("session.login", "POST", json: login)
                try Self.expect(made, 200, "a session")
                let cookies = made.cookies.map { "\($0.name)=\($0.value)" }.joined(separator: "; ")
                let secret = made.cookies.first { $0.name == "csrftoken" }?.value ?? ""
                let fields = [("HTTP_COOKIE", cookies), ("HTTP_X_CSRFTOKEN", secret)]
                try Self.expect(try client.ask("whoami", [users] + fields), 200, "a session's user")
                try Self.expect(try client.ask("session.logout", "POST", json: "{}", fields), 204, "its end")
                return 3
            },
            Act(weight: 700) { _, _ in
                try server.reload()
                return 1
            },
        ]
    }
}

/// A server on a Unix socket, with its store in memory: the disk is not what is looked at.
private final class SoakServer {
    let folder: String
    let socket: String
    let token: String
    let administrator: String
    let isRelease: Bool
    private let server: Child

    var pid: Int32 { server.pid }
    var isRunning: Bool { server.isRunning }

    init() throws {
        let folder = try Self.makeFolder()
        self.folder = folder
        socket = folder + "/socket"
        let store = folder + "/store"
        let release = Self.release
        isRelease = release != nil
        func postern(_ arguments: [String], input: String = "") throws -> String {
            let finished = try Child.run(
                Site.binary,
                arguments,
                input: input,
                environment: ["POSTERN_STORE": store]
            )
            try finished.expectSuccess()
            return finished.output.trimmingCharacters(in: .newlines)
        }
        _ = try postern(["store", "init", store])
        token = try postern(["user", "add", "ann", "--with-token"], input: Site.password + "\n")
        administrator = try postern(["user", "add", "stella", "--with-token", "--staff", "--no-password"])
        server = try Child(
            release ?? Site.binary,
            [
                "serve", "--store", store, "--listen", socket, "--log-file", folder + "/log", "--audit-file",
                folder + "/audit",
            ],
            log: folder + "/output"
        )
        try eventually("the server listens") { FastCGIClient.canConnect(self.socket) }
    }

    func remove() {
        server.end()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// That of `make build`, unless the sources have changed since.
    private static var release: String? {
        func time(_ path: String) -> Date? {
            try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
        }
        let path = Site.sources + "/.build/release/postern"
        let sources = Site.sources + "/Sources"
        guard let built = time(path), let names = try? FileManager.default.subpathsOfDirectory(atPath: sources),
            names.allSatisfy({ time(sources + "/" + $0).map { $0 < built } ?? false })
        else { return nil }
        return path
    }

    /// As logrotate does: another file, and SIGHUP, until the server has opened it.
    func reload() throws {
        rename(folder + "/log", folder + "/log.1")
        rename(folder + "/audit", folder + "/audit.1")
        kill(pid, SIGHUP)
        let deadline = ContinuousClock().now + .seconds(20)
        while access(folder + "/audit", F_OK) != 0 {
            guard isRunning, ContinuousClock().now < deadline else { throw HarnessError("the logs are not reopened") }
            usleep(200)
        }
    }

    /// A location as no request had one before.
    func askOfNewPolicy(_ client: FastCGIConnection, _ number: Int) throws {
        let answer = try client.ask(
            "message",
            [("POSTERN_MESSAGE", "Policy \(number)"), ("POSTERN_PERMISSION", "AllowAny")]
        )
        guard answer.status == 200 else { throw HarnessError("a new policy: \(answer.status)") }
    }

    private static func makeFolder() throws -> String {
        var template = Array("/dev/shm/postern-soak-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { return try Site.temporaryFolder() }
        let folder = String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        Child.removeAtExit(folder)
        return folder
    }
}

/// SplitMix64.
private struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
