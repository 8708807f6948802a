import Foundation
import Synchronization
import Testing

/// Four processes on one store, under nginx, which gives each of them its share of the requests.
@Suite("Credentials across processes")
struct ProcessTests {
    private static let noGrace: Site.Location = (
        "/strict-refresh/", [("POSTERN_VIEW", "jwt.refresh"), ("POSTERN_JWT_GRACE", "0s")]
    )
    private static let limited: Site.Location = (
        "/limited-login/",
        [("POSTERN_VIEW", "token.login"), ("POSTERN_AUTHENTICATION", "Basic"), ("POSTERN_TOKEN_LIMIT", "5")]
    )
    private static let basic = ("Authorization", "Basic " + Data("ann:\(Site.password)".utf8).base64EncodedString())

    private func site() throws -> (Site, SpawnedServers) {
        let site = try Site(users: false, more: [Self.noGrace, Self.limited])
        try site.addUser("ann")
        return (site, try SpawnedServers(site, count: 4))
    }

    /// POSTs JSON.
    private func post(_ site: Site, _ path: String, _ object: [String: String], _ fields: [(String, String)] = [])
        throws -> HTTPAnswer
    {
        let body = try JSONSerialization.data(withJSONObject: object)
        return try HTTP.exchange(
            site.nginxPort,
            HTTP.request("POST", path, [("Content-Type", "application/json")] + fields, body: Array(body))
        )
    }

    private func texts(_ answer: HTTPAnswer) throws -> [String: String] {
        try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: String] ?? [:]
    }

    private func obtain(_ site: Site) throws -> [String: String] {
        let answer = try post(site, "/api/token/", ["username": "ann", "password": Site.password])
        #expect(answer.status == 200)
        return try texts(answer)
    }

    @Test("Of many refreshes at once exactly one makes a successor; with the grace, all callers get that one")
    func racingRefreshes() throws {
        let (site, servers) = try site()
        for (path, rounds) in [("/strict-refresh/", 15), ("/api/token/refresh/", 15)] {
            var refresh = try #require(try obtain(site)["refresh"])
            for _ in 0..<rounds {
                let answers = Mutex<[(Int, String?)]>([])
                let presented = refresh
                DispatchQueue.concurrentPerform(iterations: 12) { _ in
                    guard let answer = try? post(site, path, ["refresh": presented]) else { return }
                    let text = try? texts(answer)["refresh"]
                    answers.withLock { $0.append((answer.status, text)) }
                }
                let all = answers.withLock { $0 }
                #expect(all.count == 12)
                let good = all.filter { $0.0 == 200 }
                #expect(Set(good.compactMap(\.1)).count == 1)
                #expect(path == "/strict-refresh/" ? good.count == 1 : good.count == 12)
                #expect(all.allSatisfy { $0.0 == 200 || $0.0 == 401 })
                if path == "/strict-refresh/" {
                    // Somebody used it twice: what the one got is dead, too.
                    #expect(try post(site, path, ["refresh": try #require(good.first?.1)]).status == 401)
                    refresh = try #require(try obtain(site)["refresh"])
                } else {
                    refresh = try #require(good.first?.1)
                }
            }
        }
        #expect(servers.runningCount == 4)
    }

    @Test("However many log in at once, nobody gets more tokens than the location allows")
    func limit() throws {
        let (site, servers) = try site()
        let statuses = Mutex<[Int]>([])
        DispatchQueue.concurrentPerform(iterations: 16) { _ in
            guard let answer = try? post(site, "/limited-login/", [:], [Self.basic]) else { return }
            statuses.withLock { $0.append(answer.status) }
        }
        // The one that was made with the user was issued by no view, and does not count.
        #expect(statuses.withLock { $0.count { $0 == 200 } } == 5)
        #expect(statuses.withLock { $0.count { $0 == 403 } } == 11)
        withExtendedLifetime(servers) {}
    }

    /// What a client may have: header fields by which each of the schemes recognises ann.
    private func credentials(_ site: Site) throws -> [(scheme: String, fields: [(String, String)])] {
        let login = try post(site, "/api-auth/login/", ["username": "ann", "password": Site.password])
        #expect(login.status == 200)
        let cookie = login.values("Set-Cookie").map { $0.prefix { $0 != ";" } }.joined(separator: "; ")
        let token = try site.token(["ann"])
        let access = try #require(try obtain(site)["access"])
        return [
            ("Token", [("Authorization", "Token " + token)]), ("JWT", [("Authorization", "Bearer " + access)]),
            ("Session", [("Cookie", cookie)]), ("Basic", [Self.basic]),
        ]
    }

    private func expect(_ site: Site, _ status: Int, _ credentials: [(scheme: String, fields: [(String, String)])])
        throws
    {
        for (scheme, fields) in credentials {
            // Often enough that every process is asked.
            for _ in 0..<12 {
                let answer = try HTTP.exchange(site.nginxPort, HTTP.request("GET", "/secure/", fields))
                #expect(answer.status == status, "\(scheme)")
            }
        }
    }

    @Test(
        "Disabling, a new password, revoke-all and deleting end every kind of credential at the next request",
        arguments: [
            ["disable", "ann"], ["set-password", "ann"], ["revoke-all", "ann"], ["delete", "ann", "--yes"],
        ]
    )
    func ends(act: [String]) throws {
        let (site, servers) = try site()
        let all = try credentials(site)
        try expect(site, 200, all)
        try site.postern(["user"] + act, input: "another horse battery staple\n").expectSuccess()
        // A password is no credential that was issued: it opens what it opened, unless it is another one now.
        try expect(site, 401, act[0] == "revoke-all" ? Array(all.dropLast()) : all)
        if act[0] == "revoke-all" { try expect(site, 200, [all[3]]) }
        if act[0] == "disable" {
            try site.postern(["user", "enable", "ann"]).expectSuccess()
            try expect(site, 401, Array(all.dropLast()))
        }
        #expect(servers.runningCount == 4)
    }

    @Test("The command line lists sessions and ends them, in every process")
    func sessions() throws {
        let (site, servers) = try site()
        let (one, two) = (try credentials(site)[2], try credentials(site)[2])
        let list = try site.postern(["session", "list", "ann"]).output.split(separator: "\n")
        try #require(list.count == 3)
        #expect(list[0].hasPrefix("ID"))
        #expect(!list.joined().contains("pss_"))
        let id = try #require(list[1].split(separator: " ").first)
        try site.postern(["session", "end", String(id)]).expectSuccess()
        try expect(site, 401, [one])
        try expect(site, 200, [two])
        #expect(try site.postern(["session", "end", String(id)]).code == 65)
        try site.postern(["session", "end-all", "ann"]).expectSuccess()
        try expect(site, 401, [two])
        #expect(try site.postern(["session", "list", "--json"]).output == "[]\n")
        withExtendedLifetime(servers) {}
    }

    @Test("Keys rotate under load without one failed request, and one that is retired is dead everywhere")
    func rotation() throws {
        let (site, servers) = try site()
        let old = try obtain(site)
        let failures = Mutex<[String]>([])
        let requests = Atomic(0)
        let isOver = Atomic(false)
        let group = DispatchGroup()
        for _ in 0..<4 {
            var pair = try obtain(site)
            DispatchQueue.global().async(group: group) { [pair] in
                var pair = pair
                while !isOver.load(ordering: .relaxed) {
                    for _ in 0..<5 {
                        let fields = [("Authorization", "Bearer " + (pair["access"] ?? ""))]
                        let answer = try? HTTP.exchange(site.nginxPort, HTTP.request("GET", "/secure/", fields))
                        if answer?.status != 200 { failures.withLock { $0.append(answer?.text ?? "no answer") } }
                        requests.add(1, ordering: .relaxed)
                    }
                    let answer = try? post(site, "/api/token/refresh/", ["refresh": pair["refresh"] ?? ""])
                    if answer?.status != 200 { failures.withLock { $0.append(answer?.text ?? "no answer") } }
                    pair = answer.flatMap { try? texts($0) } ?? pair
                }
            }
            pair = [:]
        }
        for round in 0..<12 {
            let command =
                round % 3 == 0
                ? ["key", "generate", "--algorithm", ["EdDSA", "ES256"][round % 2]] : ["key", "rotate"]
            try site.postern(command).expectSuccess()
            let before = requests.load(ordering: .relaxed)
            try eventually("requests go on") { requests.load(ordering: .relaxed) > before + 40 }
        }
        isOver.store(true, ordering: .relaxed)
        group.wait()
        #expect(failures.withLock { $0 } == [])
        let list = try site.postern(["key", "list"]).output.split(separator: "\n").dropFirst()
        #expect(list.count == 13)
        let signing = try #require(list.first { $0.hasSuffix("yes") }?.split(separator: " ").first)
        #expect(try site.postern(["key", "retire", String(signing), "--yes"]).code == 65)
        try expect(site, 200, [("JWT", [("Authorization", "Bearer " + (old["access"] ?? ""))])])
        let first = try #require(list.first?.split(separator: " ").first)
        try site.postern(["key", "retire", String(first), "--yes"]).expectSuccess()
        try expect(site, 401, [("JWT", [("Authorization", "Bearer " + (old["access"] ?? ""))])])
        withExtendedLifetime(servers) {}
    }

    @Test("A server that is killed in the middle of a refresh leaves one token that is good: asking again gets it")
    func killed() throws {
        let site = try Site(users: false)
        try site.addUser("ann")
        var refresh = try #require(try obtain(site)["refresh"])
        for round in 0..<12 {
            let group = DispatchGroup()
            let presented = refresh
            DispatchQueue.global().async(group: group) {
                _ = try? post(site, "/api/token/refresh/", ["refresh": presented])
            }
            // At another moment each time, whatever it does just then.
            usleep(UInt32(round * 300))
            try site.restartServer(with: SIGKILL)
            group.wait()
            let answer = try post(site, "/api/token/refresh/", ["refresh": refresh])
            #expect(answer.status == 200, "round \(round): \(answer.text)")
            refresh = try #require(try texts(answer)["refresh"])
        }
    }

    @Test("No secret that a client has stands in a file, a log or the list of processes")
    func canaries() throws {
        let site = try Site()
        let all = try credentials(site)
        var secrets = [Site.password, "wrong canary password"]
        for (_, fields) in all { secrets += fields.map { $0.1.components(separatedBy: " ").last ?? "" } }
        let session = try #require(all[2].fields.first?.1.firstMatch(of: /sessionid=(\w+)/)).1
        secrets += [String(session), String(session.dropFirst(4))]
        secrets.append(try #require(try obtain(site)["refresh"]))
        let csrf = try #require(all[2].fields.first?.1.firstMatch(of: /csrftoken=(\w+)/)).1
        secrets.append(String(csrf))
        _ = try post(site, "/api/token/", ["username": "wrong canary password", "password": "wrong canary password"])
        _ = try post(site, "/api-auth/login/", ["username": "wrong canary password", "password": "x"])
        _ = try post(site, "/api/token/refresh/", ["refresh": secrets[5] + "x"])
        _ = try HTTP.exchange(
            site.nginxPort,
            HTTP.request("GET", "/secure/", [("Authorization", "Bearer " + secrets[5] + "x")])
        )
        _ = try site.get("/secure/?token=\(session)")
        let files = try #require(FileManager.default.enumerator(atPath: site.folder)).allObjects.compactMap {
            $0 as? String
        }
        var looked = 0
        for file in files where !file.contains("/keys/") {
            guard let data = FileManager.default.contents(atPath: site.folder + "/" + file) else { continue }
            looked += 1
            for secret in secrets where secret.utf8.count > 8 {
                #expect(data.firstRange(of: Data(secret.utf8)) == nil, "\(file)")
            }
        }
        #expect(looked >= 8)
        for server in site.servers {
            let line = FileManager.default.contents(atPath: "/proc/\(server.pid)/cmdline") ?? Data()
            for secret in secrets { #expect(line.firstRange(of: Data(secret.utf8)) == nil) }
        }
    }
}
