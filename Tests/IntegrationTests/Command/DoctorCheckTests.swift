import Foundation
import Postern
import Testing

@testable import PosternCommand

/// Those checks whose findings no machine for tests can be made to have.
@Suite("What the doctor looks at")
struct DoctorCheckTests {
    private let folder: String
    private let path: String

    init() throws {
        folder = try Site.temporaryFolder()
        path = folder + "/store"
        try Store.create(at: path)
    }

    private func remove() { try? FileManager.default.removeItem(atPath: folder) }

    @Test("A journal that is mostly dead")
    func journals() throws {
        defer { remove() }
        let store = try Store(opening: path)
        let accounts = Accounts(store: store)
        let ann = try store.addUser(try Username("ann".utf8), passwordHash: nil)
        #expect(JournalsCheck(store: store, events: 4).diagnose().findings == [])
        for _ in 0..<5 { try accounts.revokeToken(try accounts.issueToken(for: ann).0.id) }
        let findings = JournalsCheck(store: store, events: 4).diagnose().findings
        try #require(findings.count == 1)
        #expect(findings[0].contains("journal tokens"))
        #expect(findings[0].contains("store compact"))
        // Of a small one nobody needs to hear.
        #expect(JournalsCheck(store: store).diagnose().findings == [])
    }

    @Test("A clock behind the newest event")
    func clock() throws {
        defer { remove() }
        let events = try Child.run(
            "/usr/bin/env",
            ["FAKETIME=+2h", Site.binary, "user", "add", "ann", "--no-password", "--store", path],
            environment: ["LD_PRELOAD": try #require(libfaketime), "FAKETIME_DONT_FAKE_MONOTONIC": "1"]
        )
        try events.expectSuccess()
        let findings = ClockCheck(store: try Store(opening: path)).diagnose().findings
        #expect(findings.contains { $0.contains("seconds behind that of the store") })
    }

    @Test("A disk that is nearly full")
    func space() {
        defer { remove() }
        #expect(FreeSpaceCheck(path: path).diagnose().findings == [])
        #expect(FreeSpaceCheck(path: path, least: .max).diagnose().findings.first?.contains("make room") == true)
        var status = statvfs()
        #expect(statvfs(path, &status) == 0)
        let finding = FreeSpaceCheck(path: path, leastFiles: .max).diagnose().findings.first
        #expect((finding?.contains("more files can be made") == true) == (status.f_files > 0))
    }

    @Test(
        "A libfcgi with a hole, where the hole counts",
        arguments: [
            ("2.4.2-2", 32, true), ("2.4.2-2+deb12u1", 32, false), ("2.4.5-1", 32, false), ("2.5.0", 32, false),
            ("2.4.4-1", 32, true), ("2.4.2-2", 64, false), (nil, 32, true), (nil, 64, false),
        ] as [(String?, Int, Bool)]
    )
    func libfcgi(version: String?, bits: Int, isHoled: Bool) {
        defer { remove() }
        let check = LibFCGICheck(file: "/usr/lib/libfcgi.so.0.0.0", package: version, pointerBits: bits)
        let diagnosis = check.diagnose()
        #expect(diagnosis.findings.isEmpty != isHoled)
        #expect(diagnosis.state?.contains(version ?? "not Debian's") == true)
    }

    @Test("A file of settings that is not understood, by its line")
    func settings() throws {
        defer { remove() }
        let file = folder + "/postern.conf"
        #expect(SettingsCheck(path: file).diagnose().findings == [])
        try "# nothing yet\nlisten = nowhere\n".write(toFile: file, atomically: false, encoding: .utf8)
        chmod(file, 0o644)
        #expect(SettingsCheck(path: file).diagnose().findings.first?.hasPrefix("\(file):2: ") == true)
    }

    @Test("Limits of a process, as proc(5) has them")
    func limits() {
        defer { remove() }
        func text(_ files: String, _ core: String) -> String {
            """
            Limit                     Soft Limit           Hard Limit           Units
            Max core file size        \(core)                    unlimited            bytes
            Max open files            \(files)                 1048576              files
            """
        }
        func findings(_ files: String, _ core: String) -> [String] {
            ServerProcessCheck.findings(of: 7, in: text(files, core))
        }
        #expect(findings("65536", "0") == [])
        #expect(findings("unlimited", "0") == [])
        #expect(findings("1024", "0").first?.contains("only 1024 files: raise LimitNOFILE") == true)
        #expect(findings("65536", "unlimited").first?.contains("LimitCORE=0") == true)
        #expect(findings("256", "4096").count == 2)
        #expect(ServerProcessCheck.findings(of: 7, in: "") == [])
    }

    @Test("What a server answers, with and without a status")
    func answers() {
        defer { remove() }
        #expect(SocketCheck.isGood("Content-Type: application/json\r\n\r\n{}"))
        #expect(SocketCheck.isGood("Status: 200 OK\r\n\r\n{}"))
        #expect(!SocketCheck.isGood("Status: 503 Service Unavailable\r\n\r\n{}"))
    }
}

/// Gives processes another clock.
private let libfaketime = ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/faketime/libfaketimeMT.so.1" }
    .first { FileManager.default.fileExists(atPath: $0) }
