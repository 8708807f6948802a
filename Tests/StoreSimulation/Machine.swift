import Glibc

/// The simulated computer: its disk, clocks and boots, what fails on it, and which of its processes has its turn.
final class Machine {
    var random: Seeded
    let disk = Disk(size: 1 << 22)
    let turns = Turns()
    private(set) var boot: [UInt8] = []
    /// Microseconds since the boot, since the beginning of the simulation, and since 1970 as the system's clock says.
    private(set) var elapsed: Int64 = 0
    private(set) var age: Int64 = 0
    var real: Int64 = 1_800_000_000_000_000
    var isSynchronized = false
    /// How often a call fails, in thousandths, and how many are left to fail.
    var faults = (rate: 0, left: 0)
    /// Whether one has, since somebody said no.
    var hasFailed = false
    /// In thousandths: how often another process has its turn after a call.
    var switching = 0
    /// Calls until the power is cut; nil: it stays.
    var untilPowerCut: Int?
    private(set) var processes: [SimulatedProcess] = []
    private var lastProcess: Int32 = 1000
    private var lastDescription = 0
    /// What was called, for whoever looks into a failure.
    var log: [String]?
    /// Of all calls and what they returned: the same seed leads to the same.
    private(set) var trace: UInt64 = 0

    init(_ seed: UInt64) {
        random = Seeded(seed)
        begin()
        for path in ["/", "/site"] {
            let folder = disk.make(path, isFolder: true, mode: 0o755)
            touch(folder)
        }
        disk.sync("/")
    }

    private func begin() {
        let digits = Array("0123456789abcdef".utf8)
        boot = (0..<32).map { _ in digits[random.below(16)] }
        elapsed = 1_000_000
    }

    func makeProcess() -> SimulatedProcess {
        lastProcess += 1
        processes.removeAll { $0.isOver }
        let process = SimulatedProcess(self, lastProcess)
        processes.append(process)
        return process
    }

    func description() -> Int {
        lastDescription += 1
        return lastDescription
    }

    func isAlive(_ process: Int32) -> Bool { processes.contains { $0.process == process && !$0.isOver } }

    func touch(_ inode: Inode, isContent: Bool = true) {
        // As coarse as that of a file system.
        inode.changed = real / 4000 * 4_000_000
        if isContent { inode.modified = inode.changed }
    }

    func pass(microseconds: Int64) {
        elapsed += microseconds
        age += microseconds
        real += microseconds
    }

    /// All that happens around a call, before it is done.
    func enter(_ call: @autoclosure () -> String, _ process: SimulatedProcess) {
        pass(microseconds: Int64(1 + random.below(20)))
        if let left = process.callsLeft {
            if left == 0 { process.kill() } else { process.callsLeft = left - 1 }
        }
        if let left = untilPowerCut {
            if left == 0 { cutPower() } else { untilPowerCut = left - 1 }
        }
        if switching > 0, random.happens(switching) { turns.yield(to: random.next()) }
        say("\(process.process) \(call())")
    }

    /// For whoever looks into a failure.
    func say(_ text: @autoclosure () -> String) { log?.append(text()) }

    func note(_ result: Int) {
        trace = (trace ^ UInt64(bitPattern: Int64(result))) &* 0x0000_0100_0000_01B3 &+ UInt64(elapsed)
        if let log, !log.isEmpty { self.log?[log.count - 1] += " = \(result)" }
    }

    func fails() -> Bool {
        guard faults.left > 0, random.happens(faults.rate) else { return false }
        faults.left -= 1
        hasFailed = true
        return true
    }

    func cutPower() {
        untilPowerCut = nil
        say("POWER CUT")
        endProcesses()
        disk.cutPower(&random)
        begin()
    }

    func reboot() {
        say("REBOOT")
        endProcesses()
        disk.shutDown()
        begin()
    }

    /// They and the machine hold each other.
    func endProcesses() {
        for process in processes { process.kill() }
        processes = []
    }
}
