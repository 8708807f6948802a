import Dispatch
import Synchronization

/// Lets several threads run one at a time, and decides by the seed which one goes on.
final class Turns {
    private struct Waiting {
        let number: Int
        let bell = DispatchSemaphore(value: 0)
    }

    private var waiting: [Waiting] = []
    private var current = -1
    private var left = 0
    private let isDone = DispatchSemaphore(value: 0)
    /// Threads that are used again and again: to start one takes longer than most of what it does.
    private static let workers = (0..<4).map { DispatchQueue(label: "process \($0)") }

    /// Runs all, beginning with the one of this number, counted round and round, and returns when they are done.
    func run(_ bodies: [() -> Void], first: UInt64) {
        if bodies.count == 1 { return bodies[0]() }
        left = bodies.count
        waiting = bodies.indices.map { Waiting(number: $0) }
        for (number, body) in bodies.enumerated() {
            let place = waiting[number]
            nonisolated(unsafe) let work = {
                place.bell.wait()
                body()
                self.end()
            }
            Self.workers[number].async { work() }
        }
        let beginning = waiting.remove(at: Int(first % UInt64(waiting.count)))
        current = beginning.number
        beginning.bell.signal()
        isDone.wait()
    }

    /// Gives the turn to the thread of this number among those that wait for it, counted round and round.
    func yield(to choice: UInt64) {
        guard !waiting.isEmpty else { return }
        let next = waiting.remove(at: Int(choice % UInt64(waiting.count)))
        let own = Waiting(number: current)
        waiting.append(own)
        current = next.number
        next.bell.signal()
        own.bell.wait()
    }

    private func end() {
        left -= 1
        guard left > 0 else {
            isDone.signal()
            return
        }
        // In the order in which they came to wait: no number is drawn at an end.
        let next = waiting.removeFirst()
        current = next.number
        next.bell.signal()
    }
}
