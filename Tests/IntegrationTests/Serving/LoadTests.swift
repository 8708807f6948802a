import Foundation
import Synchronization
import Testing

@Suite("Many clients")
struct LoadTests {
    @Test("64 clients at once get no error, and leave no descriptor and no memory behind")
    func concurrent() throws {
        let site = try Site(users: false)
        try site.postern(["user", "add", "ann", "--no-password"]).expectSuccess()
        let token = try site.token(["ann"])
        let pid = try #require(site.servers.first).pid
        let port = site.nginxPort
        func load(_ requests: Int) {
            let failures = Mutex(0)
            let clients = DispatchGroup()
            for number in 0..<64 {
                clients.enter()
                Thread.detachNewThread {
                    for round in 0..<requests {
                        let isGood = (number + round) % 3 != 0
                        let fields = [("Authorization", "Token " + (isGood ? token : "wrong"))]
                        let answer = try? HTTP.exchange(port, HTTP.request("GET", "/secure/", fields))
                        if answer?.status != (isGood ? 200 : 401) { failures.withLock { $0 += 1 } }
                    }
                    clients.leave()
                }
            }
            clients.wait()
            #expect(failures.withLock { $0 } == 0)
        }
        load(20)
        let (descriptors, memory) = (Self.descriptors(pid), Self.residentKiB(pid))
        load(100)
        load(100)
        // nginx keeps up to 64 connections.
        #expect(Self.descriptors(pid) <= max(descriptors, 16 + 64))
        #expect(Self.residentKiB(pid) < memory + memory / 4 + 2048)
    }

    @Test("Clients that hang up half-way leave nothing behind, and others are answered")
    func hangUps() throws {
        let site = try Site.shared.get()
        let pid = try #require(site.servers.first).pid
        let body = Array(#"{"username":"ann","password":"wrong"}"#.utf8)
        let whole = HTTP.request("POST", "/api-token-auth/", [("Content-Type", "application/json")], body: body)
        let direct = FastCGIClient.request([
            ("REQUEST_METHOD", "GET"), ("POSTERN_VIEW", "message"), ("POSTERN_MESSAGE", "x"),
        ])
        func hangUp() throws {
            for length in stride(from: 1, to: whole.count, by: 9) {
                try HTTP.Connection(port: site.nginxPort).send(Array(whole[..<length]))
            }
            for length in stride(from: 1, through: direct.count, by: 5) {
                try FastCGIClient(site.socket).send(Array(direct[..<length]))
            }
        }
        try hangUp()
        let before = Self.descriptors(pid)
        for _ in 0..<10 { try hangUp() }
        #expect(try site.get("/secure/", token: site.tokens["ann"]).status == 200)
        // nginx keeps up to 64 connections, and others use this server meanwhile.
        try eventually("connections are closed") { Self.descriptors(pid) <= max(before, 16 + 64) + 16 }
    }

    @Test(
        "Five hundred logins at once are answered or told to wait, and take the memory of as many hashes as there are cores"
    )
    func logins() throws {
        let site = try Site(users: false)
        try site.addUser("ann")
        let pid = try #require(site.servers.first).pid
        let body = Array(#"{"username":"ann","password":"\#(Site.password)"}"#.utf8)
        // nginx has fewer connections.
        func login(_ host: Int) throws -> FastCGIClient {
            let head = FastCGIClient.request([
                ("REQUEST_METHOD", "POST"), ("POSTERN_VIEW", "jwt.obtain"), ("REMOTE_ADDR", "127.0.0.\(host)"),
                ("CONTENT_TYPE", "application/json"), ("CONTENT_LENGTH", String(body.count)),
            ])
            let client = try FastCGIClient(site.socket)
            client.send(Array(head.dropLast(8)) + FastCGIClient.record(5, body) + FastCGIClient.record(5, []))
            return client
        }
        #expect(try login(1).receiveAnswer().hasPrefix("Status: 200"))
        let before = Self.kibibytes("VmHWM", pid)
        let clients = try (0..<500).map { try login(2 + $0 % 100) }
        let answers = clients.map { $0.receiveAnswer() }
        for answer in answers where !answer.hasPrefix("Status: 200") {
            #expect(answer.hasPrefix("Status: 503"), "\(answer.prefix(100))")
            #expect(answer.contains("Retry-After: "), "\(answer.prefix(100))")
        }
        #expect(answers.contains { $0.hasPrefix("Status: 200") })
        // 19 MiB each, and some for five hundred connections.
        let cores = ProcessInfo.processInfo.activeProcessorCount
        #expect(Self.kibibytes("VmHWM", pid) < before + (19 * cores + 32) * 1024)
    }

    private static func descriptors(_ pid: Int32) -> Int {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []).count
    }

    private static func residentKiB(_ pid: Int32) -> Int { kibibytes("VmRSS", pid) }

    private static func kibibytes(_ name: String, _ pid: Int32) -> Int {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return line?.split(separator: " ").compactMap { Int($0) }.first ?? 0
    }
}
