import Foundation
import Testing

@Suite("What a change in the store means to running servers")
struct RevocationTests {
    /// Four processes on one socket, as `spawn-fcgi -F 4` makes them, so that every one of them has to see it.
    private func site() throws -> (Site, SpawnedServers) {
        let locations = [("/ops/", "InGroup('ops')"), ("/selling/", "HasPermission('shop.sell')")].map {
            ($0, [("POSTERN_VIEW", "message"), ("POSTERN_MESSAGE", "x"), ("POSTERN_PERMISSION", $1)])
        }
        let site = try Site(users: false, more: locations)
        try site.postern(["user", "add", "ann", "--no-password"]).expectSuccess()
        let servers = try SpawnedServers(site, count: 4)
        return (site, servers)
    }

    private func status(_ site: Site, _ token: String, path: String = "/secure/") throws -> Int {
        try site.get(path, token: token).status
    }

    @Test("A token that the command line revokes is refused by the next request of every process")
    func revoked() throws {
        let (site, servers) = try site()
        for _ in 0..<10 {
            let token = try site.token(["ann"])
            // Often enough that each process has seen it.
            for _ in 0..<16 { #expect(try status(site, token) == 200) }
            let id = try #require(
                try site.postern(["token", "list", "ann"]).output.split(separator: "\n").last?.split(separator: " ")
                    .first
            )
            try site.postern(["token", "revoke", String(id)]).expectSuccess()
            for _ in 0..<16 {
                let answer = try site.get("/secure/", token: token)
                #expect(answer.status == 401)
                #expect(answer.text == #"{"detail":"Invalid token."}"#)
            }
        }
        #expect(servers.runningCount == 4)
    }

    @Test("A token that a request revokes in one process is refused by the next request of every process")
    func revokedByRequest() throws {
        let (site, servers) = try site()
        let owner = try site.token(["ann"])
        for _ in 0..<10 {
            let token = try site.token(["ann"])
            for _ in 0..<16 { #expect(try status(site, token) == 200) }
            let list = try site.get("/api/tokens/", token: token).text
            let id = try #require(list.firstMatch(of: /"id":(\d+),[^}]*"current":true/)).1
            let fields = [("Authorization", "Token " + owner)]
            let answer = try HTTP.exchange(site.nginxPort, HTTP.request("DELETE", "/api/tokens/\(id)/", fields))
            #expect(answer.status == 204)
            for _ in 0..<16 { #expect(try status(site, token) == 401) }
        }
        withExtendedLifetime(servers) {}
    }

    @Test("Disabling, enabling, granting and deleting count at the next request of every process")
    func flags() throws {
        let (site, servers) = try site()
        let token = try site.token(["ann"])
        func expect(_ code: Int, _ path: String = "/secure/", _ location: SourceLocation = #_sourceLocation) throws {
            for _ in 0..<16 { #expect(try status(site, token, path: path) == code, sourceLocation: location) }
        }
        try expect(403, "/admin-only/")
        try site.postern(["user", "grant", "ann", "--staff"]).expectSuccess()
        try expect(200, "/admin-only/")
        try site.postern(["user", "grant", "ann", "--no-staff"]).expectSuccess()
        try expect(403, "/admin-only/")
        try expect(403, "/ops/")
        try site.postern(["group", "set", "ops"]).expectSuccess()
        try site.postern(["user", "grant", "ann", "--group", "ops"]).expectSuccess()
        try expect(200, "/ops/")
        try expect(403, "/selling/")
        try site.postern(["group", "set", "ops", "--permission", "shop.sell"]).expectSuccess()
        try expect(200, "/selling/")
        try site.postern(["user", "grant", "ann", "--no-group", "ops"]).expectSuccess()
        try expect(403, "/ops/")
        try expect(403, "/selling/")
        try site.postern(["user", "disable", "ann"]).expectSuccess()
        try expect(401)
        #expect(try site.get("/secure/", token: token).text == #"{"detail":"User inactive or deleted."}"#)
        try site.postern(["user", "enable", "ann"]).expectSuccess()
        try expect(401)
        #expect(try site.get("/secure/", token: token).text == #"{"detail":"Invalid token."}"#)
        let second = try site.token(["ann"])
        #expect(try status(site, second) == 200)
        try site.postern(["user", "delete", "ann", "--yes"]).expectSuccess()
        #expect(try status(site, second) == 401)
        try site.postern(["user", "add", "ann", "--no-password"]).expectSuccess()
        #expect(try status(site, second) == 401)
        withExtendedLifetime(servers) {}
    }

    @Test("A new password ends the tokens that were issued before")
    func password() throws {
        let site = try Site(users: false)
        try site.postern(["user", "add", "ann"], input: Site.password + "\n").expectSuccess()
        let token = try site.token(["ann"])
        #expect(try status(site, token) == 200)
        try site.postern(["user", "set-password", "ann"], input: "another horse battery staple\n").expectSuccess()
        #expect(try status(site, token) == 401)
        let login = #"{"username":"ann","password":"another horse battery staple"}"#
        let answer = try HTTP.exchange(
            site.nginxPort,
            HTTP.request("POST", "/api-token-auth/", [("Content-Type", "application/json")], body: Array(login.utf8))
        )
        #expect(answer.status == 200)
    }

    @Test("A token is good up to its end and not after it")
    func expired() throws {
        let site = try Site(users: false)
        try site.postern(["user", "add", "ann", "--no-password"]).expectSuccess()
        let formatter = ISO8601DateFormatter()
        let token = try site.token(["ann", "--expires", formatter.string(from: Date(timeIntervalSinceNow: 3))])
        #expect(try status(site, token) == 200)
        try eventually("the token expires") { try status(site, token) == 401 }
        #expect(try site.get("/secure/", token: token).text == #"{"detail":"Invalid token."}"#)
        #expect(try site.postern(["token", "create", "ann", "--expires", "2020-01-01T00:00:00Z"]).code == 65)
    }

    @Test("A username and a password give a new token each time, and the older ones stay good")
    func obtained() throws {
        let site = try Site.shared.get()
        let login = "username=ann&password=" + Site.password.replacingOccurrences(of: " ", with: "+")
        var tokens: Set<String> = []
        for type in ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8"] {
            let answer = try HTTP.exchange(
                site.nginxPort,
                HTTP.request("POST", "/api-token-auth/", [("Content-Type", type)], body: Array(login.utf8))
            )
            #expect(answer.status == 200)
            #expect(answer.field("Cache-Control") == "no-store")
            let object = try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: String])
            #expect(Array(object.keys) == ["token"])
            tokens.insert(try #require(object["token"]))
        }
        #expect(tokens.count == 2)
        for token in tokens {
            #expect(token.hasPrefix("pst_"))
            #expect(token.utf8.count == 40)
            #expect(try status(site, token) == 200)
        }
        #expect(
            try site.get("/whoami/", token: tokens.first).text
                == #"{"id":1,"username":"ann","is_staff":false,"is_superuser":false,"scheme":"Token"}"#
        )
        #expect(
            try site.get("/whoami/").text
                == #"{"id":null,"username":null,"is_staff":null,"is_superuser":null,"scheme":null}"#
        )
    }

    @Test("One's own tokens are made, shown and revoked by path through both web servers")
    func ownTokens() throws {
        let site = try Site(users: false)
        try site.postern(["user", "add", "ann", "--no-password"]).expectSuccess()
        let token = ("Authorization", "Token " + (try site.token(["ann"])))
        for port in [site.nginxPort, site.lighttpdPort] {
            func ask(_ method: String, _ path: String) throws -> HTTPAnswer {
                try HTTP.exchange(port, HTTP.request(method, path, [token]))
            }
            let made = try ask("POST", "/api/tokens/")
            let id = try #require(made.text.firstMatch(of: /"id":(\d+)/)).1
            #expect(made.status == 201)
            #expect(try ask("GET", "/api/tokens/\(id)/?x=/1/").text.contains("\"id\":\(id),"))
            #expect(try ask("GET", "/api/tokens/%3\(id)/").status == (id.count == 1 ? 200 : 404))
            #expect(try ask("DELETE", "/api/tokens/999/").status == 404)
            #expect(try ask("DELETE", "/api/tokens/\(id)/").status == 204)
            #expect(try ask("DELETE", "/api/tokens/\(id)/").status == 404)
            #expect(try ask("GET", "/api/tokens/").text.components(separatedBy: "\"id\"").count == 2)
        }
    }
}

/// Server processes that spawn-fcgi started on the socket of a site, in place of the site's own.
final class SpawnedServers {
    let processes: [OtherProcess]

    init(_ site: Site, count: Int) throws {
        for server in site.servers { server.end() }
        unlink(site.socket)
        let pidFile = site.folder + "/spawned.pid"
        let arguments = [
            "-s", site.socket, "-M", "0660", "-F", "\(count)", "-P", pidFile, "--", Site.binary, "serve", "--store",
            site.store,
        ]
        // The servers inherit the outputs, so they cannot be pipes whose end is waited for.
        #expect(try Child("/usr/bin/spawn-fcgi", arguments, log: site.folder + "/spawned.log").wait() == 0)
        processes = try String(contentsOfFile: pidFile, encoding: .utf8).split(separator: "\n").compactMap { Int32($0) }
            .map(OtherProcess.init)
        #expect(processes.count == count)
    }

    deinit {
        for process in processes { process.kill(SIGKILL) }
    }

    var runningCount: Int { processes.count { $0.isRunning } }
}
