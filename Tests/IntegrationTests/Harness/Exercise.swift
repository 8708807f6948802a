import Foundation
import Postern
import Testing

/// Processes of `store-exerciser` on one store, and what their histories say.
struct Exercise {
    let site: FaultySite
    private let folder: String

    init() throws {
        site = try FaultySite()
        folder = site.folder + "/histories"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    }

    private static let binary = Site.products + "/store-exerciser"

    /// - Parameters:
    ///   - seconds: How long it goes on; 0: until it is killed.
    ///   - writes: Of a hundred things that it does, those that are writes.
    func start(_ name: String, seconds: Int, threads: Int, writes: Int) throws -> Child {
        let arguments = [site.store, folder, name, "\(seconds)", "\(threads)", "\(writes)"]
        return try Child(Self.binary, arguments, log: site.folder + "/exerciser.log")
    }

    var log: String { (try? String(contentsOfFile: site.folder + "/exerciser.log", encoding: .utf8)) ?? "" }

    /// Adds what has come since the last time.
    func read(into history: inout History) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasPrefix("history-") {
            let file = try #require(FileHandle(forReadingAtPath: folder + "/" + name))
            try file.seek(toOffset: history.offsets[name] ?? 0)
            let bytes = try file.readToEnd() ?? Data()
            guard let end = bytes.lastIndex(of: 0x0A) else { continue }
            for line in bytes[..<end].split(separator: 0x0A) { history.add(line) }
            history.offsets[name, default: 0] += UInt64(end - bytes.startIndex + 1)
        }
    }

    /// What was done and seen, and whether that could be if everything had happened at one moment between its begin and
    /// its end, in one process (linearizability).
    struct History {
        private struct Life {
            var issued: UInt64?
            var revoking = UInt64.max
            var revoked = UInt64.max
            var revocations = 0
        }

        private struct Look {
            let id: Int64
            let isGood: Bool
            let begin, end: UInt64
        }

        private struct Name {
            var firstBegin = UInt64.max
            var winners = 0
            var isTaken = false
            var earliestLoss = UInt64.max
        }

        private var lives: [Int64: Life] = [:]
        private var looks: [Look] = []
        private var names: [Int64: Name] = [:]
        /// Up to where the files were read.
        fileprivate var offsets: [String: UInt64] = [:]
        private(set) var failures: [String] = []
        private(set) var operations = 0
        /// Writes that waited for too long and were refused.
        private(set) var refusals = 0
        var writes: Int { lives.values.reduce(0) { $0 + ($1.issued == nil ? 0 : 1) + $1.revocations } }
        /// Names for which more than one tried.
        private(set) var races = 0

        mutating func add(_ line: Data.SubSequence) {
            let columns = line.split(separator: 0x20, maxSplits: 3)
            let numbers = columns.dropFirst().map { UInt64(String(decoding: $0, as: UTF8.self)) ?? 0 }
            guard let verb = columns.first, let id = numbers.first.map({ Int64($0) }), numbers.count >= 2 else {
                return failures.append(String(decoding: line, as: UTF8.self))
            }
            let (begin, end) = (numbers[1], numbers.count > 2 ? numbers[2] : 0)
            if end > 0 { operations += 1 }
            switch String(decoding: verb, as: UTF8.self) {
            case "issued":
                if lives[id]?.issued != nil { failures.append("token \(id) was issued twice") }
                lives[id, default: Life()].issued = end
            case "revoking": lives[id, default: Life()].revoking.lower(to: begin)
            case "revoked":
                lives[id, default: Life()].revoked = end
                lives[id]?.revocations += 1
            case "good": looks.append(Look(id: id, isGood: true, begin: begin, end: end))
            case "gone": looks.append(Look(id: id, isGood: false, begin: begin, end: end))
            case "adding":
                if names[id] != nil { races += 1 }
                names[id, default: Name()].firstBegin.lower(to: begin)
            case "added": names[id, default: Name()].winners += 1
            case "taken":
                names[id, default: Name()].isTaken = true
                names[id]?.earliestLoss.lower(to: end)
            case "busy": refusals += 1
            default: failures.append(String(decoding: line, as: UTF8.self))
            }
        }

        /// - Parameter wereKilled: Whether what a process did last may be unknown.
        func violations(wereKilled: Bool = false) -> [String] {
            var found: [String] = []
            var firstGone: [Int64: UInt64] = [:]
            for look in looks where !look.isGood {
                let life = lives[look.id] ?? Life()
                firstGone[look.id, default: .max].lower(to: look.end)
                if let issued = life.issued, look.begin > issued, look.end < life.revoking {
                    found.append("token \(look.id) was not there")
                }
            }
            for look in looks where look.isGood {
                let life = lives[look.id] ?? Life()
                if look.begin > life.revoked { found.append("token \(look.id) lived on") }
                if look.begin > firstGone[look.id] ?? .max { found.append("token \(look.id) came back") }
            }
            for (id, life) in lives where life.revocations > 1 { found.append("token \(id) was revoked twice") }
            for (number, name) in names {
                if name.winners > 1 { found.append("name \(number) was given \(name.winners) times") }
                if name.winners == 0, name.isTaken, !wereKilled { found.append("name \(number) was given to nobody") }
                if name.earliestLoss < name.firstBegin { found.append("name \(number) was taken before anybody tried") }
            }
            return found
        }

        /// What a store that is opened now has to hold, and has to hold no more.
        func violations(of store: Store) throws -> [String] {
            let there = Set(try store.allTokens().map(\.id))
            var found: [String] = []
            for (id, life) in lives {
                if life.issued != nil, life.revoking == .max, !there.contains(id) {
                    found.append("token \(id) is lost")
                }
                if life.revocations > 0, there.contains(id) { found.append("token \(id) is alive again") }
            }
            let names = Set(try store.allUsers().map { String(decoding: $0.username.bytes, as: UTF8.self) })
            for (number, name) in self.names where name.winners > 0 && !names.contains("user-\(number)") {
                found.append("user-\(number) is lost")
            }
            return found
        }
    }
}

extension UInt64 {
    fileprivate mutating func lower(to other: UInt64) { self = Swift.min(self, other) }
}
