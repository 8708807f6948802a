internal import CLinux
internal import CSodium
internal import Dispatch
internal import FastCGI
internal import Glibc
internal import Synchronization

/// Makes and checks password hashes on a few threads of its own.
///
/// One hash costs tens of milliseconds of a core and 19 MiB by design, and one that came from elsewhere what it was made
/// with. So at most one a core runs at once,
/// at a lower priority than the threads that answer requests; a bounded number waits, for a bounded time;
/// past that the answer is ``PasswordError/unavailable``, which clients see as 503.
public final class PasswordHasher: Sendable {
    private let threads: Int
    private let maximumQueue: Int
    private let patience: DispatchTimeInterval
    private let queue = Mutex(Queue())
    private let jobsWaiting = DispatchSemaphore(value: 0)
    /// Where it is counted what was done; nil as long as nobody wants to know.
    let metrics = WriteOnce<Metrics>()

    private struct Queue {
        var jobs: [Job] = []
        var isStarted = false
    }

    /// - Parameters:
    ///   - threads: How many hashes run at once; nil: one a core.
    ///   - maximumQueue: How many may wait.
    ///   - patience: How long one may wait for its turn and its result.
    public init(threads: Int? = nil, maximumQueue: Int = 32, patience: Duration = .seconds(5)) {
        self.threads = max(1, threads ?? sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        self.maximumQueue = maximumQueue
        self.patience = .milliseconds(Int(patience / .milliseconds(1)))
    }

    /// The PHC string of a password, for the store.
    public func hash(_ password: [UInt8]) throws(PasswordError) -> String {
        guard case .hash(let hash) = try run(.hash(password)) else { throw .unavailable }
        return hash
    }

    /// Whether `password` is the one of `hash`. Without a hash, or with a password that is longer than any
    /// we accept, the answer is no and takes as long as any other.
    ///
    /// - Parameter decoy: The hash of somebody, whose work is done where there is no hash.
    public func verify(
        _ password: [UInt8],
        against hash: String?,
        decoy: String? = nil
    ) throws(PasswordError) -> Bool {
        let isPossible = hash != nil && password.count <= PasswordRules.maximumBytes
        let candidate = password.count <= PasswordRules.maximumBytes ? password : []
        let work = Work.verify(candidate, against: hash ?? decoy)
        guard case .verdict(let isRight) = try run(work) else { throw .unavailable }
        return isRight && isPossible
    }

    /// How many wait for their turn now.
    var queueLength: Int { queue.withLock { $0.jobs.count } }

    private func run(_ work: Work) throws(PasswordError) -> Outcome {
        linux_note_wait()
        let job = Job(work)
        let isAccepted = queue.withLock { queue in
            guard queue.jobs.count < maximumQueue else { return false }
            if !queue.isStarted {
                queue.isStarted = true
                // A thread never ends, and holds the hasher for as long: hashers are made once a process.
                for _ in 0..<threads { startThread(stackSize: 1 << 20) { [self] in takeJobs() } }
            }
            queue.jobs.append(job)
            return true
        }
        guard isAccepted else {
            metrics.value?.count(.hashesRefused)
            throw .unavailable
        }
        jobsWaiting.signal()
        guard job.done.wait(timeout: .now() + patience) == .success, let outcome = job.outcome.withLock({ $0 })
        else {
            job.isAbandoned.store(true, ordering: .relaxed)
            metrics.value?.count(.hashesRefused)
            throw .unavailable
        }
        return try outcome.get()
    }

    /// Takes one job after the other, for as long as the process lives.
    private func takeJobs() {
        linux_nice_thread(5)
        while true {
            jobsWaiting.wait()
            let next = queue.withLock { $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }
            guard let job = next, !job.isAbandoned.load(ordering: .relaxed) else { continue }
            let outcome = Result<Outcome, PasswordError> { () throws(PasswordError) in try perform(job.work) }
            metrics.value?.count(.passwordsHashed)
            job.outcome.withLock { $0 = outcome }
            job.done.signal()
        }
    }

    private func perform(_ work: Work) throws(PasswordError) -> Outcome {
        switch work {
        case .hash(let password): .hash(try Argon2id.hash(password))
        case .verify(let password, let text):
            if let hash = text.flatMap(PasswordHash.init) {
                .verdict(try hash.verify(password))
            } else {
                // Nobody's password is right.
                .verdict(try Argon2id.verify(password, against: Argon2id.hashOfNobody) && false)
            }
        }
    }

    private enum Work: Sendable {
        case hash([UInt8])
        case verify([UInt8], against: String?)
    }

    private enum Outcome: Sendable {
        case hash(String)
        case verdict(Bool)
    }

    private final class Job: Sendable {
        let work: Work
        let outcome = Mutex<Result<Outcome, PasswordError>?>(nil)
        let done = DispatchSemaphore(value: 0)
        let isAbandoned = Atomic(false)

        init(_ work: Work) { self.work = work }
    }
}
