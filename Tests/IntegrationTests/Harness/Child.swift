import Foundation
import Synchronization
import Testing

/// A process that we started. It does not outlive the tests.
///
/// Its outputs are files, not pipes: a server that it leaves behind inherits them, and the end of a pipe would
/// never come.
final class Child: Sendable {
    let pid: Int32
    private let status = Mutex<Int32?>(nil)

    /// What has to go with the test process: children that run now, and folders.
    private static let leftovers = Mutex<(pids: Set<Int32>, folders: [String])>(([], []))

    private static let endAtExit: Void = {
        atexit {
            let (pids, folders) = Child.leftovers.withLock { $0 }
            for pid in pids { kill(pid, SIGTERM) }
            for pid in pids { waitpid(pid, nil, 0) }
            for folder in folders { try? FileManager.default.removeItem(atPath: folder) }
        }
    }()

    /// Removes a folder when the test process ends, if it is still there.
    static func removeAtExit(_ folder: String) {
        _ = endAtExit
        leftovers.withLock { $0.folders.append(folder) }
    }

    /// - Parameters:
    ///   - log: A file to which both outputs are appended.
    ///   - inherited: Descriptors that the process gets as 3, 4 and so on, as systemd hands over sockets.
    convenience init(
        _ path: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        log: String,
        inherited: [Int32] = []
    ) throws {
        try self.init(
            path,
            arguments,
            environment: environment,
            input: "/dev/null",
            output: log,
            error: log,
            inherited: inherited
        )
    }

    private init(
        _ path: String,
        _ arguments: [String],
        environment: [String: String],
        input: String,
        output: String,
        error: String,
        inherited: [Int32] = []
    ) throws {
        _ = Self.endAtExit
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, error, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        // Out of the way of each other.
        let copies = inherited.map { fcntl($0, F_DUPFD_CLOEXEC, 1000) }
        defer { for copy in copies { close(copy) } }
        for (place, copy) in copies.enumerated() { posix_spawn_file_actions_adddup2(&actions, copy, Int32(3 + place)) }
        // Threads of a test runner block signals, and a child inherits that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        // A CGI program would take those that are for the tests for mistakes.
        let inheritable = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("POSTERN_") }
        let variables = inheritable.merging(environment) { $1 }.map { "\($0.key)=\($0.value)" }
        var argv = ([path] + arguments).map { strdup($0) } + [nil]
        var envp = variables.map { strdup($0) } + [nil]
        defer { for text in argv + envp { free(text) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, path, &actions, &attributes, &argv, &envp)
        guard result == 0 else { throw HarnessError("cannot start \(path): \(String(cString: strerror(result)))") }
        self.pid = pid
        Self.leftovers.withLock { _ = $0.pids.insert(pid) }
    }

    // Not SIGKILL, which would leave nginx's workers behind.
    deinit { end() }

    var isRunning: Bool { status.withLock { $0 == nil && kill(pid, 0) == 0 } }

    /// Ends it and waits for it.
    @discardableResult
    func end(with signal: Int32 = SIGTERM) -> Int32 {
        if status.withLock({ $0 == nil }) { kill(pid, signal) }
        return wait()
    }

    /// - Returns: The exit code, or 128 and the number of the signal.
    @discardableResult
    func wait() -> Int32 {
        status.withLock { known in
            if let known { return known }
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            Self.leftovers.withLock { _ = $0.pids.remove(pid) }
            let code = status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F)
            known = code
            return code
        }
    }

    struct Finished: Sendable {
        let code: Int32
        let output: String
        let error: String

        func expectSuccess(_ location: SourceLocation = #_sourceLocation) throws {
            try #require(code == 0, "exit code \(code): \(error)", sourceLocation: location)
        }
    }

    /// Runs a process to its end.
    static func run(
        _ path: String,
        _ arguments: [String],
        input: String = "",
        environment: [String: String] = [:]
    ) throws -> Finished {
        let folder = try Site.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (inputFile, output, error) = (folder + "/input", folder + "/output", folder + "/error")
        try input.write(toFile: inputFile, atomically: false, encoding: .utf8)
        let child = try Child(path, arguments, environment: environment, input: inputFile, output: output, error: error)
        let code = child.wait()
        return Finished(
            code: code,
            output: try String(contentsOfFile: output, encoding: .utf8),
            error: try String(contentsOfFile: error, encoding: .utf8)
        )
    }
}

/// A process that somebody else has started. Its number may become another's when it has ended, and does within seconds
/// while tests run: so it is known by the time of its start as well.
struct OtherProcess {
    let pid: Int32
    private let start: Substring?

    init(pid: Int32) {
        self.pid = pid
        start = Self.state(of: pid)?.start
    }

    /// Neither ended nor a zombie.
    var isRunning: Bool {
        guard let start, let state = Self.state(of: pid) else { return false }
        return state.start == start && state.letter != "Z"
    }

    /// Sends it a signal, if it runs.
    func kill(_ signal: Int32) { if isRunning { Foundation.kill(pid, signal) } }

    /// proc(5): what it does (field 3), and when it started (field 22).
    private static func state(of pid: Int32) -> (letter: Substring, start: Substring)? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let fields = text.split(separator: ")").last?.split(separator: " "), fields.count > 19
        else { return nil }
        return (fields[0], fields[19])
    }
}
