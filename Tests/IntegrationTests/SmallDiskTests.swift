import Foundation
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
        #expect(command.code == 74 && command.error.contains("No space left on device"), "\(command.error)")
        #expect(command.output == "")
        // Half of it is of no use, and there is no room for what is of use.
        for store in [open, try Store(opening: store)] { #expect(try store.allTokens().map(\.id) == tokens.map(\.id)) }
        let compacted = try Child.run(Site.binary, ["store", "compact", "--store", store])
        #expect(compacted.code == 74, "\(compacted.error)")
        #expect(try open.allTokens() == Store(opening: store).allTokens())
        #expect(try open.token(tokens[0].digest) != nil)
        let backup = try Child.run(Site.binary, ["store", "backup", disk.mount + "/copy", "--store", store])
        #expect(backup.code == 74 && access(disk.mount + "/copy", F_OK) != 0, "\(backup.error)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: store).filter { $0.contains(".new") } == [])

        unlink(disk.mount + "/ballast")
        try open.checkWritable()
        let later = try Accounts(store: open).issueToken(for: ann).0
        #expect(try Store(opening: store).allTokens().map(\.id) == tokens.map(\.id) + [later.id])
        for token in tokens { try open.revokeToken(token.id) }
        _ = try open.compact()
        #expect(try Store(opening: store).allTokens().map(\.id) == [later.id])
    }

    @Test("When it becomes one that cannot be written, commands say so; when it can again, all is as before")
    func readOnly() throws {
        let token = try Accounts(store: try Store(opening: store)).issueToken(for: ann).0
        try disk.remount("ro")
        for command in [["token", "create", "ann"], ["token", "list"], ["store", "check"]] {
            let refused = try Child.run(Site.binary, command + ["--store", store])
            #expect(refused.code == 77 && refused.error.contains("has to be writable"), "\(refused.error)")
            #expect(refused.output == "")
        }
        try disk.remount("rw")
        let next = try Accounts(store: try Store(opening: store)).issueToken(for: ann).0
        #expect(try Store(opening: store).allTokens().map(\.id) == [token.id, next.id])
    }
}
