import Foundation
import Synchronization
import Testing

/// The server as systemd runs it: on a socket that outlives it, saying when it is ready and when it stops.
@Suite("Behind a socket that is kept", .serialized)
struct SocketActivationTests {
    @Test(
        "A restart loses no request: they wait in the socket, or on a connection that is kept; each start says that it is ready, each end that it stops"
    )
    func restart() throws {
        let site = try Site(users: false)
        try site.addUser("ann")
        let token = try #require(site.tokens["ann"])
        site.endServers()
        let manager = try ServiceManagerSocket(in: site.folder)
        let socket = try KeptSocket(at: site.socket)
        var server = try socket.start(site, manager)
        #expect(try manager.next() == "READY=1")

        let answers = Atomic(0)
        let isOver = Atomic(false)
        let failures = Mutex<[String]>([])
        let group = DispatchGroup()
        let fields = [("Authorization", "Token " + token)]
        for method in ["GET", "POST", "GET", "POST"] {
            DispatchQueue(label: "client").async(group: group) {
                while !isOver.load(ordering: .relaxed) {
                    let answer = try? HTTP.exchange(site.nginxPort, HTTP.request(method, "/notes/", fields))
                    if answer?.status != 200 { failures.withLock { $0.append("\(method) \(answer?.status ?? 0)") } }
                    answers.add(1, ordering: .relaxed)
                }
            }
        }
        defer {
            isOver.store(true, ordering: .relaxed)
            group.wait()
        }
        for _ in 0..<8 {
            let before = answers.load(ordering: .relaxed)
            try eventually("requests go on") { answers.load(ordering: .relaxed) > before + 50 }
            #expect(server.end() == 0)
            #expect(try manager.next() == "STOPPING=1")
            // nginx keeps some of those that it has asked on.
            try eventually("connections are kept") { manager.connections.count > 0 }
            server = try socket.start(site, manager)
            #expect(try manager.next() == "READY=1")
            #expect(manager.connections.isEmpty)
        }
        let before = answers.load(ordering: .relaxed)
        try eventually("requests go on") { answers.load(ordering: .relaxed) > before + 50 }
        isOver.store(true, ordering: .relaxed)
        group.wait()
        #expect(failures.withLock { $0 } == [])
        #expect(FileManager.default.fileExists(atPath: site.socket))
    }

    @Test("All system calls of a server are among those that its unit allows")
    func systemCalls() throws {
        let site = try Site(users: false)
        try site.addUser("ann")
        site.endServers()
        let log = site.folder + "/strace"
        try site.startServer(by: [FaultySite.strace, "-D", "-f", "-qq", "-o", log, "--"])
        #expect(try site.login("ann").status == 200)
        #expect(try site.get("/secure/", token: site.tokens["ann"]).status == 200)
        #expect(try site.get("/secure/", token: "wrong").status == 401)
        site.endServers()

        let allowed = try Self.allowedCalls()
        let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        // `1234 openat(AT_FDCWD, …`, as strace(1) writes it with -f.
        let calls = Set(lines.compactMap { $0.firstMatch(of: /^[0-9]+ +([a-z0-9_]+)\(/)?.1 }).map(String.init)
        #expect(calls.contains("accept4"))
        #expect(calls.contains("fdatasync"))
        #expect(calls.contains("exit_group"))
        // What listens where systemd does not; strace's own start.
        let own: Set = ["socket", "bind", "listen", "execve"]
        #expect(Set(calls).subtracting(allowed).subtracting(own) == [])
    }

    /// The unit's `SystemCallFilter`, with the sets that systemd knows.
    private static func allowedCalls() throws -> Set<String> {
        let unit = try String(contentsOfFile: Site.sources + "/systemd/postern.service", encoding: .utf8)
        var calls: Set<String> = []
        for line in unit.split(separator: "\n") where line.hasPrefix("SystemCallFilter=") {
            var words = line.dropFirst("SystemCallFilter=".count)
            let isTaken = words.first == "~"
            if isTaken { words = words.dropFirst() }
            for word in words.split(separator: " ") {
                let meant = try word.hasPrefix("@") ? members(of: String(word)) : [String(word)]
                if isTaken { calls.subtract(meant) } else { calls.formUnion(meant) }
            }
        }
        return calls
    }

    private static func members(of set: String) throws -> Set<String> {
        let listed = try Child.run("/usr/bin/systemd-analyze", ["syscall-filter", set])
        try listed.expectSuccess()
        let names = listed.output.split(separator: "\n").dropFirst().map { $0.trimmingCharacters(in: .whitespaces) }
        var calls: Set<String> = []
        for name in names where !name.hasPrefix("#") {
            if name.hasPrefix("@") { calls.formUnion(try members(of: name)) } else { calls.insert(name) }
        }
        return calls
    }
}

/// A listening socket that belongs to the test, as those of socket units do to systemd.
private final class KeptSocket {
    private let descriptor: Int32

    init(at path: String) throws {
        unlink(path)
        let (descriptor, result) = unixSocket(SOCK_STREAM, boundTo: path)
        guard result == 0, listen(descriptor, 4096) == 0 else { throw HarnessError("\(path): \(errno)") }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    func start(_ site: Site, _ manager: ServiceManagerSocket) throws -> Child {
        let inherited = [descriptor] + manager.connections
        return try Child(
            "/bin/sh",
            // sd_listen_fds(3): the number of the process that they are for.
            ["-c", #"LISTEN_PID=$$ exec "$0" "$@""#, Site.binary, "serve", "--store", site.store],
            environment: ["LISTEN_FDS": "\(inherited.count)", "NOTIFY_SOCKET": manager.path, "FDSTORE": "64"],
            log: site.folder + "/postern.log",
            inherited: inherited
        )
    }
}

/// What systemd is told, and what it is given to keep (sd_notify(3)).
private final class ServiceManagerSocket: Sendable {
    let path: String
    private let descriptor: Int32
    private let received = Mutex<(states: [String], connections: [Int32])>(([], []))

    init(in folder: String) throws {
        path = folder + "/notify"
        let (descriptor, result) = unixSocket(SOCK_DGRAM, boundTo: path)
        guard result == 0 else { throw HarnessError("\(path): \(errno)") }
        self.descriptor = descriptor
        // It holds the socket until that is shut down, by `deinit`.
        DispatchQueue(label: "service manager").async { [weak self] in
            while let message = Self.receive(descriptor) { self?.take(message) }
            close(descriptor)
        }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        for connection in connections { close(connection) }
    }

    /// The connections that are kept for the next process.
    var connections: [Int32] { received.withLock { $0.connections } }

    /// What it is told next of the service's state.
    func next() throws -> String {
        try eventually("something is said") { received.withLock { !$0.states.isEmpty } }
        return received.withLock { $0.states.removeFirst() }
    }

    private func take(_ message: (text: String, connection: Int32?)) {
        let lines = message.text.split(separator: "\n").map(String.init)
        received.withLock { received in
            if lines.contains("FDSTORE=1"), let connection = message.connection {
                received.connections.append(connection)
            } else if let barrier = message.connection {
                close(barrier)
            }
            if lines.contains("FDSTOREREMOVE=1") {
                for connection in received.connections { close(connection) }
                received.connections = []
            }
            received.states += lines.filter { ["READY=1", "STOPPING=1"].contains($0) }
        }
    }

    /// A datagram, with the descriptor that it brings; nil at the end.
    private static func receive(_ descriptor: Int32) -> (text: String, connection: Int32?)? {
        var bytes = [UInt8](repeating: 0, count: 256)
        // cmsg(3): a header of 16 bytes, then the descriptor.
        var control = [Int32](repeating: -1, count: 6)
        let count = bytes.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                var vector = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &vector) { vector in
                    var message = msghdr()
                    message.msg_iov = vector
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = control.count
                    return recvmsg(descriptor, &message, Int32(MSG_CMSG_CLOEXEC))
                }
            }
        }
        guard count > 0 else { return nil }
        return (String(decoding: bytes[..<count], as: UTF8.self), control[4] >= 0 ? control[4] : nil)
    }
}

private func unixSocket(_ type: __socket_type, boundTo path: String) -> (descriptor: Int32, result: Int32) {
    let descriptor = socket(AF_UNIX, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix($0.count - 1)) }
    let result = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
    return (descriptor, result)
}
