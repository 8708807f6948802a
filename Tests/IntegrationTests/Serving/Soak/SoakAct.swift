import Foundation

/// Something that a client or an operator does, and the requests that it takes.
struct SoakAct {
    /// How often it comes among the others.
    let weight: Int
    let run: (FastCGIConnection, Int) throws -> Int

    private static func expect(_ answer: FastCGIConnection.Answer, _ status: Int, _ what: String) throws {
        guard answer.status == status else { throw HarnessError("\(what): \(answer.status) \(answer.body)") }
    }

    /// Of every view.
    static func all(_ server: SoakServer) -> [SoakAct] {
        let token = ("HTTP_AUTHORIZATION", "Token " + server.token)
        let administrator = ("HTTP_AUTHORIZATION", "Token " + server.administrator)
        let basic = Data("ann:\(Site.password)".utf8).base64EncodedString()
        let login = #"{"username":"ann","password":"\#(Site.password)"}"#
        let users = ("POSTERN_PERMISSION", "IsAuthenticated")
        let all = ("POSTERN_PERMISSION", "AllowAny")
        let unthrottled = ("POSTERN_FAILURE_THROTTLE", "off")
        func simple(_ weight: Int, _ view: String, _ status: Int, _ more: [(String, String)]) -> SoakAct {
            SoakAct(weight: weight) { client, _ in
                try expect(try client.ask(view, more), status, view)
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
            SoakAct(weight: 1000) { client, number in
                let bad = ("HTTP_AUTHORIZATION", "Token pst_\(number)")
                try expect(try client.ask("whoami", [users, unthrottled, bad]), 401, "a bad token")
                return 1
            },
            SoakAct(weight: 500) { client, number in
                try server.askOfNewPolicy(client, number)
                return 1
            },
            SoakAct(weight: 300) { _, _ in
                let other = try FastCGIConnection(server.socket)
                try expect(try other.ask("health"), 200, "a new connection")
                return 1
            },
            SoakAct(weight: 500) { client, number in
                let made = try client.ask("tokens", "POST", "/api/tokens/", json: #"{"label":"\#(number)"}"#, [token])
                try expect(made, 201, "a new token")
                let path = "/api/tokens/\(made.member("id") ?? "")/"
                try expect(try client.ask("tokens.detail", "DELETE", path, [token]), 204, "its end")
                return 2
            },
            SoakAct(weight: 4) { client, _ in
                let fields = [("HTTP_AUTHORIZATION", "Basic " + basic)]
                let made = try client.ask("token.login", "POST", json: "{}", fields)
                try expect(made, 200, "a login by token")
                let credential = ("HTTP_AUTHORIZATION", "Token " + (made.member("token") ?? ""))
                try expect(try client.ask("token.logout", "POST", json: "{}", [credential]), 204, "a logout")
                return 2
            },
            SoakAct(weight: 4) { client, _ in
                var tokens = try client.ask("jwt.obtain", "POST", json: login)
                for _ in 0..<6 {
                    let refresh = #"{"refresh":"\#(tokens.member("refresh") ?? "")"}"#
                    tokens = try client.ask("jwt.refresh", "POST", json: refresh)
                    try expect(tokens, 200, "a refresh")
                    let access = ("HTTP_AUTHORIZATION", "Bearer " + (tokens.member("access") ?? ""))
                    let location = [users, ("POSTERN_AUTHENTICATION", "JWT"), access]
                    try expect(try client.ask("whoami", location), 200, "an access token")
                }
                let verified = #"{"token":"\#(tokens.member("access") ?? "")"}"#
                try expect(try client.ask("jwt.verify", "POST", json: verified), 200, "a look at a token")
                let refresh = #"{"refresh":"\#(tokens.member("refresh") ?? "")"}"#
                try expect(try client.ask("jwt.blacklist", "POST", json: refresh), 200, "the end of a family")
                return 15
            },
            SoakAct(weight: 4) { client, _ in
                let made = try client.ask("session.login", "POST", json: login)
                try expect(made, 200, "a session")
                let cookies = made.cookies.map { "\($0.name)=\($0.value)" }.joined(separator: "; ")
                let secret = made.cookies.first { $0.name == "csrftoken" }?.value ?? ""
                let fields = [("HTTP_COOKIE", cookies), ("HTTP_X_CSRFTOKEN", secret)]
                try expect(try client.ask("whoami", [users] + fields), 200, "a session's user")
                try expect(try client.ask("session.logout", "POST", json: "{}", fields), 204, "its end")
                return 3
            },
            SoakAct(weight: 4) { client, _ in
                try expect(try client.ask("token.obtain", "POST", json: login), 200, "a token for a password")
                return 1
            },
            SoakAct(weight: 200) { client, number in
                let made = try client.ask("tokens", "POST", "/api/tokens/", json: #"{"label":"\#(number)"}"#, [token])
                let text = #"{"token":"\#(made.member("token") ?? "")"}"#
                for isGood in [true, false] {
                    let told = try client.ask("oauth.introspect", "POST", json: text, [administrator])
                    guard told.body.contains(#""active":\#(isGood)"#) else {
                        throw HarnessError("introspection: \(told.body)")
                    }
                    if isGood {
                        try expect(try client.ask("oauth.revoke", "POST", json: text, [token]), 200, "its end")
                    }
                }
                return 4
            },
            SoakAct(weight: 3) { client, number in
                // A user's whole life: two hashes, and one for the password that the user changes.
                let new = #"{"username":"user\#(number)","password":"\#(Site.password)"}"#
                let made = try client.ask("users", "POST", json: new, [administrator])
                try expect(made, 201, "a new user")
                let path = "/users/\(made.member("id") ?? "")/"
                let staff = #"{"is_staff":true}"#
                try expect(try client.ask("users.detail", "PATCH", path, json: staff, [administrator]), 200, "a change")
                let own = Data("user\(number):\(Site.password)".utf8).base64EncodedString()
                let change = #"{"old_password":"\#(Site.password)","new_password":"\#(number) other words"}"#
                let fields = [("POSTERN_AUTHENTICATION", "Basic"), ("HTTP_AUTHORIZATION", "Basic " + own)]
                try expect(try client.ask("password", "POST", json: change, fields), 200, "a new password")
                let back = #"{"password":"\#(Site.password)"}"#
                try expect(
                    try client.ask("users.set-password", "POST", path + "set-password/", json: back, [administrator]),
                    200,
                    "a password that is set"
                )
                let end = path + "revoke-all/"
                try expect(
                    try client.ask("users.revoke-all", "POST", end, json: "{}", [administrator]),
                    204,
                    "an end of all"
                )
                try expect(try client.ask("users.detail", "DELETE", path, [administrator]), 204, "a user's end")
                return 6
            },
            SoakAct(weight: 100) { client, number in
                let new = #"{"name":"group\#(number)"}"#
                let made = try client.ask("groups", "POST", json: new, [administrator])
                try expect(made, 201, "a new group")
                let path = "/groups/group\(number)/"
                let other = #"{"permissions":["app.change_\#(number)"]}"#
                try expect(
                    try client.ask("groups.detail", "PATCH", path, json: other, [administrator]),
                    200,
                    "a change"
                )
                try expect(try client.ask("groups.detail", "DELETE", path, [administrator]), 204, "a group's end")
                return 3
            },
            SoakAct(weight: 100) { client, number in
                // Keys of another issuer, in a file that is another one each time: nobody has signed this.
                try server.replaceKeySet(number)
                let foreign = [
                    ("POSTERN_AUTHENTICATION", "JWT"), ("POSTERN_JWT_AUDIENCE", "api"),
                    ("POSTERN_JWT_JWKS", "https://idp.example " + server.keySet),
                    ("HTTP_AUTHORIZATION", "Bearer eyJhbGciOiJFZERTQSJ9.e30." + String(repeating: "A", count: 86)),
                ]
                try expect(try client.ask("whoami", [users, unthrottled] + foreign), 401, "a foreign token")
                return 1
            },
            // Bodies that are wrong in a way of their own, and one that is long.
            SoakAct(weight: 100) { client, number in
                let long = String(repeating: "x", count: number % 30_000)
                let text = number % 2 == 0 ? #"{"label":"\#(long)"# : #"{"label":["\#(long)"]}"#
                try expect(try client.ask("tokens", "POST", "/api/tokens/", json: text, [token]), 400, "a bad body")
                return 1
            },
            SoakAct(weight: 700) { _, _ in
                try server.reload()
                return 1
            },
        ]
    }
}
