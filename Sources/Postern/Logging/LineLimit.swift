internal import FastCGI
internal import Glibc
internal import Synchronization

/// Bounds how many lines of one kind a log gets within a minute, and tells afterwards how many were left out, so that
/// who can cause lines can neither fill a disk nor hide in them, and nothing goes unsaid.
///
/// A minute begins with its first line. When it is over, whoever comes next tells what was left out; where nobody comes,
/// a timer does. There is room for so many kinds; those past that share one.
final class LineLimit<Kind: Hashable & Sendable>: Sendable {
    /// Lines that were left out. Of the kinds that shared one, nil.
    typealias LeftOut = (kind: Kind?, count: Int)

    private struct Window {
        /// Milliseconds; 0: none has begun.
        var ends: UInt64 = 0
        var written: [Kind?: Int] = [:]
        var leftOut: [Kind?: Int] = [:]
    }

    private let limit: Int
    private let capacity: Int
    private let period: UInt64
    private let report: @Sendable (LeftOut) -> Void
    private let clock: @Sendable () -> UInt64
    private let window = Mutex(Window())

    /// - Parameters:
    ///   - limit: Lines of one kind in a period.
    ///   - capacity: Kinds that are told apart in a period.
    ///   - period: Milliseconds.
    ///   - clock: Milliseconds that never go back.
    ///   - report: Gets, after a period, each kind of which something was left out.
    init(
        limit: Int,
        capacity: Int,
        period: UInt64 = 60_000,
        clock: @escaping @Sendable () -> UInt64 = { Metrics.monotonicTime() / 1_000_000 },
        report: @escaping @Sendable (LeftOut) -> Void
    ) {
        self.limit = limit
        self.capacity = capacity
        self.period = period
        self.clock = clock
        self.report = report
    }

    /// Counts a line that is about to be written.
    /// - Returns: Whether there is room for it; it counts as left out otherwise.
    func admits(_ kind: Kind) -> Bool {
        count(kind) { window, kind in
            window.written[kind, default: 0] += 1
            return window.written[kind, default: 0] <= limit
        }
    }

    /// Counts a line for which there was no room, by somebody else's rule.
    func leaveOut(_ kind: Kind) { _ = count(kind) { _, _ in false } }

    /// Tells what was left out until now.
    func tell() { report(window.withLock { Self.close(&$0) }) }

    private func count(_ kind: Kind, _ isAdmitted: (inout Window, Kind?) -> Bool) -> Bool {
        let now = clock()
        let (result, over, isFirst) = window.withLock { window in
            let over = window.ends <= now ? Self.close(&window) : []
            if window.ends == 0 { window.ends = now &+ period }
            let isKnown = window.written[kind] != nil || window.leftOut[kind] != nil
            let kind: Kind? = isKnown || max(window.written.count, window.leftOut.count) < capacity ? kind : nil
            guard !isAdmitted(&window, kind) else { return (true, over, false) }
            let isFirst = window.leftOut.isEmpty
            window.leftOut[kind, default: 0] += 1
            return (false, over, isFirst)
        }
        report(over)
        if isFirst {
            // Dispatch's timers ask for a higher priority, which the service's unit does not let them have. One thread a period.
            startThread(stackSize: 1 << 18) { [weak self, period] in
                usleep(UInt32(clamping: period &* 1000))
                self?.tellIfOver()
            }
        }
        return result
    }

    private func tellIfOver() {
        let now = clock()
        report(window.withLock { $0.ends <= now ? Self.close(&$0) : [] })
    }

    private func report(_ all: [LeftOut]) { for leftOut in all { report(leftOut) } }

    private static func close(_ window: inout Window) -> [LeftOut] {
        defer { window = Window() }
        return window.leftOut.map { ($0.key, $0.value) }
    }
}
