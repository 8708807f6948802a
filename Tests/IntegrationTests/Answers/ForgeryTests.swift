import Foundation
import Testing

@Suite("What a client sends never decides what a location asks for")
struct ForgeryTests {
    private func status(_ port: UInt16, _ path: String, _ fields: [(String, String)]) throws -> Int {
        try HTTP.exchange(port, HTTP.request("GET", path, fields)).status
    }

    @Test("Header fields with our parameters' names, in every spelling, change nothing")
    func names() throws {
        let site = try Site.shared.get()
        let names = [
            "POSTERN_PERMISSION", "POSTERN-PERMISSION", "Postern.Permission", "HTTP_POSTERN_PERMISSION",
            "X-POSTERN-PERMISSION", "postern-permission",
        ]
        for port in [site.nginxPort, site.lighttpdPort] {
            for name in names {
                #expect(try status(port, "/secure/", [(name, "AllowAny")]) == 401)
                #expect(try status(port, "/bad/permission/", [(name, "AllowAny")]) == 500)
            }
            for (name, value) in [
                ("REQUEST_METHOD", "OPTIONS"), ("X-HTTP-Method-Override", "GET"), ("Remote-Addr", "127.0.0.1"),
                ("REMOTE_USER", "stella"), ("Remote-User", "stella"), ("X-Original-URL", "/public/"),
                ("X-Forwarded-Uri", "/public/"),
            ] {
                #expect(try status(port, "/secure/", [(name, value)]) == 401)
            }
        }
    }

    @Test("Two Authorization fields never mix two users")
    func doubled() throws {
        let site = try Site.shared.get()
        let (ann, stella) = ("Token " + (site.tokens["ann"] ?? ""), "Token " + (site.tokens["stella"] ?? ""))
        for port in [site.nginxPort, site.lighttpdPort] {
            for fields in [
                [("Authorization", ann), ("Authorization", stella)], [("Authorization", "\(ann), \(stella)")],
            ] {
                #expect([400, 401].contains(try status(port, "/admin-only/", fields)))
                #expect([400, 401].contains(try status(port, "/secure/", fields)))
            }
        }
    }

    @Test("A list in two fields is one list")
    func accept() throws {
        let site = try Site.shared.get()
        for port in [site.nginxPort, site.lighttpdPort] {
            let token = ("Authorization", "Token " + (site.tokens["ann"] ?? ""))
            #expect(
                try status(port, "/secure/", [token, ("Accept", "text/html"), ("Accept", "application/json")]) == 200
            )
            #expect(try status(port, "/secure/", [token, ("Accept", "text/html"), ("Accept", "text/plain")]) == 406)
        }
    }

    @Test("A token is taken from the Authorization field alone")
    func places() throws {
        let site = try Site.shared.get()
        let token = site.tokens["ann"] ?? ""
        for port in [site.nginxPort, site.lighttpdPort] {
            #expect(try status(port, "/secure/?access_token=\(token)&token=\(token)", []) == 401)
            #expect(
                try status(
                    port,
                    "/secure/",
                    [("X-Token", token), ("Cookie", "token=\(token)"), ("Proxy-Authorization", "Token " + token)]
                ) == 401
            )
        }
    }

    @Test("The same parameter twice, and requests without parameters, fail closed")
    func parameters() throws {
        let site = try Site.shared.get()
        func ask(_ parameters: [(String, String)]) throws -> String {
            let client = try FastCGIClient(site.socket)
            client.send(FastCGIClient.request(parameters))
            return client.receiveAnswer()
        }
        let open = [("REQUEST_METHOD", "GET"), ("POSTERN_VIEW", "message"), ("POSTERN_MESSAGE", "in")]
        #expect(try ask(open + [("POSTERN_PERMISSION", "AllowAny")]).hasPrefix("Status: 200 "))
        #expect(
            try ask(open + [("POSTERN_PERMISSION", "IsAdminUser"), ("POSTERN_PERMISSION", "AllowAny")]).hasPrefix(
                "Status: 500 "
            )
        )
        #expect(
            try ask(open + [("REQUEST_METHOD", "OPTIONS"), ("POSTERN_PERMISSION", "AllowAny")]).hasPrefix(
                "Status: 400 "
            )
        )
        #expect(try ask(open).hasPrefix("Status: 401 "))
        #expect(try ask([("REQUEST_METHOD", "GET")]).hasPrefix("Status: 404 "))
        #expect(try ask([("A", "B")]).hasPrefix("Status: 400 "))
    }

    @Test("A credential that comes in clear from another machine is refused before it is looked at")
    func https() throws {
        let site = try Site.shared.get()
        func ask(_ more: [(String, String)], view: String = "message") throws -> String {
            let client = try FastCGIClient(site.socket)
            let location = [
                ("REQUEST_METHOD", view == "message" ? "GET" : "POST"), ("POSTERN_VIEW", view),
                ("POSTERN_MESSAGE", "in"),
            ]
            client.send(FastCGIClient.request(location + more))
            return client.receiveAnswer()
        }
        let token = ("HTTP_AUTHORIZATION", "Token " + (site.tokens["ann"] ?? ""))
        let remote = ("REMOTE_ADDR", "192.0.2.1")
        let refusal = #"{"detail":"Credentials are accepted over HTTPS only."}"#
        #expect(try ask([token, remote]).hasSuffix(refusal))
        #expect(try ask([("HTTP_AUTHORIZATION", "Token wrong"), remote]).hasSuffix(refusal))
        #expect(try ask([token, remote, ("HTTP_HTTPS", "on")]).hasSuffix(refusal))
        #expect(try ask([token]).hasSuffix(refusal))
        #expect(try ask([remote], view: "token.obtain").hasSuffix(refusal))
        #expect(try ask([remote]).hasPrefix("Status: 401 "))
        #expect(try ask([token, remote, ("HTTPS", "on")]).hasPrefix("Status: 200 "))
        for local in ["127.0.0.1", "127.8.9.10", "::1"] {
            #expect(try ask([token, ("REMOTE_ADDR", local)]).hasPrefix("Status: 200 "))
        }
        #expect(try ask([token, remote, ("POSTERN_REQUIRE_HTTPS", "off")]).hasPrefix("Status: 200 "))
        #expect(try site.get("/encrypted/", token: site.tokens["ann"]).text == refusal)
        #expect(try site.get("/encrypted/").status == 200)
    }

    @Test("Neither a token nor a password is in a file, a log or a command line")
    func canaries() throws {
        let site = try Site.shared.get()
        let secrets = site.tokens.values + [Site.password, "correct:horse:battery:staple"]
        _ = try site.get("/secure/", token: site.tokens["ann"])
        _ = try HTTP.exchange(
            site.nginxPort,
            HTTP.request("GET", "/secure/", [("Authorization", "Token \(site.tokens["ann"] ?? "") x")])
        )
        let files = try #require(FileManager.default.enumerator(atPath: site.folder)).compactMap { $0 as? String }
        #expect(files.contains("store/tokens"))
        #expect(files.contains("postern.log"))
        var texts = files.compactMap { try? Data(contentsOf: URL(fileURLWithPath: site.folder + "/" + $0)) }
        let pid = try #require(site.servers.first).pid
        for name in ["cmdline", "environ"] {
            texts.append(try Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/\(name)")))
        }
        for text in texts {
            for secret in secrets { #expect(text.range(of: Data(secret.utf8)) == nil) }
        }
    }
}
