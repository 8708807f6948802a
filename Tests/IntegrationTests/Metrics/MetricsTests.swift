import Foundation
import Testing

@Suite("Metrics and health behind a web server")
struct MetricsTests {
    private let site: Site

    init() throws { site = try Site(users: false) }

    private func scrape(_ port: UInt16? = nil) throws -> String {
        let answer = try site.get("/metrics/", port: port)
        #expect(answer.status == 200)
        #expect(answer.field("Content-Type") == "text/plain; version=0.0.4; charset=utf-8")
        return answer.text
    }

    private func value(_ sample: String, in text: String) -> Double {
        let line = text.split(separator: "\n").first { $0.hasPrefix(sample + " ") }
        return line.flatMap { Double($0.dropFirst(sample.utf8.count + 1)) } ?? 0
    }

    @Test("promtool finds nothing wrong with a scrape, and it says what was asked")
    func promtool() throws {
        try site.addUser("ann")
        let before = try scrape()
        for _ in 0..<7 { #expect(try site.get("/secure/", token: site.tokens["ann"]).status == 200) }
        for _ in 0..<3 { #expect(try site.get("/secure/", token: "wrong").status == 401) }
        for _ in 0..<2 { #expect(try site.get("/application/", token: site.tokens["ann"]).status == 200) }
        #expect(try site.login("ann").status == 200)
        let after = try scrape()
        func added(_ sample: String) -> Double { value(sample, in: after) - value(sample, in: before) }
        #expect(added(#"postern_requests_total{view="message",scheme="Token",outcome="2xx"}"#) == 7)
        #expect(added(#"postern_requests_total{view="message",scheme="none",outcome="4xx"}"#) == 3)
        #expect(added(#"postern_requests_total{view="gate",scheme="Token",outcome="2xx"}"#) == 2)
        #expect(added(#"postern_requests_total{view="token.obtain",scheme="none",outcome="2xx"}"#) == 1)
        #expect(added(#"postern_request_duration_seconds_count{view="message"}"#) == 10)
        #expect(added(#"postern_refusals_total{reason="bad-credential"}"#) == 3)
        #expect(added(#"postern_logins_total{outcome="succeeded"}"#) == 1)
        #expect(added("postern_store_sync_duration_seconds_count") == 1)
        #expect(added(#"postern_store_live{journal="tokens"}"#) == 1)
        #expect(value("postern_connections", in: after) >= 1)
        #expect(try scrape(site.lighttpdPort).contains("postern_requests_total"))
        let checked = try Child.run("/usr/bin/promtool", ["check", "metrics"], input: after)
        #expect(checked.code == 0, "\(checked.output) \(checked.error)")
        #expect(checked.output + checked.error == "", "\(checked.output) \(checked.error)")
    }

    @Test("The counters are those of all processes of the store, and outlive them")
    func processes() throws {
        let token = "wrong"
        let direct = [
            ("REQUEST_METHOD", "GET"), ("POSTERN_VIEW", "whoami"), ("REMOTE_ADDR", "127.0.0.1"),
            ("POSTERN_FAILURE_THROTTLE", "off"), ("HTTP_AUTHORIZATION", "Token " + token),
        ]
        let other = site.folder + "/other.sock"
        let second = try Child(
            Site.binary,
            ["serve", "--store", site.store, "--listen", other],
            log: site.folder + "/other.log"
        )
        try eventually("the second one listens") { FastCGIClient.canConnect(other) }
        for socket in [site.socket, other, other] {
            let client = try FastCGIClient(socket)
            client.send(FastCGIClient.request(direct))
            #expect(client.receiveAnswer().hasPrefix("Status: 401 "))
        }
        let sample = #"postern_refusals_total{reason="bad-credential"}"#
        #expect(value(sample, in: try scrape()) == 3)
        second.end(with: SIGKILL)
        try site.restartServer(with: SIGKILL)
        #expect(value(sample, in: try scrape()) == 3)
    }

    @Test("Health and metrics are for this machine alone; the process lives when the store is away")
    func internalLocations() throws {
        for path in ["/metrics/", "/health/", "/health/?live"] {
            #expect(try site.get(path).status == 200)
            // Not even from another address of the loopback network.
            let answer = try HTTP.exchange(site.nginxPort, HTTP.request("GET", path), fromHost: 2)
            #expect(answer.status == 403)
            #expect(!answer.text.contains("postern_"))
        }
        rename(site.store + "/users", site.store + "/away")
        let body = #"{"status":"unavailable","detail":"The store cannot be read."}"#
        // Who reads looks every ten milliseconds whether a name still leads to its file.
        try eventually("it is noticed") { try site.get("/health/").text == body }
        for port in [site.nginxPort, site.lighttpdPort] {
            let answer = try site.get("/health/", port: port)
            #expect(answer.status == 503)
            #expect(answer.text == body)
            #expect(try site.get("/health/?live", port: port).status == 200)
            #expect(try site.get("/metrics/", port: port).text.contains(#"postern_store_live{journal="tokens"}"#))
        }
        #expect(site.log.contains("users does not exist"))
        rename(site.store + "/away", site.store + "/users")
        #expect(try site.get("/health/").status == 200)
    }

    @Test("Everything that the dashboard shows is in a scrape")
    func dashboard() throws {
        try site.addUser("ann")
        #expect(try site.get("/secure/", token: site.tokens["ann"]).status == 200)
        let text = try scrape()
        let data = try Data(contentsOf: URL(fileURLWithPath: Site.sources + "/grafana/postern.json"))
        let dashboard = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        var names = Set<String>()
        for panel in panels {
            let targets = try #require(panel["targets"] as? [[String: Any]])
            for target in targets {
                let expression = try #require(target["expr"] as? String)
                for match in expression.matches(of: #/\b(?:postern|process)_[a-z_]+/#) { names.insert(String(match.0)) }
            }
        }
        #expect(names.count > 15)
        for name in names {
            #expect(text.contains(try Regex("(?m)^\(name)[{ ]")), "\(name)")
        }
    }
}
