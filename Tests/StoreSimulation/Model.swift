import Journal
import Postern

/// What may be true of the store, by what it has acknowledged and what has been done to it.
///
/// A thing of which both is possible has an outcome that nobody knows: its write failed, or was in the middle of something.
final class Model {
    /// What a question may be answered with.
    struct Possible {
        var yes: Bool
        var no: Bool

        static let surely = Possible(yes: true, no: false)
        static let surelyNot = Possible(yes: false, no: true)
        static let perhaps = Possible(yes: true, no: true)
    }

    final class Account {
        /// What its hash of a password begins with, so that it is known whose account it is whatever its id.
        let mark: String
        let name: Int
        var id: User.ID?
        var exists = Possible(yes: true, no: true)
        var isActive = Possible.surely
        /// How many writes have begun and ended that end all that was issued before.
        var endings = (begun: 0, done: 0)
        /// Likewise those that enable or disable it.
        var switches = (begun: 0, done: 0)
        var changes = 0

        init(_ number: Int, name: Int) {
            mark = "account \(number) "
            self.name = name
        }
    }

    final class Credential {
        enum Kind {
            case token(TokenSecret, Token.ID)
            case session(SessionKey, Session.ID)
            /// What a JSON Web Token says.
            case claims(User.ID, epoch: Int64, id: [UInt8])
        }

        let kind: Kind
        let account: Account
        var isGood: Possible
        /// Microseconds of the machine's age: before the first it has not expired, after the second it has.
        var lives: ClosedRange<Int64>
        /// How often the clocks had been touched when it was issued.
        let clocks: (jumps: Int, boots: Int)

        init(
            _ kind: Kind,
            _ account: Account,
            _ isGood: Possible,
            lives: ClosedRange<Int64>,
            _ clocks: (jumps: Int, boots: Int)
        ) {
            self.kind = kind
            self.account = account
            self.isGood = isGood
            self.lives = lives
            self.clocks = clocks
        }
    }

    private(set) var accounts: [Account] = []
    private(set) var credentials: [Credential] = []
    /// Ids that were given away, and to whom.
    private var userIDs: [User.ID: String] = [:]
    private var tokenIDs: Set<Token.ID> = []
    private var sessionIDs: Set<Session.ID> = []
    /// How often somebody set the clock, and how often the machine began anew.
    var jumps = 0
    var boots = 0
    /// Whether the lock file, which alone knows what the clock was before somebody set it, may be lost: whoever is the first to
    /// open the store then believes the clock as it is.
    var isClockDoubtful = false
    /// Whether a store may have been put back in a way that nobody can tell: ids may come again, accounts never.
    var isOlder = false
    private(set) var violation: String?

    static let never = Int64.max / 4

    func violated(_ text: @autoclosure () -> String) {
        if violation == nil { violation = text() }
    }

    // MARK: Accounts

    func begin(name: Int) -> Account {
        let account = Account(accounts.count + 1, name: name)
        accounts.append(account)
        return account
    }

    func added(_ account: Account, _ user: User) {
        account.id = user.id
        account.exists = .surely
        if let former = userIDs[user.id], !isOlder {
            violated("user \(user.id) was \(former)and is \(account.mark)now")
        }
        userIDs[user.id] = account.mark
        for other in accounts where other !== account && other.name == account.name {
            if !other.exists.no { violated("\(other.mark)and \(account.mark)have one name") }
            other.exists.yes = false
        }
    }

    func issued(_ credential: Credential) {
        credentials.append(credential)
        switch credential.kind {
        case .token(_, let id):
            if !tokenIDs.insert(id).inserted, !isOlder { violated("the id of token \(id) was given twice") }
        case .session(_, let id):
            if !sessionIDs.insert(id).inserted, !isOlder { violated("the id of session \(id) was given twice") }
        case .claims: break
        }
    }

    // MARK: What is done to the store

    /// Something was lost that nobody can name.
    func lost(canRevive: Bool) {
        for account in accounts {
            account.exists.no = true
            if canRevive {
                account.exists.yes = true
                account.isActive = .perhaps
            } else {
                account.isActive.no = true
            }
        }
        for credential in credentials {
            credential.isGood.no = true
            if canRevive { credential.isGood.yes = true }
        }
    }

    /// Every credential ends.
    func endedAll() {
        for credential in credentials { credential.isGood = .surelyNot }
    }

    // MARK: Judging

    /// Whether a credential may be good, and whether it may be refused.
    func possible(_ credential: Credential, age: Int64) -> Possible {
        let account = credential.account
        var possible = credential.isGood
        if !account.exists.yes || !account.isActive.yes { possible.yes = false }
        if account.exists.no || account.isActive.no { possible.no = true }
        let isSameBoot = credential.clocks.boots == boots
        if age >= credential.lives.lowerBound || credential.clocks.jumps != jumps || !isSameBoot
            || isClockDoubtful && jumps > 0
        {
            possible.no = true
        }
        if age > credential.lives.upperBound, isSameBoot { possible.yes = false }
        return possible
    }

    /// Judges an answer: the mark of whoever a credential opens; nil: nobody.
    func judge(_ credential: Credential, before: Possible, after: Possible, opens hash: String?) {
        if let hash, !hash.hasPrefix(credential.account.mark) {
            violated("\(describe(credential)) opens \(hash)")
        }
        // What was surely so when it was asked, and is when the answer is there, was so meanwhile.
        if hash != nil, !before.yes, !after.yes { violated("\(describe(credential)) is good, and had ended") }
        if hash == nil, !before.no, !after.no { violated("\(describe(credential)) is refused, and is good") }
    }

    private func describe(_ credential: Credential) -> String {
        let kind =
            switch credential.kind {
            case .token(_, let id): "token \(id)"
            case .session(_, let id): "session \(id)"
            case .claims(let id, let epoch, _): "a JSON Web Token of user \(id), epoch \(epoch)"
            }
        return "\(kind) of \(credential.account.mark)"
    }
}
