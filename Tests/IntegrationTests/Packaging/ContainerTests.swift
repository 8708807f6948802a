import Foundation
import Testing

/// The image of a container, made by `container/make-image`, and the examples that use it.
@Suite("Containers")
struct ContainerTests {
    /// A site of the example of Compose, in front of a container.
    private struct ComposeSite {
        let image: ContainerImage
        let upstream: Upstream
        let port: UInt16
        private let children: [Child]

        init() throws {
            image = try ContainerImage()
            upstream = try Upstream()
            port = try freePort()
            // As the services `store` and `postern` of compose.yaml.
            let store = try image.run(["store", "init", "--or-upgrade", "/var/lib/postern/store"])
            try store.expectSuccess()
            let workers = String(try #require(getgrnam("www-data")).pointee.gr_gid)
            let server = try image.start(group: workers, log: image.folder + "/postern.log")
            let socket = image.socketFolder + "/postern.sock"
            try eventually("the container listens") { FastCGIClient.canConnect(socket) }
            children = [server, try Self.nginx(image, upstream, port)]
            let here = port
            try eventually("nginx answers") { try Self.ask(here, "/").code == 0 }
        }

        func end() { for child in children.reversed() { child.end() } }

        private static func nginx(_ image: ContainerImage, _ upstream: Upstream, _ port: UInt16) throws -> Child {
            let folder = image.folder
            // nginx's workers go to its socket.
            chmod(folder, 0o755)
            try certificate(in: folder)
            for name in ["upstream", "fastcgi", "endpoints", "gate", "guard"] {
                let file = "postern-\(name).conf"
                try String(contentsOfFile: Site.sources + "/nginx/" + file, encoding: .utf8)
                    .replacingOccurrences(of: "/run/postern/", with: image.socketFolder + "/")
                    .write(toFile: folder + "/" + file, atomically: false, encoding: .utf8)
            }
            let site = try String(contentsOfFile: Site.sources + "/examples/compose-site.conf", encoding: .utf8)
                .replacingOccurrences(of: "8443", with: "127.0.0.1:\(port)")
                .replacingOccurrences(of: "/etc/nginx/tls/", with: folder + "/")
                .replacingOccurrences(of: "http://application", with: "http://127.0.0.1:\(upstream.port)")
            return try startNginx(folder, "include postern-upstream.conf;\n" + site)
        }

        static func ask(_ port: UInt16, _ path: String, _ arguments: [String] = []) throws -> Child.Finished {
            try curl("https://127.0.0.1:\(port)\(path)", arguments)
        }
    }

    /// As key.pem and cert.pem, by the command of the examples.
    static func certificate(in folder: String) throws {
        try Child.run(
            "/usr/bin/openssl",
            ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost"]
                + ["-keyout", folder + "/key.pem", "-out", folder + "/cert.pem"]
        ).expectSuccess()
    }

    static func startNginx(_ folder: String, _ http: String) throws -> Child {
        let paths = ["client_body", "fastcgi", "proxy", "scgi", "uwsgi"].map { "\($0)_temp_path temporary-\($0);" }
        let user = geteuid() == 0 ? "user www-data; " : ""
        let text =
            user + "pid nginx.pid; error_log error.log; events {}\nhttp { \(paths.joined()) access_log off;\n\(http) }"
        try text.write(toFile: folder + "/nginx.conf", atomically: false, encoding: .utf8)
        return try Child(
            "/usr/sbin/nginx",
            ["-p", folder, "-e", "error.log", "-c", folder + "/nginx.conf", "-g", "daemon off;"],
            log: folder + "/nginx.log"
        )
    }

    /// The status stands on the last line of the output.
    static func curl(_ url: String, _ arguments: [String] = []) throws -> Child.Finished {
        try Child.run("/usr/bin/curl", ["-sk", "-w", "\n%{http_code}", url] + arguments)
    }

    @Test(
        "The image runs as its configuration says, behind nginx, and its health is what the server says",
        .enabled(if: ContainerImage.canRun, "namespaces cannot be made here")
    )
    func runs() throws {
        let site = try ComposeSite()
        defer { site.end() }
        let image = site.image
        let added = try image.run(["user", "add", "ann", "--no-password", "--with-token"])
        try added.expectSuccess()
        let token = added.output.trimmingCharacters(in: .newlines)

        let good = try ComposeSite.ask(site.port, "/notes", ["-H", "Authorization: Token " + token])
        #expect(good.output.hasSuffix("\n200"), "\(good.output)")
        #expect(try #require(site.upstream.requests.last).values("X-Postern-User") == ["ann"])
        #expect(try ComposeSite.ask(site.port, "/notes").output.hasSuffix("\n401"))
        let user = try ComposeSite.ask(site.port, "/whoami/", ["-H", "Authorization: Token " + token])
        #expect(user.output.contains("\"ann\""))

        let health = try image.health()
        #expect(health.code == 0, "\(health.error)")
        #expect(health.output == "{\"status\":\"ok\"}\n", "\(health.error)")
        #expect(try image.run(["health", "--live"]).code == 0)
        // The second server that starts on a store, as after an upgrade.
        try image.run(["store", "init", "--or-upgrade", "/var/lib/postern/store"]).expectSuccess()
        #expect(try image.run(["store", "check"]).code == 0)

        // It is nobody's but the user's, and the socket the group's.
        let owner = try FileManager.default.attributesOfItem(atPath: image.store + "/store/users")
        #expect(owner[.ownerAccountID] as? Int == 10001)
        #expect(owner[.posixPermissions] as? Int == 0o600)
        let socket = try FileManager.default.attributesOfItem(atPath: image.socketFolder + "/postern.sock")
        #expect(socket[.groupOwnerAccountID] as? UInt32 == getgrnam("www-data").pointee.gr_gid)
        #expect(socket[.posixPermissions] as? Int == 0o660)

        chmod(image.store + "/store/users", 0o644)
        try eventually("the health is bad") { try image.health().code == 69 }
        let bad = try image.health()
        #expect(bad.error.contains("cannot answer requests: {"))
        #expect(bad.error.contains("The store cannot be read."))
        #expect(try image.run(["health", "--live"]).code == 0)
        chmod(image.store + "/store/users", 0o600)
        try eventually("the health is good again") { try image.health().code == 0 }
        site.end()
        let ended = try image.health()
        #expect(ended.code == 69)
        #expect(ended.error.contains("Nobody answers on /run/postern/postern.sock"))
    }

    @Test(
        "A volume that Kubernetes gave to the user's group by fsGroup holds a store",
        .enabled(if: ContainerImage.canRun, "namespaces cannot be made here")
    )
    func groupVolume() throws {
        let image = try ContainerImage()
        let owner = try #require(image.configuration.user.split(separator: ":").last.flatMap { gid_t($0) })
        // As `OnRootMismatch` leaves it from the first start on.
        #expect(chown(image.store, 0, owner) == 0)
        #expect(chmod(image.store, 0o2775) == 0)
        for _ in 0..<2 {
            try image.run(["store", "init", "--or-upgrade", "/var/lib/postern/store"]).expectSuccess()
        }
        #expect(try image.run(["store", "check"]).code == 0)
    }

    @Test("The same binary makes the same bytes, and the image says what the Containerfile says")
    func reproducible() throws {
        let folder = try Site.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let archives = try (0..<2).map { try ContainerImage.make(in: "\(folder)/\($0)") }
        #expect(try Child.run("/usr/bin/cmp", archives).code == 0)
        let version = try Child.run(Site.binary, ["--version"]).output.trimmingCharacters(in: .newlines)
        #expect(archives[0].contains("/postern-\(version)-"))

        let list = try Child.run("/bin/sh", ["-c", "tar -xOf \(archives[0]) manifest.json"]).output
        let manifest = try JSONSerialization.jsonObject(with: Data(list.utf8)) as? [[String: Any]]
        let loaded = try #require(manifest?.first)
        #expect(loaded["RepoTags"] as? [String] == ["postern:\(version)", "postern:latest"])
        let config = try #require(loaded["Config"] as? String)
        let text = try Child.run("/usr/bin/tar", ["-xOf", archives[0], config]).output
        let image = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let said = try #require(image["config"] as? [String: Any])
        #expect(said["User"] as? String == "10001:10001")
        #expect(said["WorkingDir"] as? String == "/var/lib/postern")
        #expect(said["Entrypoint"] as? [String] == ["/usr/bin/postern"])
        #expect(said["Cmd"] as? [String] == ["serve"])
        #expect((said["Volumes"] as? [String: Any])?.keys.sorted() == ["/var/lib/postern"])
        let health = said["Healthcheck"] as? [String: Any]
        #expect(health?["Test"] as? [String] == ["CMD", "/usr/bin/postern", "health"])

        // No shell, no file of a foreign owner or time, no set-uid bit.
        for layer in try #require(loaded["Layers"] as? [String]) {
            let files = try Child.run("/bin/sh", ["-c", "tar -xOf \(archives[0]) \(layer) | tar -tvz --numeric-owner"])
            try files.expectSuccess()
            for line in files.output.split(separator: "\n") {
                let words = line.split(separator: " ", omittingEmptySubsequences: true)
                #expect(["0/0", "10001/10001"].contains(words[1]), "\(line)")
                #expect(!words[0].contains("s"), "\(line)")
                #expect(!["sh", "bash", "busybox"].contains(URL(fileURLWithPath: String(words[5])).lastPathComponent))
            }
        }
    }

    @Test("A container of a store that is there upgrades it; what is no store is left alone")
    func initOrUpgrade() throws {
        let folder = try Site.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func make(_ path: String) throws -> Child.Finished {
            try Child.run(Site.binary, ["store", "init", "--or-upgrade", path])
        }
        let store = folder + "/store"
        try make(store + "/").expectSuccess()
        let key = try FileManager.default.contentsOfDirectory(atPath: store + "/keys")
        #expect(key.count == 1)
        try make(store).expectSuccess()
        #expect(try FileManager.default.contentsOfDirectory(atPath: store + "/keys") == key)
        // What an older version had not.
        try FileManager.default.removeItem(atPath: store + "/keys")
        try make(store).expectSuccess()
        #expect(try FileManager.default.contentsOfDirectory(atPath: store + "/keys").count == 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["store"])

        let other = folder + "/other"
        try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: false)
        try "mine".write(toFile: other + "/file", atomically: false, encoding: .utf8)
        chmod(other, 0o700)
        #expect(try make(other).code == 66)
        #expect(try FileManager.default.contentsOfDirectory(atPath: other) == ["file"])
        try FileManager.default.removeItem(atPath: other + "/file")
        try make(other).expectSuccess()
        #expect(try make(folder + "/none/store").code != 0)
        #expect(try Set(FileManager.default.contentsOfDirectory(atPath: folder)) == ["store", "other"])
    }
}
