import Foundation
import Testing

@testable import Postern

@Suite("The view metrics")
struct MetricsViewTests {
    private let site: InProcessSite

    init() throws { site = try InProcessSite() }

    /// Samples by their names with labels.
    private func scrape() -> [String: Double] {
        let answer = site.ask("metrics", ["PERMISSION": "AllowAny"], method: "GET")
        #expect(answer.status == 200)
        #expect(answer.values("Content-Type") == ["text/plain; version=0.0.4; charset=utf-8"])
        return answer.body.split(separator: "\n").filter { !$0.hasPrefix("#") }.reduce(into: [:]) { samples, line in
            let parts = line.split(separator: " ")
            samples[parts.dropLast().joined(separator: " ")] = parts.last.flatMap { Double($0) }
        }
    }

    @Test("Requests count by view, scheme and status, refusals by reason, logins, hashes and caches")
    func counts() throws {
        let token = try site.accounts.issueToken(for: site.user("ann")).1.text
        let before = scrape()
        let login = site.pair()
        // Keys are read again at each request until their folder is a tenth of a second old, and a token's memory is
        // of the keys that verified it.
        while try site.store.keys.ring().set !== site.store.keys.ring().set { usleep(1000) }
        for _ in 0..<3 { _ = site.whoami(["AUTHORIZATION": "Token " + token]) }
        for _ in 0..<2 { _ = site.whoami(InProcessSite.bearer(login.access)) }
        _ = site.ask("whoami", method: "GET", headers: ["AUTHORIZATION": "Token x"])
        _ = site.ask("whoami", method: "GET")
        _ = site.ask(
            "whoami",
            ["PERMISSION": "IsAdminUser"],
            method: "GET",
            headers: ["AUTHORIZATION": "Token " + token]
        )
        _ = site.ask("gate", method: "GET", headers: ["AUTHORIZATION": "Token " + token])
        _ = site.ask("unknown", method: "GET")
        _ = site.ask("token.obtain", body: #"{"username":"ann","password":"wrong"}"#)
        let basic = "Basic " + Base64.encode(Array("ann:\(InProcessSite.password)".utf8))
        for _ in 0..<3 { _ = site.whoami(["AUTHORIZATION": basic]) }
        let after = scrape()
        for (name, count) in [
            (#"postern_requests_total{view="whoami",scheme="Token",outcome="2xx"}"#, 3),
            (#"postern_requests_total{view="whoami",scheme="Token",outcome="4xx"}"#, 1),
            (#"postern_requests_total{view="whoami",scheme="JWT",outcome="2xx"}"#, 2),
            (#"postern_requests_total{view="whoami",scheme="Basic",outcome="2xx"}"#, 3),
            (#"postern_requests_total{view="whoami",scheme="none",outcome="4xx"}"#, 2),
            (#"postern_requests_total{view="gate",scheme="Token",outcome="2xx"}"#, 1),
            (#"postern_requests_total{view="jwt.obtain",scheme="none",outcome="2xx"}"#, 1),
            (#"postern_requests_total{view="none",scheme="none",outcome="5xx"}"#, 1),
            (#"postern_request_duration_seconds_count{view="whoami"}"#, 11),
            (#"postern_refusals_total{reason="bad-credential"}"#, 1),
            (#"postern_refusals_total{reason="not-authenticated"}"#, 1),
            (#"postern_refusals_total{reason="permission-denied"}"#, 1),
            (#"postern_refusals_total{reason="misconfigured"}"#, 1),
            (#"postern_refusals_total{reason="invalid"}"#, 1),
            (#"postern_logins_total{outcome="succeeded"}"#, 1), (#"postern_logins_total{outcome="failed"}"#, 1),
            ("postern_password_hashes_total", 3), ("postern_password_hashes_refused_total", 0),
            (#"postern_cache_hits_total{cache="password"}"#, 2), (#"postern_cache_misses_total{cache="password"}"#, 1),
            (#"postern_cache_misses_total{cache="policy"}"#, 7),
            (#"postern_cache_hits_total{cache="jwt"}"#, 1), (#"postern_cache_misses_total{cache="jwt"}"#, 1),
        ] {
            #expect((after[name] ?? -1) - (before[name] ?? 0) == Double(count), "\(name)")
        }
        #expect(after[#"postern_store_live{journal="users"}"#] == 2)
        #expect(after[#"postern_store_live{journal="tokens"}"#] == 1)
        #expect((after[#"postern_store_bytes{journal="users"}"#] ?? 0) > 100)
        #expect((after["process_resident_memory_bytes"] ?? 0) > 1_000_000)
        #expect((after["process_start_time_seconds"] ?? 0) > 1_700_000_000)
        #expect(after.keys.contains("postern_password_hash_queue_length"))
    }

    @Test("Syncs are timed")
    func syncs() throws {
        // What the first token rests on may have to be brought to disk as well.
        _ = try site.accounts.issueToken(for: site.user("ann"))
        let before = scrape()["postern_store_sync_duration_seconds_count"] ?? 0
        for _ in 0..<3 { _ = try site.accounts.issueToken(for: site.user("ann")) }
        let after = scrape()
        #expect((after["postern_store_sync_duration_seconds_count"] ?? 0) - before == 3)
        #expect((after["postern_store_sync_duration_seconds_sum"] ?? 0) > 0)
        #expect(after["postern_store_sync_failures_total"] == 0)
    }

    @Test("A location that does not say who may read them lets staff alone; errors are JSON; Accept changes nothing")
    func permission() throws {
        func status(_ name: String?, _ accept: String = "*/*") throws -> Int {
            var headers = ["ACCEPT": accept]
            if let name {
                headers["AUTHORIZATION"] = "Token " + (try site.accounts.issueToken(for: site.user(name)).1.text)
            }
            return site.ask("metrics", method: "GET", headers: headers).status
        }
        #expect(try status(nil) == 401)
        #expect(try status("ann") == 403)
        #expect(try status("stella") == 200)
        #expect(
            try status("stella", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5") == 200
        )
        #expect(site.ask("metrics", method: "GET").body.hasPrefix(#"{"detail":"#))
        #expect(site.ask("metrics", ["PERMISSION": "AllowAny"], method: "POST").status == 405)
    }
}
