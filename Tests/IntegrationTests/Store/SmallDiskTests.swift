import Foundation
import Journal
import Postern
import Testing

/// Whether a file system in a file can be mounted, which takes more than being root in some containers.
private let canMount: Bool = {
    guard geteuid() == 0, let disk = try? SmallDisk() else { return false }
    return disk.unmount()
}()

/// An ext4 file system of 4 MiB.
private final class SmallDisk {
    let folder: String
    var mount: String { folder + "/disk" }

    init() throws {
        folder = try Site.temporaryFolder()
        try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: false)
        let image = folder + "/image"
        try Child.run("/usr/bin/truncate", ["-s", "4M", image]).expectSuccess()
        try Child.run("/sbin/mkfs.ext4", ["-q", "-m", "0", image]).expectSuccess()
        try Child.run("/bin/mount", ["-o", "loop", image, mount]).expectSuccess()
        chmod(mount, 0o700)
    }

    deinit {
        if access(mount + "/lost+found", F_OK) == 0 { unmount() }
        try? FileManager.default.removeItem(atPath: folder)
    }

    @discardableResult
    func unmount() -> Bool { (try? Child.run("/bin/umount", ["-l", mount]).code) == 0 }

    func remount(_ option: String) throws {
        try Child.run("/bin/mount", ["-o", "remount,\(option)", mount]).expectSuccess()
    }
}

@Suite(
    "A small disk",
    .serialized,
    .enabled(if: canMount, "a file system in a file cannot be mounted here")
)
struct SmallDiskTests {
    private let disk: SmallDisk
    private let ann: User
    private var store: String { disk.mount + "/store" }

    init() throws {
        disk = try SmallDisk()
        try Store.create(at: disk.mount + "/store")
        ann = try Store(opening: disk.mount + "/store").addUser(try Username("ann".utf8), passwordHash: nil)
    }

    /// Issues tokens with long labels until the disk is full.
    private func fill() throws -> [Token] {
        let accounts = Accounts(store: try Store(opening: store))
        var tokens: [Token] = []
        let label = String(repeating: "x", count: 20_000)
        while tokens.count < 1000 {
            guard let token = try? accounts.issueToken(for: ann, label: label).0 else { return tokens }
            tokens.append(token)
        }
        throw HarnessError("the disk does not get full")
    }

    @Test("When it is full, writing and compacting are refused and reading goes on; with room again all is as before")
    func full() throws {
        // What gives room later.
        try Data(count: 1 << 20).write(to: URL(fileURLWithPath: disk.mount + "/ballast"))
        let open = try Store(opening: store)
        let tokens = try fill()
        #expect(tokens.count > 20)
        #expect(throws: StoreError.self) { try open.checkWritable() }
        let command = try Child.run(
            Site.binary,
            ["token", "create", "ann", "--store", store, "--label", tokens[0].label]
        )
        #expect(command.code == 74, "\(command.error)")
        #expect(command.error.contains("No space left on device"), "\(command.error)")
        #expect(command.output == "")
        // Half of it is of no use, and there is no room for what is of use.
        for store in [open, try Store(opening: store)] { #expect(try store.allTokens().map(\.id) == tokens.map(\.id)) }
        let compacted = try Child.run(Site.binary, ["store", "compact", "--store", store])
        #expect(compacted.code == 74, "\(compacted.error)")
        #expect(try open.allTokens() == Store(opening: store).allTokens())
        #expect(try open.token(tokens[0].digest) != nil)
        let backup = try Child.run(Site.binary, ["store", "backup", disk.mount + "/copy", "--store", store])
        #expect(backup.code == 74, "\(backup.error)")
        #expect(access(disk.mount + "/copy", F_OK) != 0, "\(backup.error)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: store).filter { $0.contains(".new") } == [])

        unlink(disk.mount + "/ballast")
        try open.checkWritable()
        let later = try Accounts(store: open).issueToken(for: ann).0
        #expect(try Store(opening: store).allTokens().map(\.id) == tokens.map(\.id) + [later.id])
        for token in tokens { try open.revokeToken(token.id) }
        _ = try open.compact()
        #expect(try Store(opening: store).allTokens().map(\.id) == [later.id])
    }

    /// What another program writes until there is no room.
    private func takeTheRest() {
        let descriptor = open(disk.mount + "/greedy", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        for size in [1 << 16, 1024, 1] {
            let bytes = [UInt8](repeating: 1, count: size)
            while write(descriptor, bytes, size) == size {}
        }
        fsync(descriptor)
    }

    @Test(
        "When it is full, whatever ends something is written all the same and nothing else, also when others take each byte"
    )
    func endings() throws {
        try Data(count: 1 << 20).write(to: URL(fileURLWithPath: disk.mount + "/ballast"))
        let open = try Store(opening: store)
        let accounts = Accounts(store: open)
        let session = try open.startSession(.random(), for: ann, lifetime: 3600, idleLimit: 60)
        let stella = try open.addUser(try Username("stella".utf8), passwordHash: nil)
        let small = try (0..<600).map { _ in try accounts.issueToken(for: ann).0 }
        _ = try fill()
        takeTheRest()
        // What is left of the last blocks of the files may be written to before.
        func expectNothingElse() {
            func expectEnd(_ write: (Int) throws -> Void) {
                #expect(throws: StoreError.self) { for number in 0..<100 { try write(number) } }
            }
            expectEnd { _ in _ = try accounts.issueToken(for: ann) }
            expectEnd {
                _ = try open.addUser(try Username("new\($0)\(UInt32.random(in: 0 ... .max))".utf8), passwordHash: nil)
            }
            expectEnd { _ in _ = try open.startSession(.random(), for: ann, lifetime: 3600, idleLimit: 60) }
            expectEnd { try open.grant(ann.id, staff: $0 % 2 == 0) }
        }
        expectNothingElse()
        for (number, token) in small.enumerated() {
            try open.revokeToken(token.id)
            if number % 150 == 0 { takeTheRest() }
        }
        expectNothingElse()
        try open.endSession(session.id)
        try open.revoke(Array("family".utf8), expires: open.now().adding(seconds: 60))
        try open.setActive(stella.id, false)
        try open.setPassword(of: ann.id, to: "!")
        try open.revokeAll(of: ann.id)
        try open.deleteUser(stella.id)
        expectNothingElse()
        let again = try Store(opening: store)
        #expect(try again.user(stella.id) == nil)
        #expect(try !again.allSessions().contains { $0.id == session.id })
        for token in small { #expect(try again.token(token.digest) == nil) }

        for name in ["greedy", "ballast"] { unlink(disk.mount + "/" + name) }
        _ = try accounts.issueToken(for: try #require(try open.user(ann.id)))
        var (status, system) = (stat(), statvfs())
        #expect(stat(store + "/reserve", &status) == 0)
        #expect(statvfs(disk.mount, &system) == 0)
        #expect(Int(status.st_size) == Int(system.f_blocks) * Int(system.f_frsize) / 8)
        #expect(Int(status.st_blocks) * 512 >= Int(status.st_size))
    }

    @Test("When it becomes one that cannot be written, commands say so; when it can again, all is as before")
    func readOnly() throws {
        let token = try Accounts(store: try Store(opening: store)).issueToken(for: ann).0
        try disk.remount("ro")
        for command in [["token", "create", "ann"], ["token", "list"], ["store", "check"]] {
            let refused = try Child.run(Site.binary, command + ["--store", store])
            #expect(refused.code == 77, "\(refused.error)")
            #expect(refused.error.contains("has to be writable"), "\(refused.error)")
            #expect(refused.output == "")
        }
        try disk.remount("rw")
        let next = try Accounts(store: try Store(opening: store)).issueToken(for: ann).0
        #expect(try Store(opening: store).allTokens().map(\.id) == [token.id, next.id])
    }
}
