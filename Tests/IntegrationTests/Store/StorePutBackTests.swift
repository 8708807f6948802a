import Foundation
import Glibc
import Postern
import Testing

/// A journal that is put back from a copy, in each way that people have, as each message says.
@Suite("A file put back by hand")
struct StorePutBackTests {
    enum Way: String, CaseIterable {
        case moveAndCopy = "mv STORE/tokens STORE/../aside && cp COPY/tokens STORE/tokens"
        case copy = "cp COPY/tokens STORE/tokens"
        case copyPreserving = "cp -p COPY/tokens STORE/tokens"
        case cat = "cat COPY/tokens > STORE/tokens"
        case install = "install COPY/tokens STORE/tokens"
        case tar = "tar -C COPY -cf - tokens | tar -C STORE -xf -"
        case removeAndCopy = "rm STORE/tokens; cp COPY/tokens STORE/tokens"
        case dd = "dd if=COPY/tokens of=STORE/tokens status=none"
        case moveOver = "cp COPY/tokens STORE/../new && mv STORE/../new STORE/tokens"
    }

    enum Fault: String, CaseIterable {
        case bit, shorter, zeros, gone, empty, foreign, none
    }

    /// Each way after a loss, and each fault with the two ways that leave another file or the same one.
    static let cases =
        Way.allCases.map { ($0, Fault.shorter) } + Fault.allCases.flatMap { [(Way.copy, $0), (Way.moveOver, $0)] }

    @Test("What each message says to do makes a store that can be used", arguments: cases)
    func remedies(way: Way, fault: Fault) throws {
        let site = try FaultySite()
        defer { site.remove() }
        func postern(_ arguments: [String]) throws -> Child.Finished {
            try Child.run(Site.binary, arguments, environment: ["POSTERN_STORE": site.store])
        }
        let (tokens, copy) = (site.store + "/tokens", site.folder + "/copy")
        for _ in 0..<4 { try postern(["token", "create", "ann"]).expectSuccess() }
        try postern(["store", "backup", copy]).expectSuccess()
        for _ in 0..<2 { try postern(["token", "create", "ann"]).expectSuccess() }
        try damage(tokens, fault)
        if fault != .none { #expect(try postern(["store", "check"]).code != 0) }
        let line = way.rawValue.replacing("STORE", with: site.store).replacing("COPY", with: copy)
        try Child.run("/bin/sh", ["-c", "umask 022; " + line]).expectSuccess()
        // What a person does who reads.
        for _ in 0..<4 {
            let checked = try postern(["store", "check"])
            if checked.code == 0 { break }
            if checked.error.contains("run chmod 600 ") {
                chmod(tokens, 0o600)
            } else {
                #expect(checked.error.contains("run postern store repair"), "\(checked.error)")
                let repaired = try postern(["store", "repair", "--yes"])
                #expect(repaired.code == 0, "\(repaired.error)")
            }
        }
        try postern(["store", "check"]).expectSuccess()
        let list = try JSONSerialization.jsonObject(with: Data(try postern(["token", "list", "--json"]).output.utf8))
        let ids = (list as? [[String: Any]])?.compactMap { $0["id"] as? Int64 } ?? []
        #expect(ids.count == 4)
        try postern(["token", "create", "ann"]).expectSuccess()
        let later = try #require(try Store(opening: site.store).allTokens().last)
        // The ids of those that are gone are nobody's.
        #expect(later.id > (ids.max() ?? 0) + 2)
    }

    private func damage(_ path: String, _ fault: Fault) throws {
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        switch fault {
        case .bit: bytes[bytes.count / 2] ^= 1
        case .shorter: bytes.removeLast(100)
        case .zeros: bytes.replaceSubrange((bytes.count - 200)..., with: [UInt8](repeating: 0, count: 200))
        case .empty: bytes = []
        case .foreign: bytes = Array("root:x:0:0::/root:/bin/sh\n".utf8)
        case .gone:
            unlink(path)
            return
        case .none: return
        }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.truncate(atOffset: 0)
        try file.write(contentsOf: Data(bytes))
        try file.close()
    }

    @Test("A repair says what is gone, as far as it can be read, and changes nothing where it is only asked")
    func told() throws {
        let site = try FaultySite()
        defer { site.remove() }
        func postern(_ arguments: [String]) throws -> Child.Finished {
            try Child.run(Site.binary, arguments, environment: ["POSTERN_STORE": site.store])
        }
        try postern(["user", "add", "bob", "--no-password"]).expectSuccess()
        try postern(["user", "disable", "bob"]).expectSuccess()
        let users = site.store + "/users"
        let text = try String(contentsOfFile: users, encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.contains("\tdisabled\t2\t") })
        // Another digit of its checksum.
        let damaged = text.replacing(line, with: line.dropLast() + (line.last == "0" ? "1" : "0"))
        try damaged.write(toFile: users, atomically: false, encoding: .utf8)
        let asked = try postern(["store", "repair", "--dry-run"])
        #expect(asked.code == 0, "\(asked.error)")
        #expect(asked.error.contains("users: not kept: disabled user 2, bob"), "\(asked.error)")
        #expect(try String(contentsOfFile: users, encoding: .utf8) == damaged)
        let refused = try postern(["store", "repair"])
        #expect(refused.code == 64, "\(refused.error)")
        #expect(refused.error.contains("--revoke-all"), "\(refused.error)")
        try postern(["store", "repair", "--yes", "--revoke-all"]).expectSuccess()
        let checked = try postern(["store", "check"])
        #expect(checked.code == 0, "\(checked.error)")
        #expect(checked.error.contains("users.dropped-"), "\(checked.error)")
        let ann = try #require(try Store(opening: site.store).user(site.ann.id))
        #expect(ann.epoch > site.ann.epoch)
    }
}
