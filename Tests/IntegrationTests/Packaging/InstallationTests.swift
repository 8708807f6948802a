import Foundation
import Testing

/// What `make install` puts where, with the binary of these tests, and whether those it is for take it.
@Suite("Installing")
struct InstallationTests {
    private let folder: String

    init() throws {
        folder = try Site.temporaryFolder()
        try make("install").expectSuccess()
    }

    private func make(_ target: String) throws -> Child.Finished {
        try Child.run(
            "/usr/bin/make",
            ["-s", "-C", Site.sources, target, "DESTDIR=" + folder, "PREFIX=/usr", "BINARY=" + Site.binary]
        )
    }

    private func remove() { try? FileManager.default.removeItem(atPath: folder) }

    private func installed() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder).filter { path in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: folder + "/" + path, isDirectory: &isFolder)
                && !isFolder.boolValue
        }
    }

    @Test("The documentation of the libraries builds, and no link in it leads nowhere")
    func documentation() throws {
        let binaries = URL(fileURLWithPath: Site.binary).deletingLastPathComponent().path
        try Child.run(Site.sources + "/build-documentation", [binaries]).expectSuccess()
    }

    @Test("All of it is below the prefix, nobody else may write it, and uninstalling takes all of it away")
    func files() throws {
        defer { remove() }
        let files = try installed()
        for path in [
            "bin/postern", "lib/systemd/system/postern.service", "lib/systemd/system/postern.socket",
            "lib/sysusers.d/postern.conf", "lib/tmpfiles.d/postern.conf", "share/man/man1/postern.1",
            "share/bash-completion/completions/postern", "share/zsh/site-functions/_postern",
            "share/fish/vendor_completions.d/postern.fish", "share/postern/nginx/postern-gate.conf",
            "share/postern/nginx/example.conf", "share/postern/lighttpd/postern.conf",
            "share/postern/apache/postern.conf", "share/postern/caddy/Caddyfile", "share/doc/postern/README.md",
            "share/doc/postern/LICENSE", "share/doc/postern/NOTICE", "share/doc/postern/CHANGELOG.md",
        ] {
            #expect(files.contains("usr/" + path), "\(path)")
        }
        for path in files {
            #expect(path.hasPrefix("usr/"))
            let mode = try FileManager.default.attributesOfItem(atPath: folder + "/" + path)[.posixPermissions] as? Int
            #expect(mode == (path == "usr/bin/postern" ? 0o755 : 0o644), "\(path)")
        }
        try make("uninstall").expectSuccess()
        #expect(try installed() == [])
    }

    @Test("systemd takes the units, and calls the service's sandbox a safe one")
    func units() throws {
        defer { remove() }
        let units = folder + "/units"
        try FileManager.default.createDirectory(atPath: units, withIntermediateDirectories: false)
        for name in ["postern.service", "postern.socket"] {
            let text = try String(contentsOfFile: folder + "/usr/lib/systemd/system/" + name, encoding: .utf8)
            #expect(name != "postern.service" || text.contains("ExecStart=/usr/bin/postern serve "))
            // verify(1) looks whether the program is there.
            try text.replacingOccurrences(of: "=/usr/bin/postern ", with: "=\(folder)/usr/bin/postern ")
                .write(toFile: units + "/" + name, atomically: false, encoding: .utf8)
        }
        let analyze = "/usr/bin/systemd-analyze"
        let verified = try Child.run(
            analyze,
            ["verify", "--man=no", units + "/postern.service", units + "/postern.socket"]
        )
        #expect(verified.code == 0, "\(verified.error)")
        #expect(verified.error.isEmpty, "\(verified.error)")
        #expect(verified.output.isEmpty, "\(verified.error)")
        // Tenths of the exposure, of which 100 is the worst.
        let safety = try Child.run(
            analyze,
            ["security", "--offline=true", "--threshold=6", "--no-pager", units + "/postern.service"]
        )
        #expect(safety.code == 0, "\(safety.output.suffix(200))")
    }

    @Test("systemd makes the user, then the folders that are theirs")
    func userAndFolders() throws {
        defer { remove() }
        let root = folder + "/root"
        try FileManager.default.createDirectory(atPath: root + "/etc", withIntermediateDirectories: true)
        try "root:x:0:0:root:/root:/bin/sh\n".write(toFile: root + "/etc/passwd", atomically: false, encoding: .utf8)
        try "root:x:0:\nadm:x:4:\n".write(toFile: root + "/etc/group", atomically: false, encoding: .utf8)
        let users = try Child.run(
            "/usr/bin/systemd-sysusers",
            ["--root=" + root, folder + "/usr/lib/sysusers.d/postern.conf"]
        )
        try users.expectSuccess()
        let entry = try String(contentsOfFile: root + "/etc/passwd", encoding: .utf8).split(separator: "\n")
            .first { $0.hasPrefix("postern:") }
        #expect(entry?.hasSuffix(":/var/lib/postern:/usr/sbin/nologin") == true, "\(entry ?? "")")
        guard geteuid() == 0 else { return }
        let made = try Child.run(
            "/usr/bin/systemd-tmpfiles",
            ["--create", "--root=" + root, folder + "/usr/lib/tmpfiles.d/postern.conf"]
        )
        #expect(made.code == 0, "\(made.error)")
        let id = Int(try #require(entry?.split(separator: ":")[2]))
        for (path, mode, owner) in [
            ("/run/postern", 0o755, 0), ("/var/lib/postern", 0o700, id), ("/var/log/postern", 0o750, id),
        ] {
            let attributes = try FileManager.default.attributesOfItem(atPath: root + path)
            #expect(attributes[.posixPermissions] as? Int == mode)
            #expect(attributes[.ownerAccountID] as? Int == owner)
        }
    }

    @Test("logrotate takes the file, and moves a log away")
    func logrotate() throws {
        defer { remove() }
        let me = String(cString: try #require(getpwuid(geteuid())).pointee.pw_name)
        let group = String(cString: try #require(getgrgid(getegid())).pointee.gr_name)
        let text = try String(contentsOfFile: Site.sources + "/debian/postern.logrotate", encoding: .utf8)
            .replacingOccurrences(of: "/var/log/postern", with: folder)
            .replacingOccurrences(of: "postern postern", with: "\(me) \(group)")
            // No service of this machine is told of it.
            .replacingOccurrences(of: "/run/systemd/system", with: folder + "/none")
        let (file, state) = (folder + "/logrotate.conf", folder + "/state")
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        chmod(file, 0o644)
        try "a line\n".write(toFile: folder + "/audit.log", atomically: false, encoding: .utf8)
        let rotated = try Child.run("/usr/sbin/logrotate", ["--force", "--state", state, file])
        #expect(rotated.code == 0, "\(rotated.error)")
        #expect(rotated.error.isEmpty, "\(rotated.error)")
        #expect(try String(contentsOfFile: folder + "/audit.log.1", encoding: .utf8) == "a line\n")
        let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/audit.log")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(attributes[.size] as? Int == 0)
    }

    @Test("The manual page is what the commands say of themselves, and no formatter finds fault with it")
    func manualPage() throws {
        defer { remove() }
        let page = folder + "/usr/share/man/man1/postern.1"
        for (formatter, arguments) in [
            ("/usr/bin/man", ["--warnings", "-E", "UTF-8", "-l", page]), ("/usr/bin/mandoc", ["-Tlint", page]),
            ("/usr/bin/groff", ["-man", "-ww", "-Tutf8", "-z", page]),
        ] {
            let shown = try Child.run(formatter, arguments, environment: ["MANPAGER": "cat", "LC_ALL": "C.UTF-8"])
            #expect(shown.code == 0, "\(formatter): \(shown.error)")
            #expect(shown.error.isEmpty, "\(formatter): \(shown.error)")
            #expect(formatter != "/usr/bin/mandoc" || shown.output.isEmpty, "\(shown.output)")
        }
        let text = try String(contentsOfFile: page, encoding: .utf8).replacingOccurrences(of: "\\-", with: "-")
        for command in try Self.commands() { #expect(text.contains("\n.SS \(command)\n"), "\(command)") }
        for word in ["--allow-user", "--revoke-all", "--nginx-include", "POSTERN_STORE", ".SH \"EXIT STATUS\""] {
            #expect(text.contains(word), "\(word)")
        }
    }

    /// Those that do something, as `user add`.
    static func commands() throws -> [String] {
        let dump = try Child.run(Site.binary, ["--experimental-dump-help"])
        let root = try JSONSerialization.jsonObject(with: Data(dump.output.utf8)) as? [String: Any]
        func names(_ command: [String: Any], _ path: [String]) -> [String] {
            let below = (command["subcommands"] as? [[String: Any]] ?? []).filter {
                $0["commandName"] as? String != "help"
            }
            return below.isEmpty
                ? [path.joined(separator: " ")]
                : below.flatMap { names($0, path + [$0["commandName"] as? String ?? ""]) }
        }
        return names(try #require(root?["command"] as? [String: Any]), [])
    }

    @Test("The Debian package has the program's version, and its scripts are shell")
    func debian() throws {
        defer { remove() }
        let version = try Child.run(Site.binary, ["--version"]).output.trimmingCharacters(in: .newlines)
        let changes = try String(contentsOfFile: Site.sources + "/debian/changelog", encoding: .utf8)
        #expect(changes.hasPrefix("postern (\(version)) "))
        for script in ["postinst", "prerm", "postrm"] {
            try Child.run("/bin/sh", ["-n", Site.sources + "/debian/" + script]).expectSuccess()
        }
        for script in ["build", "test", "test-life", "test-matrix"] {
            try Child.run("/bin/bash", ["-n", Site.sources + "/debian/" + script]).expectSuccess()
        }
    }

    /// Runs a script of the Debian package for a system in a folder. Nothing of this machine is touched.
    private func run(_ script: String, _ argument: String, root: String) throws -> Child.Finished {
        let path = Site.sources + "/debian/" + script
        try #require(try String(contentsOfFile: path, encoding: .utf8).contains("root=${DPKG_ROOT:-}"))
        let tools = root + "/tools"
        try? FileManager.default.createDirectory(atPath: tools, withIntermediateDirectories: true)
        for tool in ["deb-systemd-helper", "systemctl"] {
            try? FileManager.default.createSymbolicLink(atPath: tools + "/" + tool, withDestinationPath: "/bin/true")
        }
        return try Child.run(
            "/bin/sh",
            [path, argument],
            environment: ["DPKG_ROOT": root, "PATH": tools + ":/usr/bin:/bin"]
        )
    }

    @Test(
        "Purging the Debian package takes the link with which lighttpd would not start, and names what still includes it"
    )
    func purge() throws {
        defer { remove() }
        let root = folder + "/system"
        for path in [
            "etc/lighttpd/conf-available", "etc/lighttpd/conf-enabled", "etc/nginx/sites-enabled", "run/postern",
            "var/lib/postern/store", "var/log/postern",
        ] {
            try FileManager.default.createDirectory(atPath: root + "/" + path, withIntermediateDirectories: true)
        }
        let enabled = root + "/etc/lighttpd/conf-enabled/"
        for name in ["50-postern.conf", "10-proxy.conf"] {
            try FileManager.default.createSymbolicLink(
                atPath: enabled + name,
                withDestinationPath: "../conf-available/" + name
            )
        }
        let available = root + "/etc/lighttpd/conf-available/50-postern.conf"
        for (path, text) in [
            (available, "# Postern include\n"),
            (root + "/etc/lighttpd/site.conf", "fastcgi.server = ( \"/\" => ( var.postern ) )\n"),
            (root + "/etc/nginx/sites-enabled/site", "server { include postern-gate.conf; }\n"),
            (root + "/etc/nginx/nginx.conf", "# include postern-gate.conf;\n"),
            (root + "/run/postern/postern.sock", ""),
        ] {
            try text.write(toFile: path, atomically: false, encoding: .utf8)
        }
        func isThere(_ path: String) -> Bool { (try? FileManager.default.attributesOfItem(atPath: path)) != nil }

        let removed = try run("postrm", "remove", root: root)
        #expect(removed.code == 0, "\(removed.error)")
        #expect(removed.error.isEmpty, "\(removed.error)")
        #expect(isThere(enabled + "50-postern.conf"))
        #expect(isThere(root + "/var/lib/postern/store"))
        #expect(!isThere(root + "/run/postern"))

        // dpkg takes the settings before it calls the script.
        try FileManager.default.removeItem(atPath: available)
        let purged = try run("postrm", "purge", root: root)
        #expect(purged.code == 0)
        #expect(!isThere(enabled + "50-postern.conf"))
        #expect(isThere(enabled + "10-proxy.conf"))
        #expect(!isThere(root + "/var/lib/postern"))
        #expect(!isThere(root + "/var/log/postern"))
        let named = purged.error.split(separator: "\n").map { $0.split(separator: " ")[1] }
        #expect(named == ["/etc/nginx/sites-enabled/site", "/etc/lighttpd/site.conf"], "\(purged.error)")
    }

    @Test("Removing the Debian package leaves nginx the folder in which it has its cache", arguments: [true, false])
    func removeWithCache(isUsed: Bool) throws {
        defer { remove() }
        let root = folder + "/system"
        for path in ["run/postern/cache", "etc/nginx/conf.d"] {
            try FileManager.default.createDirectory(atPath: root + "/" + path, withIntermediateDirectories: true)
        }
        if isUsed {
            try FileManager.default.copyItem(
                atPath: Site.sources + "/nginx/postern-cache.conf",
                toPath: root + "/etc/nginx/conf.d/postern-cache.conf"
            )
        }
        try run("postrm", "remove", root: root).expectSuccess()
        #expect(FileManager.default.fileExists(atPath: root + "/run/postern") == isUsed)
    }
}
