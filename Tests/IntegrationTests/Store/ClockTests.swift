import Foundation
import Journal
import Postern
import TestSupport
import Testing

/// Of libfaketime, which gives processes another clock.
private let library = ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/faketime/libfaketimeMT.so.1" }
    .first { FileManager.default.fileExists(atPath: $0) }

@Suite("Clocks that go wrong", .serialized, .needs("libfaketime", library != nil))
struct ClockTests {
    /// A clock for the processes that are started with its environment, which can be set while they run.
    private struct Clock {
        let file: String

        init(in site: Site) throws {
            file = site.folder + "/clock"
            try set("+0")
        }

        /// To so much before or after the true time, as `-1h`.
        func set(_ offset: String) throws {
            try (offset + "\n").write(toFile: file, atomically: true, encoding: .utf8)
        }

        /// The library changes the environment of the process in which it finds itself first, and where that is one in
        /// Swift the process does not find its arguments any more.
        static let starter = ["/usr/bin/env"]

        var environment: [String: String] {
            [
                "LD_PRELOAD": library ?? "", "FAKETIME_TIMESTAMP_FILE": file, "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            ]
        }
    }

    private func site() throws -> (Site, Clock) {
        let site = try Site(users: false)
        try site.addUser("ann")
        let clock = try Clock(in: site)
        site.endServers()
        try site.startServer(by: Clock.starter, environment: clock.environment)
        return (site, clock)
    }

    @Test("A token that has expired is not good again when the clock is set back")
    func backwards() throws {
        let (site, clock) = try site()
        let token = try site.token(["ann", "--expires", "90m"])
        #expect(try site.get("/secure/", token: token).status == 200)
        try clock.set("+2h")
        #expect(try site.get("/secure/", token: token).status == 401)
        // A write at that time is what the store remembers it by.
        #expect(try site.login("ann").status == 200)
        for offset in ["+0", "-1h", "-400d"] {
            try clock.set(offset)
            #expect(try site.get("/secure/", token: token).status == 401, "\(offset)")
        }
        site.endServers()
        try site.startServer(by: Clock.starter, environment: clock.environment)
        #expect(try site.get("/secure/", token: token).status == 401)
        // What is issued by a clock that is behind is dated as late as all before it, and good.
        let answer = try site.login("ann")
        #expect(answer.status == 200)
        let object = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: String]
        #expect(try site.get("/secure/", token: try #require(object?["token"])).status == 200)
    }

    @Test("After a write by a clock that was far ahead time goes on from it, until an operator sets the store's clock")
    func ahead() throws {
        let (site, clock) = try site()
        // As in a boot in which nobody has said what time it is: the write is believed.
        site.endServers()
        truncate(site.store + "/lock", 0)
        try clock.set("+400d")
        let arguments = [Site.binary, "token", "create", "ann", "--expires", "30d", "--store", site.store]
        let made = try Child.run("/usr/bin/env", arguments, environment: clock.environment)
        try made.expectSuccess()
        let token = made.output.trimmingCharacters(in: .newlines)
        try clock.set("+0")
        try site.startServer(by: Clock.starter, environment: clock.environment)
        #expect(try site.get("/secure/", token: token).status == 200)
        func created() throws -> Int64 {
            try #require(try Store(opening: site.store).allTokens().last).created.seconds
                - Int64(Date().timeIntervalSince1970)
        }
        #expect(try site.login("ann").status == 200)
        #expect(try created() > 399 * 86_400)
        try site.postern(["store", "repair", "--set-clock", "--yes"]).expectSuccess()
        // Every credential ends: that of the time would do so 400 days late.
        #expect(try site.get("/secure/", token: token).status == 401)
        #expect(try site.login("ann").status == 200)
        #expect(try abs(created()) < 86_400)
    }

    @Test("Times in a journal never go back, whatever the clocks of those who write")
    func order() throws {
        let (site, clock) = try site()
        for offset in ["+0", "+1d", "-1h", "+2d", "-30d", "+0"] {
            try clock.set(offset)
            #expect(try site.login("ann").status == 200, "\(offset)")
            try site.postern(["token", "create", "ann"]).expectSuccess()
        }
        let text = try String(contentsOfFile: site.store + "/tokens", encoding: .utf8)
        let lines = text.split(separator: "\n").filter { $0.contains("\tissued\t") }
        let times = lines.compactMap { $0.split(separator: "\t").first }
        #expect(times.count == 13)
        #expect(times == times.sorted())
    }

    @Test("Guesses are counted by a clock that nobody sets")
    func throttles() throws {
        let site = try Site(users: false, throttlesFailures: true)
        try site.addUser("ann")
        let clock = try Clock(in: site)
        site.endServers()
        try site.startServer(by: Clock.starter, environment: clock.environment)
        func guess() throws -> Int {
            let body = Array(#"{"username":"ann","password":"wrong"}"#.utf8)
            let fields = [("Content-Type", "application/json")]
            return try HTTP.exchange(
                site.nginxPort,
                HTTP.request("POST", "/api-token-auth/", fields, body: body)
            ).status
        }
        var guesses = 0
        while try guess() != 429, guesses < 50 { guesses += 1 }
        #expect(guesses < 50)
        for offset in ["-1h", "+1h", "+365d"] {
            try clock.set(offset)
            #expect(try guess() == 429, "\(offset)")
        }
    }
}
