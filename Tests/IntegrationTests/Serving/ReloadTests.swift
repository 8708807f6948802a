import Foundation
import Synchronization
import Testing

@Suite("SIGHUP")
struct ReloadTests {
    private let site: Site
    private var file: String { site.folder + "/postern.conf" }
    private let arguments = ["--config", "{folder}/postern.conf"]

    init() throws {
        site = try Site(users: false)
        try site.postern(["user", "add", "ann", "--no-password"]).expectSuccess()
    }

    private func write(_ text: String) throws {
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        chmod(file, 0o600)
    }

    private func hangUp() throws { kill(try #require(site.servers.first).pid, SIGHUP) }

    private func text(_ name: String) -> String {
        (try? String(contentsOfFile: site.folder + "/" + name, encoding: .utf8)) ?? ""
    }

    @Test("The level, the format and the files of the logs change; a file that makes no sense changes nothing")
    func settings() throws {
        let token = try site.token(["ann"])
        try write("log-level = notice\n")
        try site.restartServer(arguments)
        #expect(try site.get("/secure/", token: token).status == 200)
        try write("log-level = debug\nlog-file = \(site.folder)/first\naudit-file = \(site.folder)/audit\n")
        try hangUp()
        try eventually("it is read") { text("first").contains("settings and logs reloaded") }
        #expect(try site.get("/secure/", token: token).status == 200)
        #expect(try site.get("/secure/", token: "wrong").status == 401)
        #expect(text("first").contains("GET answered 200; policy: view message"))
        #expect(text("audit").contains(" refused address=127.0.0.1 reason=bad-credential "))
        for name in ["first", "audit"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: site.folder + "/" + name)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }

        try write("log-level = loud\n")
        try hangUp()
        try eventually("it is refused") { text("first").contains("the settings stay as they are: ") }
        #expect(text("first").contains("\(file):1: log-level \"loud\" is not a log level."))
        #expect(try site.get("/secure/", token: token).status == 200)
        #expect(text("first").split(separator: "\n").last?.contains("GET answered 200") ?? false)

        try write(
            "log-level = debug\nlog-format = json\nlog-file = \(site.folder)/second\nlisten = /x\nwith-token = on\n"
        )
        try hangUp()
        try eventually("it is read") { text("second").contains("settings and logs reloaded") }
        #expect(try site.get("/secure/", token: "wrong").status == 401)
        #expect(text("second").contains(#","level":"debug","message":"GET answered 401: Invalid token."#))
        // The flag says where it listens.
        #expect(text("second").contains("with-token has changed"))
        #expect(!text("second").contains("listen has changed"))
        #expect(text("audit").split(separator: "\n").count == 1)
    }

    @Test("No request is dropped while the logs are moved away and signals arrive; no line is lost or torn")
    func load() throws {
        let token = try site.token(["ann"])
        try write("log-file = \(site.folder)/log\nlog-level = debug\naudit-file = \(site.folder)/audit\n")
        try site.restartServer(arguments)
        let failures = Mutex(0)
        let isDone = Mutex(false)
        let port = site.nginxPort
        let (clients, rounds) = (6, 120)
        let group = DispatchGroup()
        for number in 0..<clients {
            group.enter()
            Thread.detachNewThread {
                for round in 0..<rounds {
                    let isGood = (number + round) % 2 == 0
                    let fields = [("Authorization", "Token " + (isGood ? token : "wrong"))]
                    let answer = try? HTTP.exchange(port, HTTP.request("GET", "/secure/?mine", fields))
                    if answer?.status != (isGood ? 200 : 401) { failures.withLock { $0 += 1 } }
                }
                group.leave()
            }
        }
        group.notify(queue: .global()) { isDone.withLock { $0 = true } }
        let pid = try #require(site.servers.first).pid
        var moved = 0
        while !isDone.withLock({ $0 }) {
            for name in ["log", "audit"] { rename("\(site.folder)/\(name)", "\(site.folder)/\(name).\(moved)") }
            moved += 1
            kill(pid, SIGHUP)
            // Not before this one was taken: two of the same that wait are one.
            try eventually("the file is made anew") { FileManager.default.fileExists(atPath: site.folder + "/audit") }
        }
        group.wait()
        #expect(failures.withLock { $0 } == 0)
        #expect(moved > 3)
        let all = (0..<moved).map { text("log.\($0)") } + [text("log")]
        let lines = all.joined().split(separator: "\n")
        #expect(lines.count { $0.contains(" path=/secure/ status=") } == clients * rounds)
        #expect(lines.allSatisfy { $0.contains(#/^\d{4}-\d\d-\d\dT[0-9:.]{15}Z (debug|info) /#) })
        #expect(try #require(site.servers.first).isRunning)
    }
}
