import Foundation
import Testing

@testable import Journal
@testable import Postern

/// What RFC 7515, 8725, 9068 and 9864 leave to issuers.
@Suite("JSON Web Tokens of other issuers: small print")
struct JWTSmallPrintTests {
    private let site: InProcessSite
    private let issuer: KeySetPublisher
    private let key: JSONWebKey

    init() throws {
        site = try InProcessSite()
        issuer = KeySetPublisher(of: site)
        key = try #require(JSONWebKey.random(.edDSA, id: "k"))
        try issuer.publish(KeySetPublisher.set([KeySetPublisher.text(key.publicMembers)]))
    }

    private func who(_ header: String, _ claims: [String: JSONValue?] = [:]) throws -> String {
        site.whoami(InProcessSite.bearer(try issuer.token(key, header: header, claims)), issuer.location)
    }

    @Test(
        "typ is a media type, whose beginning may be left out",
        arguments: [
            ("JWT", true), ("jwt", true), ("at+jwt", true), ("AT+JWT", true), ("application/at+jwt", true),
            ("Application/AT+jwt", true), ("application/jwt", true), ("application/application/at+jwt", false),
            ("application/", false), ("text/at+jwt", false), ("dpop+jwt", false), ("application/dpop+jwt", false),
            ("id+jwt", false), ("application/at+jwt;x=1", false), ("", false), ("logout+jwt", false),
        ]
    )
    func types(type: String, isTaken: Bool) throws {
        #expect(try who(#"{"alg":"EdDSA","typ":"\#(type)"}"#) == (isTaken ? "ann" : ""))
    }

    @Test("EdDSA and Ed25519 are one algorithm, in tokens as in keys, and no other spelling is")
    func algorithmNames() throws {
        for name in ["EdDSA", "Ed25519", "null"] {
            var members = key.publicMembers ?? []
            members.removeAll { $0.name == "alg" }
            members.append(("alg", name == "null" ? .null : .string(name)))
            try issuer.publish(KeySetPublisher.set([KeySetPublisher.text(members)]))
            for (algorithm, isTaken) in [
                ("EdDSA", true), ("Ed25519", true), ("ed25519", false), ("EDDSA", false), ("Ed448", false),
                ("ES256", false), ("HS256", false), ("none", false), ("Ed25519 ", false),
            ] {
                #expect(
                    try who(#"{"alg":"\#(algorithm)","kid":"k"}"#) == (isTaken ? "ann" : ""),
                    "\(name) \(algorithm)"
                )
            }
        }
    }

    @Test("Where an issuer says its keys are is of no effect, whatever stands there")
    func pointers() throws {
        let certificate = String(repeating: "MIIC", count: 500)
        for members in [
            #""jku":"https://idp.example/token_keys""#, #""jku":"http://127.0.0.1:1/""#, #""jku":null"#,
            #""jku":7"#, #""x5u":"file:///etc/passwd""#, #""x5c":["\#(certificate)"]"#, #""x5c":[]"#, #""x5t":"x""#,
            ##""x5t#S256":"x","jku":"x","x5u":"y""##, #""cty":"JWT""#,
        ] {
            #expect(try who(#"{"alg":"EdDSA","kid":"k",\#(members)}"#) == "ann", "\(members)")
            // Nor do they make another key's token good.
            let forger = try #require(JSONWebKey.random(.edDSA, id: "k"))
            let forged = try issuer.token(forger, header: #"{"alg":"EdDSA",\#(members)}"#)
            #expect(site.whoami(InProcessSite.bearer(forged), issuer.location) == "")
        }
        let long = String(repeating: "M", count: 8000)
        #expect(try who(#"{"alg":"EdDSA","x5c":["\#(long)"]}"#) == "")
    }

    @Test("Tokens without aud are for whom another claim says, where the location names it")
    func audienceClaim() throws {
        let location = issuer.location.merging(["JWT_AUDIENCE_CLAIM": "client_id"]) { $1 }
        let api: JSONValue = .string("api")
        let list: JSONValue = .array([.string("x"), api])
        let other: JSONValue = .string("other")
        for (aud, client, isTaken): (JSONValue?, JSONValue?, Bool) in [
            (api, nil, true), (nil, api, true), (nil, list, true), (list, other, true), (nil, nil, false),
            (nil, other, false), (nil, .null, false), (nil, .array([]), false), (nil, .integer(1), false),
            // One that is there counts (RFC 7519, section 4.1.3).
            (other, api, false), (.array([]), api, false), (.null, api, false),
        ] {
            let claims: [String: JSONValue?] = ["aud": aud, "client_id": client]
            let token = try issuer.token(key, claims)
            #expect(site.whoami(InProcessSite.bearer(token), location) == (isTaken ? "ann" : ""), "\(claims)")
            if aud == nil { #expect(site.whoami(InProcessSite.bearer(token), issuer.location) == "") }
        }
        // Our own tokens are not read so.
        #expect(site.whoami(InProcessSite.bearer(site.pair().access), location) == "")
        #expect(site.whoami(InProcessSite.bearer(site.pair("ann", ["JWT_AUDIENCE": "api"]).access), location) == "ann")
    }
}
