import Foundation
import Testing

@Suite("postern explain and postern lint")
struct ExplainTests {
    private let site: Site
    private let dump: String

    init() throws {
        site = try Site.shared.get()
        let nginx = try Child.run(
            "/usr/sbin/nginx",
            ["-T", "-p", site.folder, "-c", site.folder + "/example.conf", "-e", "x.log"]
        )
        dump = site.folder + "/dump-\(UInt32.random(in: .min ... .max))"
        try nginx.output.write(toFile: dump, atomically: true, encoding: .utf8)
    }

    private func explain(_ method: String, _ path: String, _ more: [String] = [], input: String = "") throws
        -> Child.Finished
    {
        let url = path.hasPrefix("/") ? "http://localhost:\(site.nginxPort)" + path : path
        return try site.postern(["explain", method, url, "--config", dump] + more, input: input)
    }

    @Test("What it says becomes of a request is what becomes of it")
    func truth() throws {
        for path in [
            "/secure/", "/admin-only/x", "/notes/", "/public/", "/staff/", "/users/", "/basic-first/", "/bearer/",
            "/nobody/",
            "/bad/permission/", "/bad/view/", "/encrypted/", "/whoami/", "/api-token-auth/", "/api/tokens/",
        ] {
            for method in ["GET", "POST", "DELETE"] {
                for name in [nil, "ann", "stella", "ina"] {
                    let field = name.flatMap { site.tokens[$0] }.map { "Authorization: Token " + $0 }
                    let explained = try explain(method, path, ["--json"], input: field ?? "")
                    let object = try JSONSerialization.jsonObject(with: Data(explained.output.utf8)) as? [String: Any]
                    let credential = name.flatMap { site.tokens[$0] }.map { [("Authorization", "Token " + $0)] } ?? []
                    let answer = try HTTP.exchange(site.nginxPort, HTTP.request(method, path, credential))
                    // The view's own answer to an empty body is no part of the policy.
                    let isAnswered = answer.status == 400 || answer.status == 201
                    #expect(
                        object?["status"] as? Int == (isAnswered ? 200 : answer.status),
                        "\(method) \(path) \(name ?? "nobody"): \(explained.output)\(explained.error)"
                    )
                }
            }
        }
    }

    @Test("It names location, policy, who it is and which part says no")
    func steps() throws {
        let explained = try explain("GET", "/admin-only/", ["--as", "ann"])
        let lines = explained.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 6)
        #expect(lines[0].hasPrefix("location    location ^~ /admin-only/, "))
        #expect(lines[0].contains("/example.conf:"))
        #expect(lines[1] == "policy      view message, authentication Token JWT Session Basic, permission IsAdminUser")
        #expect(lines[2] == "recognised  ann by Token")
        #expect(lines[3] == "permission  IsAdminUser says no")
        #expect(lines[5] == "answer      403")
        let nobody = try explain("GET", "/secure/")
        #expect(nobody.output.contains("Neither Authorization nor Cookie reached Postern."))
        let bare = try explain("GET", "/secure/", input: (site.tokens["ann"] ?? "") + "\n")
        #expect(bare.output.contains("recognised  ann by Token, token "))
        #expect(!bare.output.contains("pst_"))
    }

    @Test("Without nginx it takes the parameters by hand")
    func byHand() throws {
        let explained = try site.postern([
            "explain", "PUT", "/x", "--as", "ann", "--parameter", "POSTERN_VIEW=gate", "--parameter",
            "POSTERN_PERMISSION=ReadOnly | InGroup('ops') & ~IsAdminUser",
        ])
        #expect(explained.output.contains("ReadOnly says no, InGroup('ops') says no, IsAdminUser says no"))
        #expect(explained.output.hasSuffix("answer      403\n"))
    }

    @Test("It counts nothing")
    func countsNothing() throws {
        let parameters = [
            "--parameter", "POSTERN_VIEW=gate", "--parameter", "POSTERN_PERMISSION=AllowAny", "--parameter",
            "POSTERN_THROTTLE=scope:explained=1/hour",
        ]
        for _ in 0..<3 {
            let explained = try site.postern(["explain", "GET", "/x"] + parameters)
            #expect(explained.output.contains("scope:explained=1/hour has 1 left"))
            #expect(explained.output.hasSuffix("answer      204\n"))
        }
    }

    @Test("What cannot be explained is said in one sentence")
    func errors() throws {
        for (arguments, code) in [
            (["GET", "http://localhost:1/x", "--config", dump], Int32(65)),
            (["GET", "/x", "--config", "/nowhere"], 66),
            (["GET", "/..", "--config", dump], 64),
            (["GET", "http://localhost:\(site.nginxPort)/nowhere", "--config", dump], 65),
            (["GET", "/x", "--as", "nobody", "--config", dump], 67), (["GET", "/x", "--parameter", "x"], 64),
            (["GET", "/x", "--nginx", "/bin/false"], 66),
        ] {
            let explained = try site.postern(["explain"] + arguments)
            #expect(
                explained.code == code,
                "\(arguments): \(explained.error)"
            )
            #expect(
                explained.error.hasPrefix("postern: "),
                "\(arguments): \(explained.error)"
            )
            #expect(
                explained.error.count { $0 == "\n" } == 1,
                "\(arguments): \(explained.error)"
            )
        }
    }

    @Test("The log says the same at level debug")
    func log() throws {
        _ = try site.get("/admin-only/", token: site.tokens["ann"])
        let line = try #require(
            site.log.split(separator: "\n").last {
                $0.contains(
                    "policy: view message, authentication Token JWT Session Basic, permission IsAdminUser; recognised: ann by Token, token "
                )
            }
        )
        // One line says all that there is to say of the request.
        #expect(line.contains(" debug GET answered 403: You do not have permission to perform this action.; policy: "))
        #expect(line.contains(#/duration_us=\d+ path=/admin-only/ status=403$/#), "\(line)")
    }

    @Test("lint lists locations with their policies, and exits 1 where something is wrong")
    func lint() throws {
        let found = try Child.run(Site.binary, ["lint", "--config", dump])
        #expect(found.code == 1)
        #expect(found.output.contains("location ^~ /admin-only/: message "))
        #expect(found.output.contains("message=\"Admin Access Only\" permission=\"IsAdminUser\""))
        #expect(found.output.contains("location ^~ /application/: guarded "))
        #expect(found.output.contains("permission=\"IsAuthenticated\" throttle=\"user=100/min\""))
        #expect(found.output.contains("IsAuthentcated is not a permission class. [policy]"))
        let json = try Child.run(
            Site.binary,
            ["lint", "--json", "--config", "-"],
            input: try String(contentsOfFile: dump, encoding: .utf8)
        )
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: [[String: Any]]]
        )
        #expect(object["locations"]?.count ?? 0 > 20)
        #expect(json.code == 1)
        #expect(Set(object["findings"]?.compactMap { $0["rule"] as? String } ?? []) == ["policy"])
        #expect(try Child.run(Site.binary, ["lint", "--config", "/dev/null"]).code == 65)
    }

    @Test("lint reads what lighttpd -p prints, too, and finds the commonest mistakes")
    func lighttpd() throws {
        let print = try Child.run("/usr/sbin/lighttpd", ["-p", "-f", Site.sources + "/lighttpd/example.conf"])
        try print.expectSuccess()
        let printed = print.output
        func rules(_ text: String) throws -> [String] {
            let json = try Child.run(Site.binary, ["lint", "--json", "--config", "-"], input: text)
            let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: [[String: Any]]]
            #expect(json.code == (object?["findings"]?.isEmpty ?? true ? 0 : 1))
            return object?["findings"]?.compactMap { $0["rule"] as? String } ?? []
        }
        let good = try Child.run(Site.binary, ["lint", "--config", "-"], input: printed)
        #expect(good.code == 0, "\(good.error)")
        #expect(good.error.isEmpty, "\(good.error)")
        #expect(good.output.contains(#"$HTTP["url"] =^ "/application/": guarded permission="IsAuthenticated""#))
        let open = """
            $HTTP["url"] =^ "/open/" { proxy.server = ( "" => ( ( "host" => "127.0.0.1", "port" => 9000 ) ) ) }
            }
            """
        let end = try #require(printed.lastIndex(of: "}"))
        #expect(try rules(printed[..<end] + open) == ["unguarded-neighbour"])
        for (old, new, rule) in [
            (#""POSTERN_VIEW"       => "gate""#, #""POSTERN_VIEW" => "message""#, "view-as-gate"),
            (#""X-Postern-User"     => "","#, "", "identity-not-cleared"), ("IsAdminUser", "IsAdmin", "policy"),
            (
                #""mode"            => "authorizer","# + "\n" + String(repeating: " ", count: 20)
                    + #""check-local"     => "disable""#,
                #""mode" => "authorizer", "check-local" => "enable""#, "check-local"
            ),
        ] {
            let mistaken = printed.replacingOccurrences(of: old, with: new)
            #expect(mistaken != printed, "\(old)")
            #expect(try rules(mistaken).contains(rule), "\(rule)")
        }
        for text in ["config {", "config { a = ", "config { a = ( \"b }", "config { $HTTP"] {
            #expect(try Child.run(Site.binary, ["lint", "--config", "-"], input: text).code == 65)
        }
    }
}
