internal import CLinux
internal import Dispatch
internal import FastCGI
internal import Synchronization

/// A thread that looks after the files of a store: it does one thing at a time, and is in nobody's way.
final class Maintenance: Sendable {
    /// Returns whether it is done; what failed is tried again when it is next needed, a minute later at the earliest.
    typealias Job = @Sendable () -> Bool

    /// A box of functions as such would wrap them anew each time that one is taken, as in `JournalFolder`.
    private struct Work {
        let run: Job
    }

    private let job = Mutex<Work?>(nil)
    private let isBusy = Atomic(false)
    private let isOver = Atomic(false)
    private let bell = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - interval: Of `look`, in seconds.
    ///   - look: Called now and then, without anybody asking for it.
    func begin(every interval: Double, _ look: @escaping Job) {
        startThread(stackSize: 1 << 20) { [self] in
            _ = linux_nice_thread(10)
            var next = DispatchTime.now() + interval
            while !isOver.load(ordering: .relaxed) {
                if bell.wait(timeout: next) == .timedOut {
                    next = .now() + interval
                    guard !isBusy.exchange(true, ordering: .acquiring) else { continue }
                    job.withLock { $0 = Work(run: look) }
                }
                guard let job = job.withLock({ $0.take() }) else { continue }
                if !job.run() { _ = bell.wait(timeout: .now() + 60) }
                isBusy.store(false, ordering: .releasing)
            }
        }
    }

    /// Has the thread do it, unless there is something else to do.
    func start(_ job: @escaping Job) {
        guard !isBusy.exchange(true, ordering: .acquiring) else { return }
        self.job.withLock { $0 = Work(run: job) }
        bell.signal()
    }

    /// Lets the thread end when it has nothing to do.
    func end() {
        isOver.store(true, ordering: .relaxed)
        bell.signal()
    }
}
