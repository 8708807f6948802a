import Foundation
import Testing

/// A server that refuses to start says why where a person finds it, also when nobody reads its standard error.
@Suite("The sentence with which a server refuses to start")
struct RefusalTests {
    /// Runs a program where `/dev` is its own, with standard error as it is told, and prints what reached `/dev/log`.
    private static let withSyslog = """
        import os, socket, subprocess, sys
        folder, errors, command = sys.argv[1], sys.argv[2], sys.argv[3:]
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
        for name in ["null", "zero", "random", "urandom"]:
            open(f"{folder}/{name}", "w").close()
            subprocess.run(["mount", "--bind", f"/dev/{name}", f"{folder}/{name}"], check=True)
        subprocess.run(["mount", "--rbind", folder, "/dev"], check=True)
        log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        log.bind("/dev/log")
        log.setblocking(False)
        close = (lambda: os.close(2)) if errors == "closed" else None
        target = open(errors, "a") if errors != "closed" else None
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=target, preexec_fn=close).returncode
        print(f"exit code {code}")
        try:
            while True: print(log.recv(65536).decode())
        except BlockingIOError:
            pass
        """

    /// - Parameter errors: `closed`, or the path of a file.
    /// - Returns: The exit code and the records in syslog, a line each.
    private func syslog(_ arguments: [String], errors: String, in folder: String) throws -> [Substring] {
        let own = folder + "/dev"
        try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
        let namespaces = geteuid() == 0 ? ["--mount"] : ["--user", "--map-root-user", "--mount"]
        let ran = try Child.run(
            "/usr/bin/unshare",
            namespaces + ["/usr/bin/python3", "-c", Self.withSyslog, own, errors, Site.binary] + arguments
        )
        try ran.expectSuccess()
        return ran.output.split(separator: "\n")
    }

    @Test(
        "It is in syslog, as an error of a daemon, where standard error is closed or /dev/null",
        arguments: ["closed", "/dev/null"]
    )
    func syslog(errors: String) throws {
        let folder = try Site.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for (arguments, code, text) in [
            (["serve", "--store", folder + "/none"], 66, folder + "/none"),
            (["serve", "--log-level", "loud"], 64, "--log-level loud"),
            (["serve", "--lisen", "x"], 64, "--lisen"),
            (["serve", "--store", folder + "/100%s%n"], 66, "/100%s%n"),
        ] {
            let lines = try syslog(arguments, errors: errors, in: folder)
            #expect(lines.first == "exit code \(code)")
            // LOG_DAEMON is 3, LOG_ERR 3: RFC 3164, section 4.1.1.
            #expect(lines.count == 2, "\(lines)")
            #expect(lines.last?.hasPrefix("<27>") == true, "\(lines)")
            #expect(lines.last?.contains("postern[") == true, "\(lines)")
            #expect(lines.last?.contains(text) == true, "\(lines)")
        }
        // What a person asked for, and what a command says that is no server.
        for arguments in [["serve", "--help"], ["token", "list", "--store", folder + "/none"]] {
            #expect(try syslog(arguments, errors: errors, in: folder).count == 1, "\(arguments)")
        }
    }

    @Test("It is on standard error alone where that is read")
    func standardError() throws {
        let folder = try Site.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (errors, log) = (folder + "/errors", folder + "/log")
        let lines = try syslog(["serve", "--store", folder + "/none", "--log-file", log], errors: errors, in: folder)
        #expect(lines == ["exit code 66"])
        #expect(try String(contentsOfFile: errors, encoding: .utf8).hasPrefix("postern: "))
        #expect(!FileManager.default.fileExists(atPath: log))
    }

    @Test("It is in the log file of a server that spawn-fcgi starts")
    func spawned() throws {
        let folder = try Site.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let log = folder + "/log"
        let started = try Child.run(
            "/usr/bin/spawn-fcgi",
            ["-s", folder + "/socket", "--", Site.binary, "serve", "--store", folder + "/none", "--log-file", log]
        )
        try eventually("the log names the store") {
            (try? String(contentsOfFile: log, encoding: .utf8))?.contains(folder + "/none") == true
        }
        // spawn-fcgi waits for a moment only.
        #expect(started.code == 0 || started.error.contains("exited with: 66"), "\(started.error)")
        #expect(try String(contentsOfFile: log, encoding: .utf8).contains(" error "))
    }

    @Test("Nothing that is meant for people goes into a file that got the number of a closed standard error")
    func closedDescriptors() throws {
        let folder = try Site.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = folder + "/store"
        try Child.run(Site.binary, ["store", "init", store]).expectSuccess()
        let run = { (arguments: String) in
            try Child.run("/bin/sh", ["-c", "exec '\(Site.binary)' \(arguments) --store '\(store)' <&- >&- 2>&-"]).code
        }
        #expect(try run("user add ann --no-password") == 0)
        // The name is taken, which it says.
        #expect(try run("user add ann --no-password") == 73)
        // A token that nobody was shown is no success.
        #expect(try run("token create ann") == 74)
        try Child.run(Site.binary, ["store", "check", "--store", store]).expectSuccess()
    }
}
