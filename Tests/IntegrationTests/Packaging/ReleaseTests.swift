import Foundation
import Testing

/// One version everywhere, the changelog, and `make-release`.
@Suite("Releases")
struct ReleaseTests {
    private static func text(_ path: String) throws -> String {
        try String(contentsOfFile: Site.sources + "/" + path, encoding: .utf8)
    }

    private static func version() throws -> String {
        try Child.run(Site.binary, ["--version"]).output.trimmingCharacters(in: .newlines)
    }

    @Test("The program, the OpenAPI document and the changelogs say the same version")
    func oneVersion() throws {
        let version = try Self.version()
        let document = try Site.shared.get().get("/openapi.json")
        let members = try JSONSerialization.jsonObject(with: Data(document.body)) as? [String: Any]
        #expect((members?["info"] as? [String: Any])?["version"] as? String == version)
        let numbers = try Self.text("CHANGELOG.md").matches(of: /\n## \[([0-9.]+)\] - \d{4}-\d\d-\d\d\n/).map(\.1)
        #expect(numbers.first.map(String.init) == version)
        #expect(try Self.text("debian/changelog").hasPrefix("postern (\(version)) "))
    }

    @Test("The changelog has the form of Keep a Changelog")
    func changelog() throws {
        let text = try Self.text("CHANGELOG.md")
        let sections = text.components(separatedBy: "\n## ").dropFirst()
        #expect(sections.first?.hasPrefix("[Unreleased]\n") == true)
        let kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
        for section in sections {
            let parts = section.components(separatedBy: "\n### ").dropFirst()
            let names = parts.map { String($0.prefix { $0 != "\n" }) }
            #expect(names == kinds.filter(names.contains), "\(names)")
            for part in parts { #expect(part.contains("\n- "), "\(part.prefix(20))") }
        }
    }

    /// A repository with what a release changes, and a `make` that builds nothing: the files have the names that the real one
    /// gives them.
    private struct Repository {
        let folder: String
        let sources: String
        private let tools: String
        private static let maker = """
            #!/bin/sh
            [ "$*" = "deb image" ] || exit 64
            [ ! -e "$(dirname "$0")/broken" ] || exit 1
            version=$(sed -n 's/.*current = "\\(.*\\)"/\\1/p' Sources/Postern/Version.swift)
            mkdir -p .build/deb .build/image
            echo package >.build/deb/postern_${version}_amd64.deb
            echo image >.build/image/postern-$version-amd64.tar
            """

        init() throws {
            folder = try Site.temporaryFolder()
            (sources, tools) = (folder + "/sources", folder + "/tools")
            for path in ["CHANGELOG.md", "debian", "make-release", "Sources/Postern/Version.swift", ".gitignore"] {
                let place = URL(fileURLWithPath: sources + "/" + path)
                try FileManager.default.createDirectory(
                    at: place.deletingLastPathComponent(),
                    withIntermediateDirectories: true
                )
                try FileManager.default.copyItem(atPath: Site.sources + "/" + path, toPath: place.path)
            }
            try FileManager.default.createDirectory(atPath: tools, withIntermediateDirectories: false)
            try Self.maker.write(toFile: tools + "/make", atomically: false, encoding: .utf8)
            chmod(tools + "/make", 0o755)
            try git("init", "-q", "-b", "main").expectSuccess()
            try commit()
        }

        func commit() throws {
            try git("add", "-A").expectSuccess()
            try git("commit", "-q", "--allow-empty", "-m", "A change").expectSuccess()
        }

        @discardableResult
        func git(_ arguments: String...) throws -> Child.Finished {
            try Child.run("/usr/bin/git", ["-C", sources] + arguments, environment: Self.identity)
        }

        func release(_ arguments: String...) throws -> Child.Finished {
            let environment = Self.identity.merging(["PATH": tools + ":/usr/bin:/bin"]) { $1 }
            return try Child.run(sources + "/make-release", arguments, environment: environment)
        }

        func breakBuild(_ isBroken: Bool) throws {
            if isBroken { try write("", to: "../tools/broken") } else { unlink(tools + "/broken") }
        }

        func read(_ path: String) throws -> String { try String(contentsOfFile: sources + "/" + path, encoding: .utf8) }

        func write(_ text: String, to path: String) throws {
            try text.write(toFile: sources + "/" + path, atomically: false, encoding: .utf8)
        }

        /// The commit that is checked out, the tags, and what is changed.
        func state() throws -> [String] {
            [try git("rev-parse", "HEAD").output, try git("tag").output, try git("status", "--porcelain").output]
        }

        func remove() { try? FileManager.default.removeItem(atPath: folder) }

        private static let identity = [
            "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_COMMITTER_NAME": "Ann",
            "GIT_COMMITTER_EMAIL": "ann@example.org", "GIT_CONFIG_GLOBAL": "/dev/null",
        ]
    }

    @Test("A release has one version everywhere, a tag, a tarball of it, and checksums; a dry run changes nothing")
    func release() throws {
        let repository = try Repository()
        defer { repository.remove() }
        let changes = "## [Unreleased]\n\n### Added\n\n- A gate\n  of two lines.\n- A wall.\n"
        try repository.write(changes, to: "CHANGELOG.md")
        try repository.commit()
        let before = try repository.state()
        let made = ".build/release-99.0.1"

        let dry = try repository.release("99.0.1", "--dry-run")
        #expect(dry.code == 0, "\(dry.error)")
        #expect(dry.output.contains("+## [99.0.1] - "))
        #expect(dry.output.contains("dry run"))
        #expect(try repository.state() == before)

        let released = try repository.release("99.0.1")
        #expect(released.code == 0, "\(released.error)")
        #expect(released.output.contains("git push origin main v99.0.1"))
        #expect(try repository.git("status", "--porcelain").output.isEmpty)
        let tagged = try repository.git("rev-parse", "v99.0.1^{commit}").output
        #expect(try tagged == repository.git("rev-parse", "HEAD").output)
        #expect(try repository.git("log", "-1", "--format=%s").output == "Release 99.0.1\n")
        let tag = try repository.git("cat-file", "tag", "v99.0.1").output
        #expect(tag.contains("Postern 99.0.1\n\n### Added\n\n- A gate\n"), "\(tag)")
        #expect(try repository.read("Sources/Postern/Version.swift").contains("current = \"99.0.1\""))
        #expect(try repository.read("CHANGELOG.md").contains("## [Unreleased]\n\n## [99.0.1] - 20"))
        let debian = try repository.read("debian/changelog")
        let entry = "postern (99.0.1) bookworm; urgency=medium\n\n  * A gate of two lines.\n  * A wall.\n\n -- "
        #expect(debian.hasPrefix(entry))
        let dates = try Regex(#" -- Postern's maintainers <[^>]*>  \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000\n"#)
        #expect(debian.prefix(300).contains(dates), "\(debian.prefix(300))")

        let folder = repository.sources + "/" + made
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        let names = ["postern-99.0.1-amd64.tar", "postern-99.0.1.tar.gz", "postern_99.0.1_amd64.deb"]
        #expect(files == ["SHA256SUMS"] + names)
        try Child.run("/bin/sh", ["-c", "cd '\(folder)' && sha256sum -c --strict SHA256SUMS"]).expectSuccess()
        let file = "postern-99.0.1/Sources/Postern/Version.swift"
        let packed = try Child.run("/bin/tar", ["-xOf", folder + "/postern-99.0.1.tar.gz", file])
        #expect(packed.output.contains("99.0.1"))

        // There is nothing to release now.
        let empty = try repository.release("99.0.2")
        #expect(empty.code == 1)
        #expect(empty.error.contains("says of no change"))
    }

    @Test("A release that cannot be is refused, and one whose build fails leaves nothing")
    func refusedRelease() throws {
        let repository = try Repository()
        defer { repository.remove() }
        let before = try repository.state()
        for (version, reason) in [
            ("0.0.1", "is not newer than"), (try Self.version(), "is not newer than"), ("1.2", "is not a version"),
            ("1.2.3-rc1", "is not a version"), ("v1.2.3", "is not a version"),
        ] {
            let refused = try repository.release(version)
            #expect(refused.code == 1, "\(version): \(refused.error)")
            #expect(refused.error.contains(reason), "\(version): \(refused.error)")
        }
        try repository.breakBuild(true)
        let broken = try repository.release("99.0.0")
        #expect(broken.code == 1, "\(broken.error)")
        #expect(broken.error.contains("make deb image failed"), "\(broken.error)")
        #expect(try repository.state() == before)
        try repository.breakBuild(false)
        try repository.git("tag", "v99.0.0")
        #expect(try repository.release("99.0.0").error.contains("There is a tag v99.0.0 already."))
        try repository.write("mine", to: "file")
        #expect(try repository.release("99.0.1").error.contains("changes that are not committed"))
    }
}
