import Dispatch
import Glibc
import Synchronization
import Testing

@testable import Journal

/// What the disk may hold after a power cut is made from the calls that were recorded: all that a sync has covered, and
/// of what came later any part, in any order.
@Suite("Power cuts", .timeLimit(.minutes(LongTests.are ? 600 : 20)))
struct PowerCutTests {
    @Test("Whatever the disk has of what was not synced, everything acknowledged is there and nothing out of order")
    func appends() throws {
        var states = 0
        var deepest = 0
        var times = 0
        // Whether two writers share a sync depends on how they run.
        repeat {
            try appends(&states, &deepest)
            times += 1
        } while LongTests.are ? states < 1_000_000 : times < 20 && (deepest < 2 || states < 2000)
        #expect(states > (LongTests.are ? 5000 : 2000))
        #expect(deepest > 1, "no two writers shared a sync")
    }

    private func appends(_ states: inout Int, _ deepest: inout Int) throws {
        let folder = try TemporaryFolder()
        let empty = try folder.bytes()
        let disk = RecordingDisk()
        let rounds = LongTests.are ? 5 : 2
        let processes = try (0..<2).map { _ in try folder.open(calls: disk.calls) }
        try processes[0].append(["first"])
        let group = DispatchGroup()
        for writer in 0..<4 {
            DispatchQueue(label: "writer \(writer)").async(group: group) {
                for round in 0..<rounds {
                    let text = "\(writer).\(round)"
                    guard (try? processes[writer % 2].append([text])) != nil else { continue }
                    disk.acknowledged(text)
                }
            }
        }
        group.wait()
        let order = try folder.open().read()
        #expect(order.count == 1 + 4 * rounds)

        let steps = disk.steps
        #expect(steps.count { if case .acknowledged = $0 { true } else { false } } == 4 * rounds)
        for end in 0...steps.count {
            let past = Past(steps.prefix(end), from: empty)
            deepest = max(deepest, past.unsynced.count)
            for (number, state) in past.states().enumerated() {
                states += 1
                try folder.setBytes(state)
                let found = try folder.open().read()
                #expect(found == Array(order.prefix(found.count)))
                #expect(past.acknowledged.isSubset(of: found), "step \(end), state \(number)")
                guard number % 16 == 0 else { continue }
                try folder.open().append(["later"])
                #expect(try folder.open().read() == found + ["later"])
            }
        }
    }
}

/// What had happened until some moment.
private struct Past {
    var synced: [UInt8]
    var unsynced: [(offset: Int, bytes: [UInt8])] = []
    var acknowledged: Set<String> = []

    init(_ steps: ArraySlice<RecordingDisk.Step>, from bytes: [UInt8]) {
        synced = bytes
        var covered = 0
        for step in steps {
            if case .synced(let writes) = step { covered = max(covered, writes) }
        }
        var writes = 0
        for step in steps {
            switch step {
            case .write(let offset, let bytes):
                writes += 1
                if writes <= covered {
                    Self.put(bytes, at: offset, in: &synced)
                } else {
                    unsynced.append((offset, bytes))
                }
            case .synced: break
            case .acknowledged(let text): acknowledged.insert(text)
            }
        }
    }

    /// Each subset of the unsynced writes; each with one of them torn at every byte; each with what is missing as
    /// zeros, where the size had been written.
    func states() -> [[UInt8]] {
        var states: [[UInt8]] = []
        for subset in 0..<(1 << min(unsynced.count, 6)) {
            let chosen = unsynced.indices.filter { $0 < 6 && subset & 1 << $0 != 0 }
            states.append(state(chosen))
            if let end = unsynced.last.map({ $0.offset + $0.bytes.count }) {
                states.append(state(chosen) + [UInt8](repeating: 0, count: max(0, end - state(chosen).count)))
            }
            for torn in chosen {
                for length in unsynced[torn].bytes.indices { states.append(state(chosen, torn: torn, at: length)) }
            }
        }
        return states
    }

    private func state(_ chosen: [Int], torn: Int? = nil, at length: Int = 0) -> [UInt8] {
        var state = synced
        for number in chosen {
            let (offset, bytes) = unsynced[number]
            Self.put(number == torn ? Array(bytes.prefix(length)) : bytes, at: offset, in: &state)
        }
        return state
    }

    private static func put(_ bytes: [UInt8], at offset: Int, in file: inout [UInt8]) {
        let end = offset + bytes.count
        if file.count < end { file += [UInt8](repeating: 0, count: end - file.count) }
        file.replaceSubrange(offset..<end, with: bytes)
    }
}

/// Notes what is written and synced, and lets others write while it syncs.
private final class RecordingDisk: Sendable {
    enum Step {
        case write(offset: Int, [UInt8])
        /// A sync that has ended, and how many writes had been done when it began.
        case synced(writes: Int)
        case acknowledged(String)
    }

    private let state = Mutex<(steps: [Step], writes: Int)>(([], 0))

    var steps: [Step] { state.withLock { $0.steps } }

    func acknowledged(_ text: String) { state.withLock { $0.steps.append(.acknowledged(text)) } }

    var calls: DiskCalls {
        var calls = DiskCalls()
        calls.write = { descriptor, bytes, offset in
            self.state.withLock { state in
                let count = pwrite(descriptor, bytes.baseAddress, bytes.count, off_t(offset))
                state.writes += 1
                state.steps.append(.write(offset: Int(offset), Array(bytes)))
                return count
            }
        }
        calls.sync = { descriptor in
            let writes = self.state.withLock { $0.writes }
            // Until another has written, or all others wait for this one.
            for _ in 0..<20 where self.state.withLock({ $0.writes < writes + 2 }) { usleep(200) }
            self.state.withLock { $0.steps.append(.synced(writes: writes)) }
            return 0
        }
        return calls
    }
}
