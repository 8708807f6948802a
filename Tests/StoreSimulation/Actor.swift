import Journal
import Postern

/// A process that uses the store, and tells the model what it is about to do and what became of it.
struct Actor {
    private let simulation: Simulation
    private let store: Store
    private let process: SimulatedProcess
    private var model: Model { simulation.model }
    private var machine: Machine { simulation.machine }

    init(_ simulation: Simulation, _ store: Store, _ process: SimulatedProcess) {
        self.simulation = simulation
        self.store = store
        self.process = process
    }

    func take(_ step: Plan.Step) throws {
        switch step {
        case .add(let name): try add(name)
        case .password(let target):
            try ending(target) { account, id in
                account.changes += 1
                _ = try store.setPassword(of: id, to: account.mark + "\(account.changes)")
            }
        case .end(let target): try ending(target) { _, id in try store.revokeAll(of: id) }
        case .disable(let target):
            try ending(target) { account, id in try setActive(account, id, false) }
        case .enable(let target):
            guard let (account, id) = account(target) else { return }
            try write { try setActive(account, id, true) }
        case .delete(let target):
            try ending(target) { account, id in
                account.exists.no = true
                try store.deleteUser(id)
                if !process.isOver { account.exists = .surelyNot }
            }
        case .issue(let target, let seconds): try issue(target, seconds)
        case .start(let target): try start(target)
        case .claim(let target): try claim(target)
        case .revoke(let target): try revoke(target)
        case .look(let target):
            for number in 0..<4 where !model.credentials.isEmpty {
                try simulation.look(model.credentials[(target * 7 + number) % model.credentials.count], store)
            }
        case .compact: _ = try store.compact()
        case .save: try store.compactWhatHasEnded(beyond: 0)
        case .backUp:
            let path = simulation.pathOfBackup()
            try store.backUp(to: path)
            if !process.isOver { simulation.backup = path }
        case .reopen, .replaceLock, .command: break
        }
    }

    private func setActive(_ account: Model.Account, _ id: User.ID, _ isActive: Bool) throws {
        let begun = account.switches
        account.switches.begun += 1
        account.isActive = .perhaps
        try store.setActive(id, isActive)
        guard !process.isOver else { return }
        account.switches.done += 1
        // Of two at the same time nobody knows which is the last.
        if begun.begun == begun.done, account.switches.begun == begun.begun + 1 {
            account.isActive = isActive ? .surely : .surelyNot
        }
    }

    /// One that is there, or of which that is not known.
    private func account(_ target: Int) -> (Model.Account, User.ID)? {
        let candidates = model.accounts.filter { $0.id != nil && $0.exists.yes }
        guard !candidates.isEmpty else { return nil }
        let account = candidates[target % candidates.count]
        return account.id.map { (account, $0) }
    }

    /// What is refused for a reason that may be is no failure.
    private func write(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch StoreError.noSuchUser, StoreError.conflict, StoreError.noSuchToken, StoreError.noSuchSession {
            return
        }
    }

    private func add(_ name: Int) throws {
        func mayBeTaken() -> Bool { model.accounts.contains { $0.name == name && $0.exists.yes } }
        let wasPerhapsTaken = mayBeTaken()
        let account = model.begin(name: name)
        do {
            let user = try store.addUser(try Username("name\(name)".utf8), passwordHash: account.mark + "0")
            guard !process.isOver else { return }
            simulation.machine.say("\(account.mark)is user \(user.id)")
            model.added(account, user)
        } catch StoreError.usernameTaken {
            account.exists = .surelyNot
            if !wasPerhapsTaken, !mayBeTaken() { model.violated("name\(name) is taken by nobody") }
        }
    }

    private func ending(_ target: Int, _ body: (Model.Account, User.ID) throws -> Void) throws {
        guard let (account, id) = account(target) else { return }
        let isKnown = !account.exists.no
        account.endings.begun += 1
        // What is issued while this is done may be of the time before or after.
        let earlier = model.credentials.filter { $0.account === account }
        for credential in earlier { credential.isGood.no = true }
        do {
            try body(account, id)
            guard !process.isOver else { return }
            account.endings.done += 1
            for credential in earlier { credential.isGood = .surelyNot }
        } catch StoreError.noSuchUser {
            if isKnown, !account.exists.no { model.violated("\(account.mark)is gone") }
        }
    }

    private func issue(_ target: Int, _ seconds: Int64?) throws {
        let secret = TokenSecret(text: "token \(machine.random.next())")
        try issuing(target, seconds: seconds) { user in
            let token = try store.issueToken(
                secret,
                for: user,
                expires: seconds.map { store.now().adding(seconds: $0) }
            )
            return .token(secret, token.id)
        }
    }

    private func start(_ target: Int) throws {
        let key = SessionKey(text: "session \(machine.random.next())")
        try issuing(target, seconds: 20_000) { user in
            .session(key, try store.startSession(key, for: user, lifetime: 20_000, idleLimit: 20_000).id)
        }
    }

    private func claim(_ target: Int) throws {
        let name = Array("claims \(machine.random.next())".utf8)
        try issuing(target, seconds: nil) { user in .claims(user.id, epoch: user.epoch, id: name) }
    }

    private func issuing(
        _ target: Int,
        seconds: Int64?,
        _ body: (User) throws -> Model.Credential.Kind
    ) throws {
        guard let (account, id) = account(target) else { return }
        let (begun, began, jumps) = (account.endings, machine.age, model.jumps)
        guard let user = try store.user(id), user.passwordHash?.hasPrefix(account.mark) ?? false, user.isActive
        else { return }
        try write {
            let kind = try body(user)
            guard !process.isOver else { return }
            // Of a user whom an ending is about to reach, or has reached since.
            let isSure = begun.begun == begun.done && account.endings.begun == begun.begun
            let lives = seconds.map { began + ($0 - 2) * 1_000_000...machine.age + ($0 + 5) * 1_000_000 }
            let credential = Model.Credential(
                kind,
                account,
                isSure ? .surely : .perhaps,
                lives: lives ?? Model.never...Model.never,
                (jumps, model.boots)
            )
            model.issued(credential)
        }
    }

    private func revoke(_ target: Int) throws {
        guard !model.credentials.isEmpty else { return }
        let credential = model.credentials[target % model.credentials.count]
        credential.isGood.no = true
        try write {
            switch credential.kind {
            case .token(let secret, let id):
                guard try store.token(secret.digest)?.id == id else { return }
                try store.revokeToken(id)
            case .session(let key, let id):
                guard try store.session(key.digest)?.id == id else { return }
                try store.endSession(id)
            case .claims(_, _, let name):
                // By the clock that is right now, not by that of the last look.
                try store.checkReadable()
                try store.revoke(name, expires: store.now().adding(seconds: 400 * 86_400))
            }
            if !process.isOver { credential.isGood = .surelyNot }
        }
    }
}
