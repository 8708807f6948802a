import Dispatch
import Glibc
import Synchronization

/// How far a command is that takes long: a bar on a terminal, lines elsewhere, on standard error. Nothing of what is done
/// within half a second.
final class Progress: Sendable {
    /// Is told what is worked on and which part of it is done, from 0 to 1.
    typealias Report = (_ what: String, _ part: Double) -> Void

    /// Shows what `body` reports, and takes the bar away when it is done.
    /// - Parameter verb: As `checking`.
    static func showing<Result>(_ verb: String, _ body: (@escaping Report) throws -> Result) rethrows -> Result {
        let progress = Progress(verb)
        defer { progress.end() }
        return try body { what, part in progress.state.withLock { $0 = (what, part) } }
    }

    private let verb: String
    private let state = Mutex<(what: String, part: Double)?>(nil)
    private let ended = DispatchSemaphore(value: 0)
    private let erased = DispatchSemaphore(value: 0)

    private static let patience = DispatchTimeInterval.milliseconds(500)

    private init(_ verb: String) {
        self.verb = verb
        DispatchQueue(label: "progress").async { [self] in
            if ended.wait(timeout: .now() + Self.patience) == .timedOut { isTerminal ? drawBar() : writeLines() }
            erased.signal()
        }
    }

    private func end() {
        ended.signal()
        erased.wait()
    }

    private var isTerminal: Bool {
        isatty(STDERR_FILENO) == 1 && getenv("TERM").map { String(cString: $0) } != "dumb"
    }

    private func drawBar() {
        repeat {
            if let bar { StandardError.write("\r" + bar) }
        } while ended.wait(timeout: .now() + .milliseconds(100)) == .timedOut
        StandardError.write("\r" + String(repeating: " ", count: columns - 1) + "\r")
    }

    private func writeLines() {
        var last: String?
        repeat {
            let line = state.withLock { $0 }.map { "\(verb) \($0.what): \(Self.percent($0.part))%\n" }
            if let line, line != last { StandardError.write(line) }
            last = line
        } while ended.wait(timeout: .now() + (last == nil ? .milliseconds(100) : .seconds(2))) == .timedOut
    }

    /// As wide as the terminal allows.
    private var bar: String? {
        state.withLock { $0 }.map { what, part in
            let text = "\(verb) \(what)"
            let percent = Self.percent(part)
            let number = String(repeating: " ", count: 4 - String(percent).count) + "\(percent)%"
            let width = min(40, columns - 1 - Self.textWidth - number.count - 2)
            guard width > 0 else { return String("\(text)\(number)".prefix(columns - 1)) }
            let filled = width * percent / 100
            return text + String(repeating: " ", count: max(1, Self.textWidth - text.count)) + "["
                + String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled) + "]" + number
        }
    }

    /// Room for `compacting revocations` and a space.
    private static let textWidth = 23

    private static func percent(_ part: Double) -> Int { Int(max(0, min(1, part)) * 100) }

    private var columns: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 1 else { return 80 }
        return Int(size.ws_col)
    }
}
