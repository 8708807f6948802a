internal import Dispatch
internal import Synchronization

/// The loops that nobody holds just now, and the workers that wait for one.
final class LoopPool: Sendable {
    let loops: [EventLoop]
    private let free: Mutex<[EventLoop]>
    private let count: DispatchSemaphore
    private let closed = Atomic(false)

    init(_ loops: [EventLoop]) {
        self.loops = loops
        free = Mutex(loops)
        count = DispatchSemaphore(value: loops.count)
    }

    /// Waits for a loop; nil: there will be none any more.
    func take() -> EventLoop? {
        count.wait()
        return free.withLock { $0.popLast() }
    }

    func give(_ loop: EventLoop) {
        free.withLock { $0.append(loop) }
        count.signal()
    }

    /// Whether nobody is to hold a loop any more.
    var isClosed: Bool { closed.load(ordering: .relaxed) }

    /// - Parameter workers: How many may be waiting.
    func close(workers: Int) {
        closed.store(true, ordering: .relaxed)
        free.withLock { $0 = [] }
        for _ in 0..<workers { count.signal() }
    }
}
