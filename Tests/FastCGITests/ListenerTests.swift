import FastCGI
import Glibc
import Testing

@Suite("Listening")
struct ListenerTests {
    @Test(
        "addresses are read",
        arguments: [
            ("/run/a.sock", ListenAddress.unix(path: "/run/a.sock")),
            ("127.0.0.1:9000", .tcp(host: "127.0.0.1", port: 9000)),
            ("[::1]:9000", .tcp(host: "::1", port: 9000)),
        ]
    )
    func address(text: String, expected: ListenAddress) {
        #expect(ListenAddress(text) == expected)
    }

    @Test(
        "what is no address is none",
        arguments: ["", "9000", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", ":9000"]
    )
    func noAddress(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = try TemporaryFolder.make()
        defer { TemporaryFolder.remove(folder) }
        try body(folder)
    }

    @Test("a Unix socket is for its owner and group, whatever the umask")
    func mode() throws {
        try withFolder { folder in
            let listener = try Listener.bind(to: .unix(path: folder + "/socket"))
            var status = stat()
            #expect(lstat(folder + "/socket", &status) == 0)
            #expect(status.st_mode & 0o777 == 0o660)
            withExtendedLifetime(listener) {}
        }
    }

    @Test("a live socket is not replaced, a stale one is")
    func liveAndStale() throws {
        try withFolder { folder in
            let path = folder + "/socket"
            let listener = try Listener.bind(to: .unix(path: path))
            #expect(throws: ListenerError.inUse(path)) { try Listener.bind(to: .unix(path: path)) }
            withExtendedLifetime(listener) {}
        }
        try withFolder { folder in
            let path = folder + "/socket"
            let stale = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let size = socklen_t(MemoryLayout<sockaddr_un>.size)
            _ = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(stale, $0, size) }
            }
            close(stale)
            #expect(access(path, F_OK) == 0)
            _ = try Listener.bind(to: .unix(path: path))
        }
    }

    @Test("what is no socket is left alone")
    func notASocket() throws {
        try withFolder { folder in
            close(open(folder + "/file", O_CREAT | O_WRONLY, 0o600))
            #expect(throws: ListenerError.notASocket(folder + "/file")) {
                try Listener.bind(to: .unix(path: folder + "/file"))
            }
            symlink(folder + "/target", folder + "/link")
            #expect(throws: ListenerError.notASocket(folder + "/link")) {
                try Listener.bind(to: .unix(path: folder + "/link"))
            }
            #expect(access(folder + "/file", F_OK) == 0)
            #expect(access(folder + "/target", F_OK) != 0)
        }
    }

    @Test("a path that is too long is refused")
    func tooLong() {
        let path = "/tmp/" + String(repeating: "x", count: 120)
        #expect(throws: ListenerError.pathTooLong(path)) { try Listener.bind(to: .unix(path: path)) }
    }

    @Test(
        "an address that others can reach needs consent",
        arguments: ["0.0.0.0", "192.0.2.1", "::", "::ffff:10.0.0.1"]
    )
    func remote(host: String) {
        let error = #expect(throws: ListenerError.self) { try Listener.bind(to: .tcp(host: host, port: 9)) }
        if case .remote = error {} else { Issue.record("\(String(describing: error))") }
    }

    @Test("peers are let in by user", arguments: [true, false])
    func peers(isAllowed: Bool) throws {
        var options = ServerOptions.quick()
        options.allowedUsers = isAllowed ? [geteuid()] : [geteuid() &+ 1]
        let server = try RunningServer(options)
        let client = try server.client()
        client.send(Wire.request())
        if isAllowed {
            #expect(try client.answer().status == 200)
        } else {
            #expect(client.isClosedWithoutAnswer())
        }
    }
}
