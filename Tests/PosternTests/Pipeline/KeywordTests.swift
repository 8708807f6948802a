import Foundation
import Testing

@testable import Postern

/// What stands before a credential in `Authorization`: DRF's `keyword`, knox's `AUTH_HEADER_PREFIX`, simplejwt's
/// `AUTH_HEADER_TYPES`.
@Suite("Words before a credential")
struct KeywordTests {
    private let site: InProcessSite
    private let token: String

    init() throws {
        site = try InProcessSite()
        token = try site.accounts.issueToken(for: try site.user("ann")).1.text
    }

    private func ask(_ location: [String: String], _ authorization: String? = nil) -> InProcessSite.Answer {
        site.ask("whoami", location, method: "GET", headers: authorization.map { ["AUTHORIZATION": $0] } ?? [:])
    }

    @Test(
        "Tokens stand behind each of a location's words, and the first is the challenge",
        arguments: ["Token", "Knox"]
    )
    func tokens(scheme: String) {
        let location = ["AUTHENTICATION": scheme, "TOKEN_KEYWORD": "Token Knox"]
        for word in ["Token", "Knox", "kNOX"] {
            #expect(ask(location, "\(word) \(token)")["scheme"] == scheme)
            let wrong = ask(location, word + " x")
            #expect(wrong.status == 401)
            #expect(wrong["detail"] == "Invalid token.")
            #expect(wrong.values("WWW-Authenticate") == ["Token"])
            #expect(ask(location, word)["detail"] == "Invalid token header. No credentials provided.")
        }
        #expect(ask(location, "Key " + token)["detail"] == "Authentication credentials were not provided.")
        let other = ask(["AUTHENTICATION": scheme, "TOKEN_KEYWORD": "Knox Token"])
        #expect(other.values("WWW-Authenticate") == ["Knox"])
    }

    @Test("JSON Web Tokens stand behind each of a location's words, in their case")
    func jsonWebTokens() {
        let location = ["AUTHENTICATION": "JWT", "JWT_KEYWORD": "JWT Bearer"]
        let access = site.pair().access
        for word in ["JWT", "Bearer"] {
            #expect(ask(location, "\(word) \(access)")["username"] == "ann")
            #expect(ask(location, word)["code"] == "bad_authorization_header")
            #expect(ask(location, word + " x").values("WWW-Authenticate") == [#"JWT realm="api""#])
        }
        for word in ["jwt", "bearer", "Token"] {
            #expect(ask(location, "\(word) \(access)")["detail"] == "Authentication credentials were not provided.")
        }
        // Only what the location says is one.
        let alone = ["AUTHENTICATION": "JWT", "JWT_KEYWORD": "JWT"]
        #expect(ask(alone, "JWT " + access)["username"] == "ann")
        #expect(ask(alone, "Bearer " + access).status == 401)
        #expect(ask(["AUTHENTICATION": "JWT"], "JWT " + access).status == 401)
    }

    @Test("simplejwt's endpoints challenge by the first word as well")
    func challenges() {
        for view in ["jwt.obtain", "jwt.refresh", "jwt.verify", "jwt.blacklist"] {
            let body = #"{"username":"ann","password":"x","refresh":"x","token":"x"}"#
            let answer = site.ask(view, ["JWT_KEYWORD": "JWT Bearer", "REALM": "shop"], body: body)
            #expect(answer.status == 401, "\(view)")
            #expect(answer.values("WWW-Authenticate") == [#"JWT realm="shop""#], "\(view)")
        }
    }

    @Test("A token of Postern's is understood after Bearer whatever the words are, in every order of schemes")
    func bearer() {
        let words = ["TOKEN_KEYWORD": "Key Word", "JWT_KEYWORD": "JWT Bearer"]
        for schemes in ["Token JWT", "JWT Token"] {
            let location = words.merging(["AUTHENTICATION": schemes]) { $1 }
            #expect(ask(location, "Bearer " + token)["scheme"] == "Token")
            #expect(ask(location, "Word " + token)["scheme"] == "Token")
        }
    }

    @Test("What is no word lets nobody in", arguments: ["TOKEN_KEYWORD", "JWT_KEYWORD"])
    func noWords(parameter: String) {
        for text in ["", " ", "a,b", "Token \u{E9}", "a:", "\"Token\""] {
            #expect(ask([parameter: text], "Token " + token).status == 500, "\(text)")
        }
    }
}
