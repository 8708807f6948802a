import Foundation
import Synchronization
import Testing

/// Four processes on one store, which count together.
@Suite("Throttles across processes")
struct ThrottleProcessTests {
    private static func message(_ path: String, _ throttle: String) -> Site.Location {
        (
            path,
            [
                ("POSTERN_VIEW", "message"), ("POSTERN_MESSAGE", "x"), ("POSTERN_PERMISSION", "AllowAny"),
                ("POSTERN_THROTTLE", throttle),
            ]
        )
    }

    /// Statuses of requests that 64 clients send as fast as they can.
    private func load(_ site: Site, _ path: String, rounds: Int, token: String? = nil) -> [Int] {
        let statuses = Mutex<[Int]>([])
        let clients = DispatchGroup()
        for _ in 0..<64 {
            clients.enter()
            Thread.detachNewThread {
                for _ in 0..<rounds {
                    let status = (try? site.get(path, token: token))?.status ?? 0
                    statuses.withLock { $0.append(status) }
                }
                clients.leave()
            }
        }
        clients.wait()
        return statuses.withLock { $0 }
    }

    @Test("64 clients that hit a limit of 100 get 100 through, and as many of a user behind both web servers")
    func limit() throws {
        let site = try Site(
            users: false,
            more: [Self.message("/hundred/", "anon=100/hour"), Self.message("/users-hundred/", "user=100/hour")]
        )
        try site.addUser("ann")
        var servers: SpawnedServers? = try SpawnedServers(site, count: 4)
        let statuses = load(site, "/hundred/", rounds: 5)
        #expect(statuses.count { $0 == 200 } == 100)
        #expect(statuses.count { $0 == 429 } == 220)
        let token = site.tokens["ann"]
        let users = load(site, "/users-hundred/", rounds: 3, token: token)
        #expect(users.count { $0 == 200 } == 100)
        #expect(users.count { $0 == 429 } == 92)
        let refused = try site.get("/users-hundred/", token: token, port: site.lighttpdPort)
        #expect(refused.status == 429)
        #expect(refused.field("Retry-After").flatMap(Int.init) ?? 0 > 3000)
        // Whoever starts later counts on.
        servers = nil
        servers = try SpawnedServers(site, count: 1)
        #expect(try site.get("/hundred/", port: site.lighttpdPort).status == 429)
        _ = servers
    }

    @Test("Guesses are counted together, too, and stop passwords, tokens and all else that the address presents")
    func failures() throws {
        let site = try Site(users: false, throttlesFailures: true)
        try site.addUser("ann")
        let servers = try SpawnedServers(site, count: 4)
        let statuses = load(site, "/secure/", rounds: 2, token: "wrong")
        #expect(statuses.count { $0 == 401 } >= 30)
        #expect(statuses.count { $0 == 429 } >= 60)
        for port in [site.nginxPort, site.lighttpdPort] {
            let refused = try site.get("/secure/", token: site.tokens["ann"], port: port)
            #expect(refused.status == 429)
            #expect(refused.field("Retry-After") != nil)
            #expect(refused.field("Content-Type") == "application/json")
            #expect(try site.get("/secure/", port: port).status == 401)
        }
        _ = servers
    }

    @Test("That each of four processes remembers the right password is no way around the limit of guesses")
    func remembered() throws {
        let site = try Site(users: false, throttlesFailures: true)
        try site.addUser("ann")
        let servers = try SpawnedServers(site, count: 4)
        @Sendable func ask(_ password: String, host: UInt8 = 9) throws -> Int {
            let basic = "Basic " + Data("ann:\(password)".utf8).base64EncodedString()
            let request = HTTP.request("GET", "/whoami/", [("Authorization", basic)])
            return try HTTP.exchange(site.nginxPort, request, fromHost: host).status
        }
        // Whichever process gets it, the password is right and remembered from then on.
        for _ in 0..<40 { #expect(try ask(Site.password) == 200) }
        let statuses = Mutex<[Int]>([])
        DispatchQueue.concurrentPerform(iterations: 8) { worker in
            for round in 0..<50 {
                let status = (try? ask("wrong \(worker) \(round)")) ?? 0
                statuses.withLock { $0.append(status) }
            }
        }
        let guesses = statuses.withLock { $0 }
        // As many as a login has in a minute, and in another one if the machine needs one for this.
        let told = guesses.count { $0 == 401 }
        #expect((1...10).contains(told), "\(told)")
        #expect(guesses.count { $0 == 429 } == 400 - told, "\(told)")
        for _ in 0..<40 { #expect(try ask(Site.password) == 429) }
        #expect(try ask(Site.password, host: 10) == 200)
        _ = servers
    }

    @Test(
        "A guess counts, too, where its client fills the queue with logins of its own, and hangs up before its answer"
    )
    func hangsUp() throws {
        let site = try Site(users: false, throttlesFailures: true)
        for name in ["ann", "mal"] { try site.addUser(name) }
        func request(_ host: Int, _ more: [(String, String)]) -> [UInt8] {
            FastCGIClient.request([("REMOTE_ADDR", "127.0.0.\(host)"), ("POSTERN_PERMISSION", "AllowAny")] + more)
        }
        func basic(_ password: String, host: Int) -> [UInt8] {
            let credential = Data("ann:\(password)".utf8).base64EncodedString()
            return request(
                host,
                [
                    ("REQUEST_METHOD", "GET"), ("POSTERN_VIEW", "whoami"),
                    ("HTTP_AUTHORIZATION", "Basic " + credential),
                ]
            )
        }
        func answer(_ request: [UInt8]) throws -> String {
            let client = try FastCGIClient(site.socket)
            client.send(request)
            return client.receiveAnswer()
        }
        // It is remembered now.
        #expect(try answer(basic(Site.password, host: 10)).hasPrefix("Status: 200"))
        let body = Array(#"{"username":"mal","password":"\#(Site.password)"}"#.utf8)
        let head = request(
            9,
            [
                ("REQUEST_METHOD", "POST"), ("POSTERN_VIEW", "jwt.obtain"), ("CONTENT_TYPE", "application/json"),
                ("CONTENT_LENGTH", String(body.count)),
            ]
        )
        // Its body takes the place of the empty one.
        let login = Array(head.dropLast(8)) + FastCGIClient.record(5, body) + FastCGIClient.record(5, [])
        let crowd = try (0..<40).map { _ in
            let client = try FastCGIClient(site.socket)
            client.send(login)
            return client
        }
        for number in 0..<20 { try FastCGIClient(site.socket).send(basic("wrong \(number)", host: 9)) }
        // Their records may still be on the way.
        try eventually("the right one is refused") {
            try answer(basic(Site.password, host: 9)).hasPrefix("Status: 429")
        }
        for client in crowd { #expect(!client.receiveAnswer().isEmpty) }
        #expect(try answer(basic(Site.password, host: 9)).hasPrefix("Status: 429"))
        #expect(try answer(basic(Site.password, host: 10)).hasPrefix("Status: 200"))
    }
}
