import Journal
import Postern

/// Plays one plan, and holds what the store answers against the model.
final class Simulation {
    let machine: Machine
    let model = Model()
    private let plan: Plan
    private var slots: [Slot] = []
    /// What was kept of the store: bytes by the names of files.
    private var kept: [String: [UInt8]]?
    /// Where the last backup is.
    var backup: String?
    private var lastBackup = 0
    private var lastReplacement = 0
    /// Whether somebody has changed a file of the store since it was last whole.
    private var isDamaged = false
    /// Whether what the lock file knows may have been lost: then nobody can tell all of what was cut off or put back.
    private var isLockDoubtful = false { didSet { model.isClockDoubtful = isLockDoubtful } }

    static let store = "/site/store"

    /// A place for a process, which begins anew after its end.
    private struct Slot {
        var process: SimulatedProcess
        var store: Store?
    }

    init(_ plan: Plan, seed: UInt64) {
        self.plan = plan
        machine = Machine(seed)
    }

    /// - Returns: What cannot be true; nil: all is well.
    func run() -> String? {
        defer {
            slots = []
            machine.endProcesses()
        }
        do {
            try Store.create(at: Self.store, machine.makeProcess())
        } catch {
            return "A store cannot be made: \(error)"
        }
        for (number, round) in plan.rounds.enumerated() {
            machine.say("ROUND \(number): \(round)")
            machine.random = Seeded(round.seed)
            play(round)
            finish(round)
            if let violation = model.violation { return "round \(number): \(violation)" }
        }
        conclude()
        return model.violation.map { "at the end: \($0)" }
    }

    // MARK: A round

    private func play(_ round: Plan.Round) {
        if let hand = round.hand { perform(hand, round) }
        while slots.count < round.steps.count { slots.append(Slot(process: machine.makeProcess(), store: nil)) }
        let boots = machine.boot
        machine.switching = round.switching
        machine.faults = round.faults
        machine.untilPowerCut = round.powerCut
        if let kill = round.kill { slots[kill.process].process.callsLeft = kill.calls }
        let bodies = round.steps.indices.map { number in
            { for step in round.steps[number] { self.take(step, number) } }
        }
        machine.turns.run(bodies, first: machine.random.next())
        if machine.untilPowerCut == 0 || boots != machine.boot { rebooted(isOrderly: false) }
        machine.switching = 0
        machine.faults = (0, 0)
        machine.untilPowerCut = nil
        for number in slots.indices { slots[number].process.callsLeft = nil }
        replaceProcesses()
    }

    private func replaceProcesses() {
        for number in slots.indices where slots[number].process.isOver {
            slots[number].store = nil
            slots[number].process = machine.makeProcess()
        }
    }

    private func rebooted(isOrderly: Bool) {
        clockIsBelieved()
        if !isOrderly {
            isLockDoubtful = true
            if isDamaged {
                model.lost(canRevive: true)
                model.isOlder = true
            }
        }
    }

    /// By the first of a boot, and of a store that was put back beside no lock file.
    private func clockIsBelieved() {
        model.boots += 1
        if model.jumps > 0 { reviveClaims() }
    }

    private func take(_ step: Plan.Step, _ number: Int) {
        let process = slots[number].process
        guard !process.isOver else { return }
        machine.say("\(process.process) STEP \(step)")
        if step == .reopen {
            slots[number].store = nil
            return
        }
        if step == .replaceLock { return replaceLock() }
        if case .command(let step) = step { return command(step) }
        do {
            let store: Store
            if let known = slots[number].store {
                store = known
            } else {
                store = try Store(opening: Self.store, unsaved: 0, system: process)
                slots[number].store = store
            }
            try Actor(self, store, process).take(step)
        } catch {
            // What fails for no reason that is known here is looked into when the round is over.
            refused(error, process, step)
        }
    }

    private func command(_ step: Plan.Step) {
        let process = machine.makeProcess()
        defer { process.kill() }
        do {
            let store = try Store(opening: Self.store, unsaved: 0, system: process, readsAll: false)
            try Actor(self, store, process).take(step)
        } catch {
            refused(error, process, step)
        }
    }

    private func refused(_ error: any Error, _ process: SimulatedProcess, _ step: Plan.Step) {
        guard !process.isOver, !isDamaged, machine.disk.taken == 0, !machine.hasFailed else { return }
        model.violated("\(step) fails: \(error)")
    }

    /// As a program does that copies files with the help of another name.
    private func replaceLock() {
        let path = Self.store + "/lock"
        guard let old = machine.disk[path] else { return }
        lastReplacement += 1
        let copy = machine.disk.make(path + ".copy", isFolder: false, mode: 0o600)
        let bytes = old.bytes
        machine.turns.yield(to: machine.random.next())
        copy.write(bytes, at: 0)
        machine.touch(copy)
        machine.turns.yield(to: machine.random.next())
        machine.disk.rename(path + ".copy", to: path)
        isLockDoubtful = true
    }

    /// Another one each time.
    func pathOfBackup() -> String {
        lastBackup += 1
        return "/site/backup\(lastBackup)"
    }

    // MARK: What follows on a round

    /// Sees to it that the store can be opened again, as a person would who reads what is said.
    private func finish(_ round: Plan.Round) {
        machine.hasFailed = false
        // As long as the disk is full nothing is expected.
        guard machine.disk.taken == 0 else { return }
        var said: [String] = []
        for _ in 0..<4 {
            let process = machine.makeProcess()
            defer { process.kill() }
            do {
                let store = try Store(opening: Self.store, unsaved: 0, system: process)
                try lookAtAll(store)
                try store.check()
                // Also for whoever was there before, when they have looked: once a second at what they have mapped.
                machine.pass(microseconds: isDamaged ? 1_100_000 : 20_000)
                for slot in slots { if let store = slot.store { try lookAtAll(store) } }
                // A live process has told what a new one takes for an unfinished end, where nobody knows what was synced: once
                // it writes, that end is damage in the middle.
                if isDamaged, isLockDoubtful {
                    for slot in slots { slot.process.kill() }
                    replaceProcesses()
                }
                isDamaged = false
                return
            } catch StoreError.journal(.wrongIndex(let path)) where isDamaged {
                // As the message says.
                said.append(path)
                machine.disk.unlink(path)
                machine.disk.sync(Self.store)
            } catch {
                said.append("\(error)")
                guard isDamaged else { return model.violated("a store that nobody has damaged is refused: \(error)") }
                repair(revokingAll: round.revokesAll)
            }
        }
        model.violated("what is said does not help: \(said)")
    }

    private func repair(revokingAll: Bool) {
        let process = machine.makeProcess()
        defer { process.kill() }
        model.lost(canRevive: true)
        do {
            let results = try Store.repair(at: Self.store, revokingAll: revokingAll, process)
            machine.say("REPAIRED \(results)")
        } catch StoreError.journal(.foreignFile(let path)) {
            // As the message says.
            machine.disk.rename(path, to: path + ".aside")
        } catch {
            return model.violated("a repair fails: \(error)")
        }
        if revokingAll { model.endedAll() }
    }

    /// Asks for everything that was ever issued.
    private func lookAtAll(_ store: Store) throws {
        try store.checkReadable()
        for credential in model.credentials { try look(credential, store) }
        for account in model.accounts {
            guard let id = account.id, !account.exists.no || !account.exists.yes else { continue }
            let found = try store.user(id)
            if let found, found.passwordHash?.hasPrefix(account.mark) ?? false {
                if !account.exists.yes { model.violated("\(account.mark)is there, and was deleted") }
                if !account.isActive.yes, found.isActive {
                    model.violated("\(account.mark)is active, and was disabled")
                }
            } else if !account.exists.no {
                model.violated("\(account.mark)is gone")
            }
        }
    }

    func look(_ credential: Model.Credential, _ store: Store) throws {
        let before = model.possible(credential, age: machine.age)
        let owner = try owner(of: credential, store)
        model.judge(credential, before: before, after: model.possible(credential, age: machine.age), opens: owner)
    }

    /// What the user's hash says whom a credential opens; nil: nobody.
    private func owner(of credential: Model.Credential, _ store: Store) throws -> String? {
        switch credential.kind {
        case .token(let secret, _):
            guard let token = try store.token(secret.digest), let user = try store.user(token.user),
                token.isGood(for: user, at: store.now())
            else { return nil }
            return user.passwordHash
        case .session(let key, _):
            guard let session = try store.session(key.digest), let user = try store.user(session.user),
                session.isGood(for: user, at: store.now())
            else { return nil }
            return user.passwordHash
        case .claims(let id, let epoch, let name):
            guard let user = try store.user(id), user.isActive, user.epoch == epoch, try !store.isRevoked(name)
            else { return nil }
            return user.passwordHash
        }
    }

    /// At the end everything works again, and whoever comes is nobody else.
    private func conclude() {
        machine.disk.taken = 0
        machine.say("CONCLUSION")
        finish(Plan.Round(seed: 0, steps: []))
        guard model.violation == nil else { return }
        let process = machine.makeProcess()
        do {
            let store = try Store(opening: Self.store, unsaved: 0, system: process)
            let actor = Actor(self, store, process)
            for name in 0..<4 { try actor.take(.add(name: name)) }
            try actor.take(.issue(model.accounts.count - 1, seconds: nil))
            for step in [Plan.Step.compact, .look(0)] { try actor.take(step) }
            try lookAtAll(store)
            // What was killed or failed has left nothing: whoever opens the store removes it.
            for name in machine.disk.names(in: Self.store) where name.contains(".new") {
                model.violated("\(name) is left over")
            }
        } catch {
            model.violated("a store that is whole cannot be used: \(error)")
        }
    }

    // MARK: What a person does

    private func perform(_ hand: Plan.Hand, _ round: Plan.Round) {
        switch hand {
        case .reboot:
            machine.reboot()
            rebooted(isOrderly: true)
            replaceProcesses()
        case .jump(let seconds):
            machine.real += seconds * 1_000_000
            model.jumps += 1
            // Whoever believes a clock that is far ahead, as the first of a boot does, forgets revocations which have ended by then.
            if machine.isSynchronized || model.boots > 0, seconds > 86_400 { reviveClaims() }
        case .follow(let isSynchronized):
            machine.isSynchronized = isSynchronized
            model.jumps += 1
            if isSynchronized { reviveClaims() }
        case .fill(let free): machine.disk.taken = max(1, machine.disk.free - free)
        case .empty: machine.disk.taken = 0
        case .keep:
            kept = [:]
            for name in machine.disk.names(in: Self.store) where name != "keys" {
                kept?[name] = machine.disk[Self.store + "/" + name]?.bytes
            }
        case .putBack(let file, let way):
            guard let kept, let name = self.file(file, of: kept.keys.sorted()) else { return }
            put(kept[name] ?? [], name, way)
        case .putBackAll:
            guard let kept else { return }
            model.lost(canRevive: true)
            model.isOlder = true
            // Their ids may be others' from now on.
            for account in model.accounts { account.id = nil }
            for name in kept.keys.sorted() { put(kept[name] ?? [], name, .intoFile) }
            isDamaged = true
        case .damage(let file, let damage, let place):
            guard let name = self.file(file, of: machine.disk.names(in: Self.store)) else { return }
            self.damage(name, damage, place)
        case .repair:
            guard machine.disk.taken == 0 else { return }
            repair(revokingAll: round.revokesAll)
        case .setClock: setClock()
        case .restore: restore(revokingAll: round.revokesAll)
        case .killAll:
            for slot in slots { slot.process.kill() }
            replaceProcesses()
        case .wait(let seconds): machine.pass(microseconds: seconds * 1_000_000)
        }
    }

    private func reviveClaims() {
        for credential in model.credentials {
            if case .claims = credential.kind { credential.isGood.yes = true }
        }
    }

    /// One of those that a person may change and a program can do without.
    private func file(_ number: Int, of names: [String]) -> String? {
        let names = names.filter { $0 != "keys" && $0 != "VERSION" && machine.disk[Self.store + "/" + $0] != nil }
        return names.isEmpty ? nil : names[number % names.count]
    }

    private func put(_ bytes: [UInt8], _ name: String, _ way: Plan.Way) {
        let path = Self.store + "/" + name
        changed(name)
        switch way {
        case .intoFile:
            guard let inode = machine.disk[path] else { return put(bytes, name, .removedBefore) }
            inode.truncate(to: 0)
            inode.write(bytes, at: 0)
            machine.touch(inode)
        case .otherFile, .removedBefore:
            let other = path + (way == .otherFile ? ".put" : "")
            if way == .removedBefore, machine.disk[path] != nil { machine.disk.unlink(path) }
            let inode = machine.disk.make(other, isFolder: false, mode: 0o600)
            inode.write(bytes, at: 0)
            machine.touch(inode)
            if way == .otherFile { machine.disk.rename(other, to: path) }
        }
        // As files that were copied and left alone for a while.
        machine.disk[path]?.sync()
        machine.disk.sync(Self.store)
        machine.pass(microseconds: 3_000_000)
    }

    private func changed(_ name: String) {
        isDamaged = true
        if name == "lock" { isLockDoubtful = true }
        guard isLockDoubtful else { return }
        model.lost(canRevive: true)
        model.isOlder = true
    }

    private func damage(_ name: String, _ damage: Plan.Damage, _ place: Int) {
        guard let inode = machine.disk[Self.store + "/" + name] else { return }
        var bytes = inode.bytes
        let middle = bytes.isEmpty ? 0 : place % bytes.count
        switch damage {
        case .cut: bytes.removeLast(bytes.count - middle)
        case .zeros: for place in middle..<bytes.count { bytes[place] = 0 }
        case .bit: if !bytes.isEmpty { bytes[middle] ^= 1 << UInt8(place / bytes.count % 8) }
        case .junk: bytes += Array("what is this\n".utf8)
        case .gone:
            guard name != "lock" else { return }
            changed(name)
            machine.disk.unlink(Self.store + "/" + name)
            return machine.disk.sync(Self.store)
        case .mark: bytes = [0xEF, 0xBB, 0xBF] + bytes
        case .carriageReturns: bytes = bytes.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] }
        case .half: bytes.removeFirst(min(bytes.count, middle))
        case .empty: bytes = []
        case .moved:
            let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
            bytes = Array((lines.prefix(1) + lines.dropFirst().reversed()).joined(separator: [0x0A]))
        }
        put(bytes, name, place % 2 == 0 ? .intoFile : .otherFile)
    }

    private func setClock() {
        guard !isDamaged, machine.disk.taken == 0 else { return }
        let process = machine.makeProcess()
        defer { process.kill() }
        model.jumps += 1
        do {
            reviveClaims()
            if try Store.setClock(at: Self.store, process) > 0 { model.endedAll() }
            // Others look once a second.
            machine.pass(microseconds: 2_000_000)
        } catch {
            model.violated("the clock cannot be set: \(error)")
        }
    }

    private func restore(revokingAll: Bool) {
        guard let backup, machine.disk.taken == 0 else { return }
        for slot in slots { slot.process.kill() }
        replaceProcesses()
        lastReplacement += 1
        machine.disk.rename(Self.store, to: "/site/former\(lastReplacement)")
        model.lost(canRevive: true)
        let process = machine.makeProcess()
        defer { process.kill() }
        do {
            try Store.restore(backup, to: Self.store, revokingAll: revokingAll, process)
            isDamaged = false
            isLockDoubtful = false
            clockIsBelieved()
        } catch {
            model.violated("a restore fails: \(error)")
        }
        if revokingAll { model.endedAll() }
    }
}
