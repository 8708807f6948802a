import Glibc
import Testing

@testable import Journal

@Suite("Making and opening a folder of journals")
struct FolderTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("A store is opened only where it is what it was made as")
    func opening() throws {
        func open() throws { _ = try folder.open().read() }
        try open()
        chmod(folder.path, 0o750)
        #expect(throws: JournalError.tooOpen(path: folder.path, mode: "700")) { try open() }
        chmod(folder.path, 0o700)
        chmod(folder.journalPath, 0o640)
        #expect(throws: JournalError.tooOpen(path: folder.journalPath, mode: "600")) { try open() }
        chmod(folder.journalPath, 0o600)
        link(folder.journalPath, folder.parent + "/second")
        #expect(throws: JournalError.wrongType(path: folder.journalPath)) { try open() }
        unlink(folder.parent + "/second")
        try open()
        rename(folder.journalPath, folder.parent + "/real")
        symlink(folder.parent + "/real", folder.journalPath)
        #expect(throws: JournalError.wrongType(path: folder.journalPath)) { try open() }
        unlink(folder.journalPath)
        mkfifo(folder.journalPath, 0o600)
        #expect(throws: JournalError.wrongType(path: folder.journalPath)) { try open() }
        unlink(folder.journalPath)
        #expect(throws: JournalError.missing(path: folder.journalPath)) { try open() }
        rename(folder.parent + "/real", folder.journalPath)
        try open()
    }

    @Test("A folder that is no store, or one of another version or kind, is refused by name")
    func versions() throws {
        func open(_ path: String, kind: String = "test", version: Int = 1) throws {
            _ = try JournalFolder(opening: path, kind: kind, version: version)
        }
        #expect(throws: JournalError.missing(path: folder.parent + "/none")) { try open(folder.parent + "/none") }
        #expect(throws: JournalError.notAStore(path: folder.parent)) { try open(folder.parent) }
        #expect(throws: JournalError.notAStore(path: folder.path)) { try open(folder.path, kind: "other") }
        #expect(throws: JournalError.newerVersion(path: folder.path, found: "test 1")) {
            try open(folder.path, version: 0)
        }
        #expect(throws: JournalError.notEmpty(path: folder.path)) {
            try JournalFolder.create(at: folder.path, kind: "test", version: 1, journals: [])
        }
        #expect(throws: JournalError.notEmpty(path: folder.journalPath)) {
            try JournalFolder.create(at: folder.journalPath, kind: "test", version: 1, journals: [])
        }
        symlink(folder.path, folder.parent + "/link")
        for path in [folder.parent + "/link", folder.parent + "/link//"] {
            #expect(throws: JournalError.wrongType(path: folder.parent + "/link")) { try open(path) }
        }
        unlink(folder.parent + "/link")
        try open(folder.path + "/")
    }

    @Test("A folder that others could put another in the place of is refused, unless its parent is sticky as /tmp is")
    func openParent() throws {
        chmod(folder.parent, 0o777)
        #expect(throws: JournalError.tooOpen(path: folder.parent, mode: "o-w")) { try folder.open() }
        chmod(folder.parent, 0o1777)
        _ = try folder.open()
        chmod(folder.parent, 0o700)
    }

    @Test("A store is made in an empty folder, but not through a link to one")
    func emptyFolder() throws {
        let (path, link) = (folder.parent + "/empty", folder.parent + "/link")
        mkdir(path, 0o755)
        symlink(path, link)
        #expect(throws: JournalError.notEmpty(path: link)) { try create(at: link) }
        try create(at: path + "/")
        _ = try JournalFolder(opening: path, kind: "test", version: 1)
        for name in ["events", "lock", "changes", "VERSION"] { unlink(path + "/" + name) }
        rmdir(path)
        unlink(link)
    }

    @Test("Of a store that could not be made nothing is left")
    func failedCreation() throws {
        let path = folder.parent + "/new"
        #expect(throws: JournalError.missing(path: path + "/no/such")) { try create(at: path, ["events", "no/such"]) }
        #expect(access(path, F_OK) != 0)
        mkdir(path, 0o700)
        #expect(throws: JournalError.self) { try create(at: path, ["events", "no/such"]) }
        #expect(rmdir(path) == 0)
    }

    @Test("What an upgrade makes is whole under its name, noted also where the one before was killed, and lost is lost")
    func completion() throws {
        func complete() throws -> [String] {
            try JournalFolder.complete(
                at: folder.path,
                kind: "test",
                version: 1,
                journals: ["events", "later", "last"],
                folders: []
            )
        }
        defer { for name in ["later", "last"] { unlink(folder.path + "/" + name) } }
        let lock = try JournalFolder(opening: folder.path, kind: "test", version: 1).lockFile
        // Of one that was killed before the journal had its name, and of one before it was noted.
        let leftover = try File(creating: folder.path + "/.later.new", owner: geteuid(), group: getegid())
        try leftover.write([0x58], at: 0)
        let header = FileHeader(name: "last", fileID: FileHeader.randomID(Linux())).line
        try File(creating: folder.path + "/last", owner: geteuid(), group: getegid())
            .write(header, at: 0)
        #expect(try complete() == ["later"])
        #expect(access(leftover.path, F_OK) != 0)
        for name in ["later", "last"] {
            #expect(try lock.knows(name))
            try folder.openJournal(name).append(["a"])
            #expect(try lock.record(of: name) != nil)
        }
        #expect(try complete() == [])
        #expect(try folder.openJournal("later").read() == ["a"])
        unlink(folder.path + "/last")
        #expect(throws: JournalError.missing(path: folder.path + "/last")) { try complete() }
    }

    @Test("What root makes in another user's folder belongs to that user", .enabled(if: geteuid() == 0, "needs root"))
    func ownership() throws {
        let user: uid_t = 4711
        let path = folder.parent + "/theirs"
        mkdir(path, 0o700)
        chown(path, user, user)
        try create(at: path)
        var status = stat()
        for name in ["events", "lock", "VERSION"] {
            #expect(stat(path + "/" + name, &status) == 0)
            #expect(status.st_uid == user)
            #expect(status.st_gid == user)
        }
        var calls = DiskCalls()
        calls.sync = { _ in
            errno = EIO
            return -1
        }
        func append(with calls: DiskCalls) throws {
            let folder = try JournalFolder(
                opening: path,
                kind: "test",
                version: 1,
                patience: .seconds(1),
                system: ReplacedCalls(calls)
            )
            try Reader(try Journal(opening: "events", in: folder), folder).append(["a"])
        }
        #expect(throws: JournalError.self) { try append(with: calls) }
        // Rewritten, and still theirs, as is what was made on the way.
        try append(with: DiskCalls())
        for name in ["events", "changes"] {
            #expect(stat(path + "/" + name, &status) == 0)
            #expect(status.st_uid == user)
            #expect(status.st_gid == user)
        }

        chown(path + "/events", 0, 0)
        #expect(throws: JournalError.foreignOwner(path: path + "/events")) { try append(with: DiskCalls()) }
        for name in ["events", "lock", "changes", "VERSION"] { unlink(path + "/" + name) }
        rmdir(path)
    }

    @Test(
        "File systems of the network and of user space are not local",
        arguments: [
            (0xEF53, true), (0x0102_1994, true), (0x5846_5342, true), (0x6969, false), (0x6573_5546, false),
            (0x00C3_6400, false),
        ]
    )
    func local(type: Int, isLocal: Bool) {
        #expect(JournalFolder.isLocal(fileSystem: type) == isLocal)
    }

    private func create(at path: String, _ journals: [String] = ["events"]) throws {
        try JournalFolder.create(at: path, kind: "test", version: 1, journals: journals)
    }
}
