import Foundation
import TestSupport

/// A folder as the disk may hold it after a power cut, made from the system calls that strace(1) recorded.
///
/// What a sync of a file has covered is there. Of what was written later any part is, in any order, torn anywhere; and
/// what a failed sync was about stays so for good, whatever succeeds later. A name is what it was made by any of the
/// changes that the last sync of the folder has not covered.
struct DiskModel {
    private struct Write {
        let offset: Int
        /// nil: the file ends there from then on.
        let bytes: [UInt8]?
        /// A sync of it failed.
        var isDoomed = false
    }

    private struct Inode {
        var synced: [UInt8]
        var writes: [Write] = []
    }

    private struct NameChange {
        let name: String
        /// nil: the name goes.
        let inode: Int?
        /// The name that goes at the same time.
        var from: String?
    }

    let folder: String
    private var inodes: [Inode] = []
    private var durableNames: [String: Int] = [:]
    private var nameChanges: [NameChange] = []
    /// As processes see it.
    private var names: [String: Int] = [:]

    /// All that is in a folder is on disk, but for the files that are not `isKept`.
    init(of folder: String, isKept: (String) -> Bool) throws {
        self.folder = folder
        for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() where isKept(name) {
            names[name] = inodes.count
            inodes.append(Inode(synced: Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name)))))
        }
        durableNames = names
    }

    // MARK: What happens

    /// - Returns: Whether the call changes what may be on disk.
    mutating func apply(_ call: TracedCall) throws -> Bool {
        guard call.result >= 0 || ["fdatasync", "fsync"].contains(call.name) else { return false }
        if call.name == "fsync", call.path == folder {
            guard call.result == 0 else { return false }
            for change in nameChanges { Self.apply(change, to: &durableNames) }
            nameChanges = []
            return true
        }
        guard let name = call.path.flatMap(name(of:)) else { return false }
        switch call.name {
        case "openat":
            guard call.arguments.contains("O_CREAT") else { return false }
            change(NameChange(name: name, inode: inodes.count))
            inodes.append(Inode(synced: []))
        case "rename":
            guard let target = call.secondPath.flatMap(self.name(of:)), let inode = names[name] else {
                throw HarnessError("rename from or to another folder: \(call)")
            }
            change(NameChange(name: target, inode: inode, from: name))
        case "unlink":
            change(NameChange(name: name, inode: nil))
        case "pwrite64", "ftruncate":
            guard let inode = names[name] else { return false }
            let bytes = call.bytes.map { Array($0.prefix(call.result)) }
            inodes[inode].writes.append(Write(offset: call.offset, bytes: bytes))
        case "fdatasync", "fsync":
            guard let inode = names[name] else { return false }
            sync(&inodes[inode], isGood: call.result == 0)
        default: return false
        }
        return true
    }

    private mutating func change(_ change: NameChange) {
        Self.apply(change, to: &names)
        nameChanges.append(change)
    }

    private static func apply(_ change: NameChange, to names: inout [String: Int]) {
        names[change.name] = change.inode
        if let from = change.from { names[from] = nil }
    }

    private func sync(_ inode: inout Inode, isGood: Bool) {
        if isGood {
            for write in inode.writes where !write.isDoomed { Self.put(write, in: &inode.synced) }
            inode.writes.removeAll { !$0.isDoomed }
        } else {
            for number in inode.writes.indices { inode.writes[number].isDoomed = true }
        }
    }

    /// Of a path right in the folder.
    private func name(of path: String) -> String? {
        guard path.hasPrefix(folder + "/"), !path.hasSuffix(" (deleted)") else { return nil }
        let name = path.dropFirst(folder.count + 1)
        return name.contains("/") || name == "lock" ? nil : String(name)
    }

    private static func put(_ write: Write, in file: inout [UInt8]) {
        let end = write.offset + (write.bytes?.count ?? 0)
        if file.count < end || write.bytes == nil && file.count < write.offset {
            file += [UInt8](repeating: 0, count: end - file.count)
        }
        if let bytes = write.bytes {
            file.replaceSubrange(write.offset..<end, with: bytes)
        } else {
            file.removeLast(file.count - write.offset)
        }
    }

    // MARK: What may be left of it

    typealias State = [String: [UInt8]]

    /// Hands over each state.
    /// - Parameter step: Bytes between the places at which a write is torn.
    func forEachState(tearingEvery step: Int, _ body: (State) throws -> Void) throws {
        for subset in 0..<(1 << min(nameChanges.count, 5)) {
            var names = durableNames
            for (number, change) in nameChanges.enumerated() where number >= 5 || subset & 1 << number != 0 {
                Self.apply(change, to: &names)
            }
            let whole = names.mapValues { contents(of: inodes[$0], having: { _ in true }) }
            try body(whole)
            for (name, inode) in names where !inodes[inode].writes.isEmpty {
                for contents in possibleContents(of: inodes[inode], tearingEvery: step) {
                    var state = whole
                    state[name] = contents
                    try body(state)
                }
            }
        }
    }

    private func contents(of inode: Inode, having isThere: (Int) -> Bool) -> [UInt8] {
        var bytes = inode.synced
        for (number, write) in inode.writes.enumerated() where isThere(number) { Self.put(write, in: &bytes) }
        return bytes
    }

    /// Each subset of the writes, each with zeros up to the size that all would make, each with one write torn.
    private func possibleContents(of inode: Inode, tearingEvery step: Int) -> [[UInt8]] {
        var states: [[UInt8]] = []
        let size = contents(of: inode) { _ in true }.count
        let first = max(0, inode.writes.count - 5)
        for subset in 0..<(1 << (inode.writes.count - first)) {
            func isThere(_ number: Int) -> Bool { number < first || subset & 1 << (number - first) != 0 }
            let state = contents(of: inode, having: isThere)
            states.append(state)
            if state.count < size { states.append(state + [UInt8](repeating: 0, count: size - state.count)) }
            for number in inode.writes.indices where isThere(number) {
                guard let bytes = inode.writes[number].bytes else { continue }
                for length in stride(
                    from: step == 1 ? 1 : Int.random(in: 1...step, using: &seeded),
                    to: bytes.count,
                    by: step
                ) {
                    var torn = inode
                    torn.writes[number] = Write(offset: inode.writes[number].offset, bytes: Array(bytes[..<length]))
                    states.append(contents(of: torn, having: isThere))
                }
            }
        }
        return states
    }
}

/// A line that `strace -f -y -xx` wrote.
struct TracedCall: CustomStringConvertible {
    let name: String
    let arguments: String
    let result: Int
    /// Of the descriptor, or the name that was given.
    let path: String?
    let secondPath: String?
    let bytes: [UInt8]?
    let offset: Int

    var description: String { "\(name)(\(path ?? ""), \(secondPath ?? "")) = \(result)" }

    /// nil for what is no call.
    init?(_ line: Substring) {
        guard let match = line.firstMatch(of: /^\d+ +([a-z0-9]+)\((.*)\) += (-?\d+)/) else { return nil }
        name = String(match.1)
        arguments = String(match.2)
        result = Int(match.3) ?? -1
        let texts = match.2.matches(of: /"((?:\\x[0-9a-f]{2})*)"/).map { Self.bytes($0.1) }
        let descriptor = match.2.firstMatch(of: /^\d+<((?:\\x[0-9a-f]{2})*)>/).map { Self.bytes($0.1) }
        path = (descriptor ?? texts.first).map { String(decoding: $0, as: UTF8.self) }
        secondPath = texts.count > 1 ? String(decoding: texts[1], as: UTF8.self) : nil
        bytes = descriptor == nil ? nil : texts.first
        offset = match.2.split(separator: ",").last.flatMap { Int($0.trimmingCharacters(in: .whitespaces)) } ?? 0
    }

    private static func bytes(_ text: Substring) -> [UInt8] {
        text.split(separator: "\\x").compactMap { UInt8($0, radix: 16) }
    }
}
