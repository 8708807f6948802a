import Foundation
import Postern
import Synchronization
import Testing

/// What happens to a server when the system, the disk or another process lets it down.
@Suite("Faults around a server", .serialized)
struct ServerFaultTests {
    private func site() throws -> Site {
        let site = try Site(users: false)
        try site.addUser("ann")
        return site
    }

    private func pid(_ site: Site) throws -> Int32 { try #require(site.servers.first).pid }

    @Test("Without descriptors it does not spin, keeps its store safe, and goes on when there are some again")
    func descriptors() throws {
        let site = try site()
        let token = try #require(site.tokens["ann"])
        site.endServers()
        let most = 48
        try site.startServer(by: ["/usr/bin/prlimit", "--nofile=\(most):\(most)", "--"])
        let pid = try pid(site)
        func open() -> Int { ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []).count }
        var clients = try (0..<2 * most).map { _ in try FastCGIClient(site.socket) }
        try eventually("all descriptors are taken") { open() >= most }
        let (before, start) = (try Self.processorTime(pid), ContinuousClock.now)
        usleep(1_500_000)
        let share = try (Self.processorTime(pid) - before) / ((ContinuousClock.now - start) / .seconds(1))
        #expect(share < 0.2, "it used \(share) of a processor")
        #expect(try site.postern(["token", "create", "ann"]).code == 0)
        #expect(open() >= most)
        #expect(clients.count == 2 * most)
        clients.removeAll()
        try eventually("it answers") { (try? site.get("/secure/", token: token))?.status == 200 }
        #expect(try site.login("ann").status == 200)
    }

    /// Seconds of processor time that a process has used (proc(5), `stat`).
    private static func processorTime(_ pid: Int32) throws -> Double {
        let line = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        let fields = line.suffix(from: try #require(line.lastIndex(of: ")"))).split(separator: " ")
        let ticks = try #require(Double(fields[12])) + #require(Double(fields[13]))
        return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    @Test(
        "While who holds a lock is stopped, writing is 503 and reading goes on; when he goes on, so do all",
        arguments: [("pwrite64", 1), ("fdatasync", 1)]
    )
    func stoppedHolder(call: String, number: Int) throws {
        let site = try site()
        let token = try #require(site.tokens["ann"])
        let log = site.folder + "/strace"
        let holder = try Child(
            FaultySite.strace,
            [
                "-f", "-o", log, "-P", site.store + "/tokens", "-e", "inject=\(call):signal=STOP:when=\(number)",
                Site.binary, "token", "create", "ann", "--store", site.store,
            ],
            log: site.folder + "/holder"
        )
        var stopped: Int32 = 0
        try eventually("the holder is stopped") {
            let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            let line = text.split(separator: "\n").first { $0.contains("stopped by SIGSTOP") }
            stopped = line?.split(separator: " ").first.flatMap { Int32($0) } ?? 0
            return stopped != 0
        }
        let refused = try site.login("ann")
        #expect(refused.status == 503)
        #expect(refused.field("Retry-After") != nil)
        let command = try site.postern(["token", "create", "ann"])
        #expect(command.code == 75, "\(command.error)")
        #expect(command.output == "", "\(command.error)")
        #expect(command.error.contains("for too long"), "\(command.error)")
        #expect(try site.get("/secure/", token: token).status == 200)
        #expect(try site.get("/secure/", token: "wrong").status == 401)
        kill(stopped, SIGCONT)
        #expect(holder.wait() == 0)
        let late = try String(contentsOfFile: site.folder + "/holder", encoding: .utf8).split(separator: "\n")
        let issued = try #require(late.first { $0.hasPrefix("pst_") })
        #expect(try site.get("/secure/", token: String(issued)).status == 200)
        #expect(try site.login("ann").status == 200)
    }

    @Test("While a slow disk syncs, readers are answered as if nothing were")
    func slowDisk() throws {
        let site = try site()
        let token = try #require(site.tokens["ann"])
        let log = site.folder + "/strace"
        // Attached to every thread that is there, and to those that come.
        let tracer = try Child(
            FaultySite.strace,
            [
                "-f", "-p", "\(try pid(site))", "-o", log, "-e", "trace=fdatasync", "-e",
                "inject=fdatasync:delay_enter=1500000",
            ],
            log: site.folder + "/tracer"
        )
        try eventually("the server is traced") {
            (try? String(contentsOfFile: site.folder + "/tracer", encoding: .utf8))?.contains("attached") == true
        }
        let writers = 4
        let group = DispatchGroup()
        let statuses = Mutex<[Int]>([])
        let isWriting = Atomic(writers)
        for _ in 0..<writers {
            DispatchQueue.global().async(group: group) {
                let status = (try? site.login("ann"))?.status ?? 0
                statuses.withLock { $0.append(status) }
                isWriting.subtract(1, ordering: .relaxed)
            }
        }
        var answers = 0
        while isWriting.load(ordering: .relaxed) == writers {
            let answer = try site.get("/secure/", token: token)
            #expect(answer.status == 200)
            answers += 1
        }
        group.wait()
        // One and a half seconds, in which a reader that waited for the disk would have had one answer.
        #expect(answers > 10)
        #expect(statuses.withLock { $0 } == Array(repeating: 200, count: writers))
        tracer.end(with: SIGINT)
        #expect(try site.login("ann").status == 200)
    }

    @Test("A log that takes nothing any more holds nobody up")
    func fullLog() throws {
        let site = try site()
        site.endServers()
        try site.startServer(log: "/dev/full")
        for _ in 0..<200 { #expect(try site.get("/secure/", token: site.tokens["ann"]).status == 200) }
        #expect(try site.login("ann").status == 200)
    }

    @Test("No descriptor of the store is handed to a child, which would hold a lock for its parent")
    func closedOnExec() throws {
        let site = try site()
        #expect(try site.login("ann").status == 200)
        let folder = "/proc/\(try pid(site))/"
        var count = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: folder + "fd") {
            guard let path = try? FileManager.default.destinationOfSymbolicLink(atPath: folder + "fd/" + name),
                path.hasPrefix(site.store),
                let text = try? String(contentsOfFile: folder + "fdinfo/" + name, encoding: .utf8)
            else { continue }
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("flags:") })
            let flags = try #require(Int32(line.dropFirst(6).trimmingCharacters(in: .whitespaces), radix: 8))
            #expect(flags & O_CLOEXEC != 0, "\(path)")
            count += 1
        }
        #expect(count >= 5)
    }

    @Test("What is mapped for writing has all of its blocks, so that no full disk can end the process")
    func mapped() throws {
        let site = try site()
        for _ in 0..<3 { #expect(try site.get("/secure/", token: "wrong").status == 401) }
        let maps = try String(contentsOfFile: "/proc/\(try pid(site))/maps", encoding: .utf8)
        let ofStore = maps.split(separator: "\n").filter { $0.contains(site.store) }
        for line in ofStore {
            let columns = line.split(separator: " ")
            guard columns[1].hasPrefix("rw-s") else { continue }
            var status = stat()
            #expect(stat(String(columns.last ?? ""), &status) == 0)
            #expect(Int64(status.st_blocks) * 512 >= Int64(status.st_size), "\(line)")
        }
    }

    @Test("Servers that are ended one after the other under load, while others have their socket, fail no request")
    func handOver() throws {
        let site = try site()
        let token = try #require(site.tokens["ann"])
        let servers = try SpawnedServers(site, count: 4)
        let answers = Atomic(0)
        let isOver = Atomic(false)
        let failures = Mutex<[String]>([])
        let group = DispatchGroup()
        for _ in 0..<4 {
            DispatchQueue(label: "client").async(group: group) {
                while !isOver.load(ordering: .relaxed) {
                    let answer = try? site.get("/secure/", token: token)
                    if answer?.status != 200 { failures.withLock { $0.append("\(answer?.status ?? 0)") } }
                    answers.add(1, ordering: .relaxed)
                }
            }
        }
        for ended in servers.processes.dropLast() {
            let before = answers.load(ordering: .relaxed)
            try eventually("requests go on") { answers.load(ordering: .relaxed) > before + 50 }
            ended.kill(SIGTERM)
            try eventually("it ends") { !ended.isRunning }
        }
        let before = answers.load(ordering: .relaxed)
        try eventually("requests go on") { answers.load(ordering: .relaxed) > before + 50 }
        isOver.store(true, ordering: .relaxed)
        group.wait()
        #expect(failures.withLock { $0 } == [])
    }
}
