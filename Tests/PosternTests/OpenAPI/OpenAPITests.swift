import FastCGI
import Foundation
import Testing

@testable import Postern

@Suite("The OpenAPI document says what there is")
struct OpenAPITests {
    private let site: InProcessSite
    private let document: [String: Any]

    init() throws {
        site = try InProcessSite()
        let answer = site.ask("openapi", method: "GET")
        #expect(answer.status == 200)
        #expect(answer.values("Content-Type") == ["application/json"])
        document = try #require(
            try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any]
        )
    }

    private func paths() throws -> [String: [String: Any]] {
        try #require(document["paths"] as? [String: [String: Any]])
    }

    @Test("Every view is in it, but those that have no path of their own")
    func views() throws {
        let names = Set(ViewRegistry(accounts: site.accounts).names)
        let described = Set(Endpoint.all.map(\.view))
        #expect(names.subtracting(described).subtracting(Endpoint.viewsApart) == [])
        #expect(described.isSubset(of: names))
        #expect(described.isDisjoint(with: Endpoint.viewsApart))
        #expect(Set(try paths().keys) == Set(Endpoint.all.map(\.path)))
    }

    @Test("Every method of a view is described, and no other")
    func methods() throws {
        for endpoint in Endpoint.all {
            let view = try view(endpoint.view)
            let item = try #require(try paths()[endpoint.path])
            let described = Set(item.keys).subtracting(["parameters"])
            #expect(described == Set(view.methods.map { $0.name.lowercased() }), "\(endpoint.path)")
        }
    }

    private func view(_ name: String) throws -> any APIView {
        let maker = try #require(ViewRegistry(accounts: site.accounts)[name])
        return try maker(try ViewSettings(try PolicySettings(Parameters([]))))
    }

    @Test(
        "The includes of nginx and lighttpd bind the views to the paths that it names",
        arguments: ["nginx/postern-endpoints.conf", "lighttpd/postern.conf"]
    )
    func includes(file: String) throws {
        let text = try String(contentsOfFile: Repository.path + "/" + file, encoding: .utf8)
        for endpoint in Endpoint.all {
            // Where the path has a parameter, the location is a prefix or an expression.
            let brace = endpoint.path.firstIndex(of: "{") ?? endpoint.path.endIndex
            let (start, end) = (endpoint.path[..<brace], endpoint.path[brace...].drop { $0 != "}" }.dropFirst(2))
            let location =
                start == endpoint.path
                ? "= \(start) {" : end.isEmpty ? "^~ \(start) {" : "~ /\(end)$ {"
            let condition =
                start == endpoint.path
                ? "== \"\(start)\" {" : end.isEmpty ? "=^ \"\(start)\" {" : "=~ \"^\(start).*/\(end)$\" {"
            let place = try #require(text.range(of: file.hasPrefix("nginx") ? location : condition), "\(endpoint.path)")
            let rest = text[place.upperBound...]
            let view = try #require(rest.firstMatch(of: /POSTERN_VIEW"?(?: =>)? "?([a-z.-]+)/)).1
            #expect(String(view) == endpoint.view, "\(endpoint.path)")
        }
    }

    @Test("All that it refers to is in it")
    func references() throws {
        let text = String(decoding: try JSONSerialization.data(withJSONObject: document), as: UTF8.self)
            .replacingOccurrences(of: "\\/", with: "/")
        let components = try #require(document["components"] as? [String: [String: Any]])
        let references = Set(text.matches(of: /"#\/components\/([a-zA-Z]+)\/([A-Za-z0-9]+)"/).map { "\($0.1)/\($0.2)" })
        for reference in references {
            let parts = reference.split(separator: "/").map(String.init)
            #expect(components[parts[0]]?[parts[1]] != nil, "\(reference)")
        }
        let schemas = try #require(components["schemas"]).keys.map { "schemas/" + $0 }
        #expect(Set(schemas).subtracting(references) == [], "named by nobody")
    }

    @Test("A body's fields are those that the view names")
    func bodies() throws {
        let body = try #require(
            try JSONSerialization.data(
                withJSONObject: try #require(try paths()["/api/users/"]?["post"] as? [String: Any])["requestBody"]
                    as Any
            )
        )
        let text = String(decoding: body, as: UTF8.self)
        for name in ["username", "password", "is_active", "is_staff", "is_superuser", "groups", "user_permissions"] {
            #expect(text.contains("\"\(name)\""))
        }
        #expect(text.contains(#""required":["username"]"#))
        #expect(!text.contains("date_joined"))
    }
}
