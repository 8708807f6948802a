import Glibc
import Synchronization
import Testing

@testable import Journal

/// What becomes of one call that a store makes.
struct CallFault: CustomTestStringConvertible, Sendable {
    /// Calls of ``System`` by the names of the system's own.
    enum Call: String, CaseIterable {
        case open, status, read, write, fdatasync, fsync, truncate, allocate, chmod, lock, lockFolder, replace, names,
            mkdir
        case rename, unlink
    }

    enum Outcome: Sendable {
        /// The process is no more: neither this call nor any after it has an effect.
        case kill
        case error(Int32)
        /// A write or a read of so many bytes, of which nobody says that it was not all.
        case short(Int)
        /// So many bytes are said to be written, and none is.
        case claimed(Int)
    }

    let call: Call
    let outcome: Outcome
    /// Whether it stays, from that call on.
    var lasts = false

    var testDescription: String { "\(call.rawValue) \(outcome)\(lasts ? " from then on" : "")" }

    /// Whether who does all the same what was asked for has told a lie.
    var isFatal: Bool {
        guard case .error(let number) = outcome, number != EINTR else { return false }
        return [.write, .fdatasync, .truncate, .fsync, .rename].contains(call)
    }

    var isKill: Bool { if case .kill = outcome { true } else { false } }

    /// Each call killed, and failing once and for ever.
    static func all(_ calls: [Call], errors: [Int32] = [EIO]) -> [CallFault] {
        calls.flatMap { call in
            [CallFault(call: call, outcome: .kill), CallFault(call: call, outcome: .error(EIO), lasts: true)]
                + errors.map { CallFault(call: call, outcome: .error($0)) }
        }
    }
}

/// The system as one process sees it in which one call fails, or is the last one. What is killed unwinds in this process, without
/// any effect on files; its locks go with its descriptors.
final class FailingCalls: LinuxCalls {
    private struct State {
        var made = 0
        var isKilled = false
        /// Paths of what was hit.
        var hits: [String] = []
        var hasHitClock = false
        var paths: [Int32: String] = [:]
    }

    private let fault: CallFault
    private let number: Int
    private let file: String?
    private let state = Mutex(State())

    /// - Parameters:
    ///   - number: Which of the calls is hit, from 1 on.
    ///   - file: How the path ends whose calls count; nil: all of them.
    init(_ fault: CallFault, at number: Int, of file: String? = nil) {
        self.fault = fault
        self.number = number
        self.file = file
    }

    var isKilled: Bool { state.withLock(\.isKilled) }

    /// Paths of the files of which a call failed, or was the last one.
    var hits: [String] { state.withLock(\.hits) }

    /// Whether memory that may be lost was hit, or what time it is: without them a store is slower, or believes more, and no worse.
    var hasHitMemory: Bool { state.withLock { $0.hasHitClock || $0.hits.contains { $0.contains("/changes") } } }

    private func path(_ descriptor: Int32) -> String { state.withLock { $0.paths[descriptor] ?? "" } }

    /// - Returns: What becomes of the call; nil: it is made. Once the process is killed every call fails.
    private func outcome(of call: CallFault.Call, _ path: String) -> CallFault.Outcome? {
        state.withLock { state in
            if state.isKilled { return .error(EIO) }
            guard call == fault.call, file.map({ path.hasSuffix($0) }) ?? true else { return nil }
            state.made += 1
            guard fault.lasts ? state.made >= number : state.made == number else { return nil }
            state.hits.append(path)
            if fault.isKill {
                state.isKilled = true
                return .error(EIO)
            }
            return fault.outcome
        }
    }

    /// For calls that are made or fail.
    private func fails(_ call: CallFault.Call, _ path: String) -> Bool {
        guard case .error(let number) = outcome(of: call, path) else { return false }
        errno = number
        return true
    }

    // MARK: Files

    func open(_ path: String, _ flags: Int32) -> Int32 {
        if fails(.open, path) { return -1 }
        let descriptor = Linux().open(path, flags)
        if descriptor >= 0 { state.withLock { $0.paths[descriptor] = path } }
        return descriptor
    }

    func status(of descriptor: Int32) -> FileStatus? {
        fails(.status, path(descriptor)) ? nil : Linux().status(of: descriptor)
    }

    func status(at path: String, followsLinks: Bool) -> FileStatus? {
        fails(.status, path) ? nil : Linux().status(at: path, followsLinks: followsLinks)
    }

    func read(_ descriptor: Int32, into bytes: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int {
        if fails(.read, path(descriptor)) { return -1 }
        return Linux().read(descriptor, into: bytes, at: offset)
    }

    func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int64) -> Int {
        switch outcome(of: .write, path(descriptor)) {
        case nil, .kill: return Linux().write(descriptor, bytes, at: offset)
        case .error(let number):
            if bytes.starts(with: "clock\t".utf8) { state.withLock { $0.hasHitClock = true } }
            errno = number
            return -1
        case .short(let count):
            return Linux().write(descriptor, UnsafeRawBufferPointer(rebasing: bytes.prefix(count)), at: offset)
        case .claimed(let count): return min(count, bytes.count)
        }
    }

    func sync(_ descriptor: Int32, isFolder: Bool) -> Int32 {
        fails(isFolder ? .fsync : .fdatasync, path(descriptor)) ? -1 : Linux().sync(descriptor, isFolder: isFolder)
    }

    func truncate(_ descriptor: Int32, to size: Int64) -> Int32 {
        fails(.truncate, path(descriptor)) ? -1 : Linux().truncate(descriptor, to: size)
    }

    func allocate(_ descriptor: Int32, _ size: Int64) -> Int32 {
        fails(.allocate, path(descriptor)) ? errno : Linux().allocate(descriptor, size)
    }

    func setMode(of descriptor: Int32, _ mode: UInt32) -> Int32 {
        fails(.chmod, path(descriptor)) ? -1 : Linux().setMode(of: descriptor, mode)
    }

    func setOwner(of descriptor: Int32, _ owner: UInt32, _ group: UInt32) -> Int32 {
        isKilled ? -1 : Linux().setOwner(of: descriptor, owner, group)
    }

    func lock(_ descriptor: Int32, byte: Int64, _ isTaken: Bool) -> Int32 {
        fails(.lock, path(descriptor)) ? -1 : Linux().lock(descriptor, byte: byte, isTaken)
    }

    func lockFolder(_ descriptor: Int32) -> Int32 {
        fails(.lockFolder, path(descriptor)) ? -1 : Linux().lockFolder(descriptor)
    }

    func replace(_ descriptor: Int32, with other: Int32) -> Int32 {
        if fails(.replace, path(other)) { return -1 }
        let result = Linux().replace(descriptor, with: other)
        if result >= 0 { state.withLock { $0.paths[descriptor] = $0.paths[other] } }
        return result
    }

    // MARK: Names

    func names(in path: String) -> [String]? { fails(.names, path) ? nil : Linux().names(in: path) }

    func makeFolder(_ path: String) -> Int32 { fails(.mkdir, path) ? -1 : Linux().makeFolder(path) }

    func setMode(at path: String, _ mode: UInt32) -> Int32 {
        fails(.chmod, path) ? -1 : Linux().setMode(at: path, mode)
    }

    func rename(_ path: String, to other: String, isNew: Bool) -> Int32 {
        fails(.rename, other) ? -1 : Linux().rename(path, to: other, isNew: isNew)
    }

    func unlink(_ path: String) -> Int32 { fails(.unlink, path) ? -1 : Linux().unlink(path) }

    func removeFolder(_ path: String) -> Int32 { isKilled ? -1 : Linux().removeFolder(path) }

    func removeTree(_ path: String) { if !isKilled { Linux().removeTree(path) } }

    // MARK: Time

    /// For a process that is killed time flies, so that it waits for nothing.
    func elapsedTime() -> Int64 { isKilled ? .max / 2 : Linux().elapsedTime() }

    func pause(microseconds: UInt32) { if !isKilled { Linux().pause(microseconds: microseconds) } }
}
