import Foundation
import Testing

@Suite("Bad input: a clear answer, nothing lost, nothing let in")
struct BadInputTests {
    private let folder: String
    private let store: String

    init() throws {
        folder = try Site.temporaryFolder()
        store = folder + "/store"
        try Child.run(Site.binary, ["store", "init", store]).expectSuccess()
        try postern(["user", "add", "ann", "--no-password"]).expectSuccess()
    }

    /// Whether we may mount file systems, which takes more than being root in some containers.
    private static let canMount: Bool = {
        guard geteuid() == 0, let folder = try? Site.temporaryFolder() else { return false }
        defer { rmdir(folder) }
        guard (try? Child.run("/bin/mount", ["-t", "tmpfs", "tmpfs", folder]).code) == 0 else { return false }
        return (try? Child.run("/bin/umount", [folder]).code) == 0
    }()

    private func postern(_ arguments: [String], _ path: String? = nil) throws -> Child.Finished {
        try Child.run(Site.binary, arguments, environment: ["POSTERN_STORE": path ?? store])
    }

    /// One sentence that names the file.
    private func expectFailure(
        _ result: Child.Finished,
        _ code: Int32,
        naming text: String,
        _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(result.code == code, "\(result.error)", sourceLocation: location)
        #expect(result.error.hasPrefix("postern: "), sourceLocation: location)
        #expect(result.error.contains(text), "\(result.error)", sourceLocation: location)
        #expect(result.error.split(separator: "\n").count == 1, "\(result.error)", sourceLocation: location)
    }

    @Test(
        "A folder that is no store, is missing, is newer, or is open to others is refused by every command",
        arguments: [["user", "list"], ["token", "list"], ["serve", "--listen", "/tmp/never-made.sock"]]
    )
    func noStore(command: [String]) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(
            atPath: folder + "/empty",
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700]
        )
        expectFailure(try postern(command, folder + "/empty"), 66, naming: folder + "/empty")
        expectFailure(try postern(command, folder + "/none"), 66, naming: folder + "/none")
        chmod(store, 0o755)
        expectFailure(try postern(command), 78, naming: "chmod 700 " + store)
        chmod(store, 0o700)
        try "postern 2\n".write(toFile: store + "/VERSION", atomically: false, encoding: .utf8)
        expectFailure(try postern(command), 78, naming: "postern 2")
        #expect(!FileManager.default.fileExists(atPath: "/tmp/never-made.sock"))
        expectFailure(try Child.run(Site.binary, command), 64, naming: "--store")
    }

    @Test("A damaged line in the middle is named, and refused by commands and by the server")
    func damaged() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for _ in 0..<5 { try postern(["token", "create", "ann"]).expectSuccess() }
        let path = store + "/tokens"
        var lines = try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n")
        // The first line of its group, counted from 1, stands before it.
        let line = try #require(lines.firstIndex { $0.contains("\tissued\t2\t") })
        lines[line] = lines[line].replacingOccurrences(of: "sha256:", with: "sha257:")
        try lines.joined(separator: "\n").write(toFile: path, atomically: false, encoding: .utf8)
        expectFailure(try postern(["token", "list"]), 65, naming: path + " is damaged at line \(line)")
        expectFailure(try postern(["token", "create", "ann"]), 65, naming: "line \(line)")
        expectFailure(try postern(["serve", "--listen", folder + "/socket"]), 65, naming: "line \(line)")
    }

    @Test("A store that is damaged or gone while a server runs is 503, and 200 again when it is back")
    func damagedUnderServer() throws {
        let site = try Site(users: false)
        try site.postern(["user", "add", "ann", "--no-password"]).expectSuccess()
        let token = try site.token(["ann"])
        #expect(try site.get("/secure/", token: token).status == 200)
        rename(site.store + "/tokens", site.store + "/tokens.away")
        // A name that changes is looked at every ten milliseconds.
        try eventually("it is noticed") { try site.get("/secure/", token: token).status == 503 }
        let answer = try site.get("/secure/", token: token)
        #expect(answer.status == 503)
        #expect(answer.text == #"{"detail":"Service temporarily unavailable, try again later."}"#)
        #expect(answer.field("Retry-After") != nil)
        #expect(try site.get("/health/").status == 503)
        #expect(try site.get("/secure/").status == 401)
        rename(site.store + "/tokens.away", site.store + "/tokens")
        #expect(try site.get("/secure/", token: token).status == 200)
        #expect(site.log.contains("tokens does not exist"))
    }

    @Test("Where it may not write it says so, and changes nothing")
    func noRight() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let before = try Data(contentsOf: URL(fileURLWithPath: store + "/tokens"))
        if geteuid() == 0 {
            chmod(folder, 0o755)
            let copy = folder + "/postern"
            // By a process of its own: a file that is open for writing in some other child cannot be run.
            try Child.run("/bin/cp", [Site.binary, copy]).expectSuccess()
            let result = try Child.run(
                "/usr/bin/setpriv",
                [
                    "--reuid=65534", "--regid=65534", "--clear-groups", "--", copy, "token", "create", "ann", "--store",
                    store,
                ]
            )
            expectFailure(result, 77, naming: store)
        } else {
            chmod(store + "/tokens", 0o400)
            expectFailure(try postern(["token", "create", "ann"]), 77, naming: store + "/tokens")
            chmod(store + "/tokens", 0o600)
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: store + "/tokens")) == before)
    }

    @Test("A file that cannot grow is said to be full; what was there stays, and the next write is good")
    func full() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try postern(["token", "create", "ann"]).expectSuccess()
        let path = store + "/tokens"
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        for room in [1, 50, 200] {
            let limited = [
                "--fsize=\(before.count + room)", "--", Site.binary, "token", "create", "ann", "--label",
                String(repeating: "x", count: 200), "--store", store,
            ]
            expectFailure(try Child.run("/usr/bin/prlimit", limited), 74, naming: path)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
        }
        try postern(["token", "create", "ann"]).expectSuccess()
        #expect(try postern(["token", "list"]).output.split(separator: "\n").count == 3)
    }

    @Test(
        "On a full disk writing is refused with the reason, and all that was acknowledged can be read",
        .enabled(if: Self.canMount, "a small file system cannot be mounted here")
    )
    func fullDisk() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let mount = folder + "/disk"
        try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: false)
        try Child.run("/bin/mount", ["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", mount]).expectSuccess()
        defer { _ = try? Child.run("/bin/umount", ["-l", mount]) }
        let small = mount + "/store"
        try Child.run(Site.binary, ["store", "init", small]).expectSuccess()
        try Child.run(Site.binary, ["user", "add", "ann", "--store", small], input: Site.password + "\n")
            .expectSuccess()
        var tokens: [String] = []
        var last = try postern(["token", "create", "ann", "--label", String(repeating: "x", count: 8000)], small)
        while last.code == 0, tokens.count < 100 {
            tokens.append(last.output.trimmingCharacters(in: .newlines))
            last = try postern(["token", "create", "ann", "--label", String(repeating: "x", count: 8000)], small)
        }
        expectFailure(last, 74, naming: "No space left on device")
        #expect(
            try postern(["token", "list", "--json"], small).output.components(separatedBy: "\"id\"").count == tokens
                .count + 1
        )
        // Not even a short line has room.
        while try postern(["token", "create", "ann"], small).code == 0 {}
        func answer(_ parameters: [String: String], input: String = "") throws -> String {
            let request = ["GATEWAY_INTERFACE": "CGI/1.1", "REMOTE_ADDR": "127.0.0.1", "POSTERN_STORE": small]
            return try Child.run(Site.binary, ["serve"], input: input, environment: request.merging(parameters) { $1 })
                .output
        }
        let login = #"{"username":"ann","password":"\#(Site.password)"}"#
        let refused = try answer(
            [
                "REQUEST_METHOD": "POST", "POSTERN_VIEW": "token.obtain", "CONTENT_TYPE": "application/json",
                "CONTENT_LENGTH": "\(login.utf8.count)",
            ],
            input: login
        )
        #expect(refused.hasPrefix("Status: 503 "))
        let read = try answer([
            "REQUEST_METHOD": "GET", "POSTERN_VIEW": "whoami", "HTTP_AUTHORIZATION": "Token \(tokens.last ?? "")",
        ])
        #expect(read.contains(#""username":"ann""#))
    }

    @Test(
        "A location that cannot be understood lets nobody in and says why in the log",
        arguments: [
            ("/bad/view/", "POSTERN_VIEW \"mesage\""), ("/bad/permission/", "POSTERN_PERMISSION \"IsAuthentcated\""),
            ("/bad/authentication/", "Kerberos"), ("/bad/name/", "POSTERN_PERMISION"),
            ("/bad/methods/", "POSTERN_METHODS"),
            ("/bad/https/", "POSTERN_REQUIRE_HTTPS"), ("/bad/message/", "POSTERN_MESSAGE"),
        ]
    )
    func misconfigured(path: String, text: String) throws {
        let site = try Site.shared.get()
        for port in [site.nginxPort, site.lighttpdPort] {
            for token in [nil, site.tokens["stella"]] {
                let answer = try site.get(path, token: token, port: port)
                #expect(answer.status == 500)
                #expect(answer.field("Content-Type") == "application/json")
                #expect(answer.text == #"{"detail":"The server is not configured to answer this request."}"#)
            }
        }
        let line = try #require(site.log.split(separator: "\n").last { $0.contains(text) })
        #expect(line.contains("error"))
        #expect(line.contains(path))
    }

    @Test("A location without a view is 404")
    func noView() throws {
        let site = try Site.shared.get()
        let answer = try site.get("/no-view/", token: site.tokens["ann"])
        #expect(answer.status == 404)
        #expect(answer.text == #"{"detail":"Not found."}"#)
    }

    @Test("TRACE, which would show a credential to whoever reads the answer, is refused by both web servers")
    func trace() throws {
        let site = try Site.shared.get()
        let token = try #require(site.tokens["ann"])
        for port in [site.nginxPort, site.lighttpdPort] {
            let request = HTTP.request("TRACE", "/secure/", [("Authorization", "Token " + token)])
            let answer = try HTTP.exchange(port, request)
            #expect([405, 501].contains(answer.status))
            #expect(!answer.text.contains(token))
        }
    }

    @Test("No core of a server is written, which would hold every secret")
    func core() throws {
        let site = try Site.shared.get()
        let limits = try String(contentsOfFile: "/proc/\(try #require(site.servers.first).pid)/limits", encoding: .utf8)
        #expect(limits.contains(#/Max core file size +0 +0\b/#))
    }

    @Test(
        "A body that is too large is 413, and the next request on the server is answered",
        arguments: [70_000, 900_000]
    )
    func tooLarge(size: Int) throws {
        let site = try Site.shared.get()
        for port in [site.nginxPort, site.lighttpdPort] {
            let body = [UInt8](repeating: UInt8(ascii: " "), count: size)
            let answer = try HTTP.exchange(
                port,
                HTTP.request("POST", "/api-token-auth/", [("Content-Type", "application/json")], body: body)
            )
            #expect(answer.status == 413)
            #expect(answer.text == #"{"detail":"Request body too large."}"#)
            #expect(try site.get("/secure/", token: site.tokens["ann"], port: port).status == 200)
        }
    }

    @Test("Bytes in header fields that are no text: an answer of 4xx or 200, never 500, and nobody is let in")
    func oddBytes() throws {
        let site = try Site.shared.get()
        for port in [site.nginxPort, site.lighttpdPort] {
            for byte in [UInt8](0x01...0xFF) where byte != 0x0A && byte != 0x0D {
                let odd: [UInt8] = [byte, byte]
                for field in [
                    "Authorization: Token ", "Authorization: Basic ", "Authorization: ", "Accept: ", "Content-Type: ",
                    "X-Odd: ",
                ] {
                    let request =
                        Array(
                            "POST /secure/?\(byte % 3 == 0 ? "format=" : "") HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\(field)"
                                .utf8
                        ) + odd
                    let answer = try HTTP.exchange(port, request + Array("\r\n\r\n".utf8))
                    #expect((400..<500).contains(answer.status), "byte \(byte) in \(field)")
                }
            }
        }
        #expect(try site.get("/secure/", token: site.tokens["ann"]).status == 200)
    }
}
