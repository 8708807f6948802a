/// What happens in one simulation. All of it follows from the seed, and each part stands for itself: of a plan that fails
/// parts are left out as long as it still does.
struct Plan {
    var rounds: [Round]

    struct Round {
        /// Of the numbers that are drawn while it runs.
        var seed: UInt64
        /// What each process does, one after the other.
        var steps: [[Step]]
        /// In thousandths, after each call.
        var switching = 0
        /// A process that is killed, and after how many calls.
        var kill: (process: Int, calls: Int)?
        var powerCut: Int?
        var faults = (rate: 0, left: 0)
        /// What a person does before.
        var hand: Hand?
        /// Whether who repairs ends every credential.
        var revokesAll = false
    }

    indirect enum Step: Equatable {
        /// As a command does it: in a process of its own that reads only what it needs.
        case command(Step)
        case add(name: Int)
        case password(Int)
        case end(Int)
        case disable(Int)
        case enable(Int)
        case delete(Int)
        case issue(Int, seconds: Int64?)
        case start(Int)
        case claim(Int)
        case revoke(Int)
        case look(Int)
        case compact
        case save
        case backUp
        case reopen
        /// While others are at it, another file of the same text takes the place of the lock.
        case replaceLock
    }

    enum Hand: Equatable {
        case reboot
        case jump(seconds: Int64)
        case follow(Bool)
        case fill(free: Int)
        case empty
        /// A copy of the whole store is kept.
        case keep
        /// A file, or all, of what was kept.
        case putBack(file: Int, Way)
        case putBackAll
        case damage(file: Int, Damage, Int)
        case repair
        case setClock
        case restore
        case killAll
        case wait(seconds: Int64)
    }

    enum Way: Equatable, CaseIterable { case intoFile, otherFile, removedBefore }

    enum Damage: Equatable, CaseIterable {
        case cut, zeros, bit, junk, gone, mark, carriageReturns, half, empty, moved
    }
}

extension Plan {
    init(seed: UInt64) {
        var random = Seeded(seed ^ 0x5EED)
        let size = 2 + random.below(9)
        // Most disks and people behave most of the time.
        let (fails, dies, hands, together) = (
            random.happens(400), random.happens(500), random.happens(600), random.happens(700)
        )
        rounds = (0..<size).map { number in
            var round = Round(seed: random.next(), steps: [])
            let count = together ? 1 + random.below(3) : 1
            round.steps = (0..<count).map { _ in (0..<1 + random.below(7)).map { _ in Self.step(&random) } }
            // What a lock file knew that is there no more, nobody knows after a failed sync.
            if fails { round.steps = round.steps.map { $0.map { $0 == .replaceLock ? .look(0) : $0 } } }
            if number == 0 { round.steps[0] = [.add(name: 0), .issue(0, seconds: nil), .start(0)] + round.steps[0] }
            if count > 1 { round.switching = [20, 100, 400][random.below(3)] }
            if dies, random.happens(350) { round.kill = (random.below(count), random.below(400)) }
            if dies, random.happens(150) { round.powerCut = random.below(600) }
            if fails, random.happens(350) { round.faults = ([5, 30, 200][random.below(3)], 1 + random.below(6)) }
            if hands, number > 0, random.happens(500) { round.hand = Self.hand(&random) }
            round.revokesAll = random.happens(300)
            return round
        }
    }

    private static func step(_ random: inout Seeded) -> Step {
        let step = serverStep(&random)
        switch step {
        case .compact, .save, .backUp, .reopen, .replaceLock, .command: return step
        default: return random.happens(200) ? .command(step) : step
        }
    }

    private static func serverStep(_ random: inout Seeded) -> Step {
        let target = random.below(64)
        switch random.below(100) {
        case 0..<14: return .add(name: random.below(4))
        case 14..<18: return .password(target)
        case 18..<22: return .end(target)
        case 22..<25: return .disable(target)
        case 25..<28: return .enable(target)
        case 28..<32: return .delete(target)
        case 32..<50: return .issue(target, seconds: random.happens(300) ? Int64(1 + random.below(100_000)) : nil)
        case 50..<57: return .start(target)
        case 57..<62: return .claim(target)
        case 62..<72: return .revoke(target)
        case 72..<88: return .look(target)
        case 88..<91: return .compact
        case 91..<93: return .save
        case 93..<95: return .backUp
        case 95..<98: return .reopen
        default: return .replaceLock
        }
    }

    private static func hand(_ random: inout Seeded) -> Hand {
        let file = random.below(64)
        switch random.below(100) {
        case 0..<12: return .reboot
        case 12..<24:
            let size = [10, 3600, 80_000, 90_000, 40_000_000][random.below(5)]
            return .jump(seconds: random.happens(500) ? Int64(size) : -Int64(size))
        case 24..<27: return .follow(random.happens(500))
        case 27..<33: return .fill(free: random.below(40_000))
        case 33..<38: return .empty
        case 38..<48: return .keep
        case 48..<58: return .putBack(file: file, random.one(of: Way.allCases))
        case 58..<61: return .putBackAll
        case 61..<78: return .damage(file: file, random.one(of: Damage.allCases), random.below(1 << 20))
        case 78..<82: return .repair
        case 82..<85: return .setClock
        case 85..<89: return .restore
        case 89..<94: return .killAll
        default: return .wait(seconds: Int64(random.below(200_000)))
        }
    }
}
