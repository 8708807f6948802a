import Foundation
import Testing

/// `postern doctor`: well where all is well, and one finding for each thing that is wrong.
@Suite("The doctor")
struct DoctorTests {
    private struct Report {
        let code: Int32
        let findings: [String: [String]]
        let states: [String: String]
        let notes: [String: [String]]
    }

    /// Without a clock that nobody keeps, which is what machines for tests have.
    private func doctor(_ site: Site, _ arguments: [String] = [], by program: [String] = []) throws -> Report {
        let command =
            program + [Site.binary, "doctor", "--json", "--socket", site.socket, "--nginx-include", site.folder]
            + arguments
        let result = try Child.run(command[0], Array(command.dropFirst()), environment: ["POSTERN_STORE": site.store])
        let rows = try #require(
            try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]],
            "\(result.error)"
        )
        var (findings, states): ([String: [String]], [String: String]) = ([:], [:])
        for row in rows {
            let name = try #require(row["check"] as? String)
            let found = (row["findings"] as? [String] ?? []).filter { !$0.hasPrefix("Nobody keeps the clock") }
            if !found.isEmpty { findings[name] = found }
            states[name] = row["state"] as? String
        }
        let isWell = rows.allSatisfy { ($0["findings"] as? [String] ?? []).isEmpty }
        #expect(result.code == (isWell ? 0 : 1))
        let notes = rows.map { ($0["check"] as? String ?? "", $0["notes"] as? [String] ?? []) }
        return Report(
            code: result.code,
            findings: findings,
            states: states,
            notes: Dictionary(notes) { first, _ in first }
        )
    }

    private func site() throws -> Site { try Site(users: false) }

    @Test("A site that is well has no finding, and says what is there")
    func well() throws {
        let site = try site()
        let report = try doctor(site)
        #expect(report.findings == [:])
        #expect(report.states["libfcgi"]?.contains("libfcgi.so") == true)
        #expect(report.states["socket"] == "\(site.socket) answers")
        #expect(report.states["limits"] == "process \(try #require(site.servers.first).pid)")
        // Those of nginx and of lighttpd, which is in a folder of its own.
        #expect(report.states["includes"] == "9 found")
        #expect(report.states["lock"] == "free")
        #expect(report.states["key"]?.hasSuffix("HS256, 0 days old") == true)
        let names = Set([
            "lock", "journals", "key", "clock", "settings", "files", "space", "socket", "limits", "libfcgi", "includes",
            "key sets",
        ])
        #expect(Set(report.states.keys) == names)
    }

    @Test("JWK Sets that a configuration names: keys that are passed over are good to know, a set of no use is wrong")
    func keySets() throws {
        let site = try site()
        let folder = site.folder + "/sites"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let files = (0..<5).map { "\(folder)/idp\($0).json" }
        let key =
            #"{"kty":"EC","crv":"P-256","kid":"good","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#
        let odd = #"{"kty":"RSA","kid":"odd","n":"AQAB","e":"AQAB"}"#
        try "{\"keys\":[\(key)]}".write(toFile: files[0], atomically: true, encoding: .utf8)
        try "{\"keys\":[\(odd),\(key)]}".write(toFile: files[1], atomically: true, encoding: .utf8)
        try "{\"keys\":[\(odd)]}".write(toFile: files[2], atomically: true, encoding: .utf8)
        try "<html>".write(toFile: files[3], atomically: true, encoding: .utf8)
        let configuration = """
            fastcgi_param POSTERN_JWT_JWKS "https://idp.example \(files[0])";
            fastcgi_param POSTERN_JWT_JWKS 'https://idp.example \(files[1])';
            setenv.add-environment = ( "POSTERN_JWT_JWKS" => "https://idp.example \(files[2])" )
            env POSTERN_JWT_JWKS "https://idp.example \(files[3])"
                # fastcgi_param POSTERN_JWT_JWKS "https://idp.example \(files[4]).not";
            SetEnv POSTERN_JWT_JWKS "https://idp.example \(files[4])"
            """
        try configuration.write(toFile: folder + "/site", atomically: true, encoding: .utf8)
        // As `sites-enabled` has it.
        try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: folder + "/site")
        let report = try doctor(site)
        let findings = try #require(report.findings["key sets"])
        #expect(report.code == 1, "\(findings)")
        #expect(findings.count == 3, "\(findings)")
        #expect(findings[0].contains(files[2]))
        #expect(findings[0].contains("key 1 \"odd\" is too short to be safe"))
        #expect(findings[1].contains("\(files[3]) is not a JSON object"))
        #expect(findings[2].contains("\(files[4]) cannot be read"))
        #expect(report.states["key sets"] == "5 named")
        #expect(report.notes["key sets"]?.count == 1)
        #expect(report.notes["key sets"]?.first?.contains("\(files[1]) has keys that are passed over: key 1") == true)
    }

    @Test("A finding is one line, and says what mends it")
    func line() throws {
        let site = try site()
        chmod(site.socket, 0o666)
        let result = try site.postern(["doctor", "--socket", site.socket, "--nginx-include", site.folder])
        #expect(result.code == 1)
        #expect(result.error.isEmpty)
        let lines = result.output.split(separator: "\n").filter { !$0.hasPrefix("clock: ") }
        try #require(lines.count == 1, "\(result.output)")
        #expect(lines[0].hasPrefix("socket: Everybody can connect"), "\(result.output)")
        #expect(lines.first?.contains("chmod o= \(site.socket)") == true)
    }

    @Test("A store that cannot be opened, by its reason")
    func unopened() throws {
        let site = try site()
        chmod(site.store + "/tokens", 0o640)
        let report = try doctor(site)
        #expect(report.findings["store"]?.first?.contains("chmod 600") == true)
        #expect(report.findings["files"]?.first?.contains("is open to other users") == true)
        try FileManager.default.createSymbolicLink(atPath: site.store + "/a", withDestinationPath: "users")
        #expect(try doctor(site).findings["files"]?.first?.contains("is a symbolic link") == true)
        // The server cannot read it either.
        #expect(report.findings["socket"]?.first?.contains("cannot answer requests") == true)
        #expect(report.states["lock"] == nil)
        #expect(report.states["key"] == nil)
    }

    @Test("Others who may write where the store is, and files of other owners")
    func files() throws {
        let site = try site()
        chmod(site.folder, 0o777)
        let open = try doctor(site).findings
        #expect(open["files"]?.count == 1)
        #expect(open["files"]?.first?.contains("chmod go-w \(site.folder)") == true)
        chmod(site.folder, 0o700)
        let file = site.store + "/left-by-somebody"
        try "x".write(toFile: file, atomically: false, encoding: .utf8)
        chmod(file, 0o600)
        #expect(try doctor(site).findings == [:])
        guard geteuid() == 0 else { return }
        chown(file, 1, 1)
        #expect(try doctor(site).findings["files"]?.first?.contains("another user") == true)
        unlink(file)
        chown(site.folder, 1, 1)
        #expect(try doctor(site).findings["files"]?.first?.contains("chown it to root") == true)
        chown(site.folder, 0, 0)
    }

    @Test("A lock that somebody holds")
    func lock() throws {
        let site = try site()
        let holder = """
            import fcntl, struct, sys, time
            file = open(sys.argv[1], "r+b")
            fcntl.fcntl(file, 37, struct.pack("hhqqi", 1, 0, 0, 1, 0))
            print("held", flush=True)
            time.sleep(600)
            """
        let log = site.folder + "/holder"
        let child = try Child("/usr/bin/python3", ["-c", holder, site.store + "/lock"], log: log)
        try eventually("it holds the lock") { (try? String(contentsOfFile: log, encoding: .utf8)) == "held\n" }
        #expect(try doctor(site).findings["lock"]?.first?.contains("held by another process") == true)
        child.end()
        #expect(try doctor(site).findings == [:])
    }

    @Test("No key, and one that is too old")
    func key() throws {
        let site = try site()
        let keys = site.store + "/keys"
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: keys).first)
        let text = try String(contentsOfFile: keys + "/" + name, encoding: .utf8)
        let old = text.replacing(/("iat"|"nbf"): [0-9]+/) { "\($0.1): 1500000000" }
        #expect(old != text)
        try old.write(toFile: keys + "/" + name, atomically: false, encoding: .utf8)
        chmod(keys + "/" + name, 0o600)
        #expect(try doctor(site).findings["key"]?.first?.contains("postern key rotate") == true)
        unlink(keys + "/" + name)
        #expect(try doctor(site).findings["key"]?.first?.contains("postern key generate") == true)
    }

    @Test("No socket, one where nobody listens, a file in its place, and what is no address")
    func socket() throws {
        let site = try site()
        site.endServers(with: SIGKILL)
        #expect(try doctor(site).findings["socket"]?.first?.contains("Nobody answers") == true)
        unlink(site.socket)
        #expect(try doctor(site).findings["socket"]?.first?.contains("There is no socket") == true)
        try "x".write(toFile: site.socket, atomically: false, encoding: .utf8)
        #expect(try doctor(site).findings["socket"]?.first?.contains("is not a socket") == true)
        #expect(try doctor(site, ["--socket", "here"]).findings["socket"]?.first?.contains("not an address") == true)
        let port = try freePort()
        #expect(
            try doctor(site, ["--socket", "127.0.0.1:\(port)"]).findings["socket"]?.first?.contains("Nobody") == true
        )
        let server = try Child(
            Site.binary,
            ["serve", "--listen", "127.0.0.1:\(port)", "--store", site.store],
            log: site.folder + "/postern.log"
        )
        try eventually("it answers") { try doctor(site, ["--socket", "127.0.0.1:\(port)"]).findings == [:] }
        server.end()
    }

    @Test("A server that may open few files")
    func descriptors() throws {
        let site = try site()
        site.endServers()
        try site.startServer(by: ["/usr/bin/prlimit", "--nofile=256:256", "--"])
        #expect(try doctor(site).findings["limits"]?.first?.contains("LimitNOFILE") == true)
    }

    @Test("Includes of another version, and of one from before there were versions")
    func includes() throws {
        let site = try site()
        let path = site.folder + "/postern-gate.conf"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try text.replacing(/version ([0-9]+)/) { "version \($0.1)1" }.write(
            toFile: path,
            atomically: false,
            encoding: .utf8
        )
        #expect(try doctor(site).findings["includes"]?.first?.contains(path) == true)
        try text.split(separator: "\n").dropFirst().joined(separator: "\n")
            .write(toFile: path, atomically: false, encoding: .utf8)
        #expect(try doctor(site).findings["includes"]?.first?.contains("another version") == true)
    }

    @Test("All files that come with the program and are included have its version")
    func shipped() throws {
        for folder in ["nginx", "lighttpd"] {
            for name in try FileManager.default.contentsOfDirectory(atPath: Site.sources + "/" + folder)
            where name.hasPrefix("postern") {
                let text = try String(contentsOfFile: Site.sources + "/\(folder)/\(name)", encoding: .utf8)
                #expect(text.hasPrefix("# Postern include, version "), "\(folder)/\(name)")
            }
        }
    }
}
