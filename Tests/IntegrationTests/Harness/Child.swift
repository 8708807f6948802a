import Foundation
import Synchronization
import Testing

/// A process that we started. It does not outlive the tests.
final class Child {
    private let process = Process()
    let path: String

    var pid: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }

    /// Those that run now, for the end of the test process.
    private static let running = Mutex<Set<Int32>>([])

    private static let endAtExit: Void = {
        atexit { Child.running.withLock { for pid in $0 { kill(pid, SIGKILL) } } }
    }()

    /// - Parameter log: A file to which both outputs are appended.
    init(_ path: String, _ arguments: [String], environment: [String: String] = [:], log: String) throws {
        self.path = path
        if !FileManager.default.fileExists(atPath: log) {
            _ = FileManager.default.createFile(atPath: log, contents: nil)
        }
        guard let handle = FileHandle(forWritingAtPath: log) else { throw HarnessError("cannot write \(log)") }
        handle.seekToEndOfFile()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = handle
        process.standardError = handle
        try Self.start(process)
    }

    deinit { end(with: SIGKILL) }

    /// Ends it and waits for it.
    @discardableResult
    func end(with signal: Int32 = SIGTERM) -> Int32 {
        if process.isRunning { kill(pid, signal) }
        return wait()
    }

    /// - Returns: The exit code, or the number of the signal.
    @discardableResult
    func wait() -> Int32 {
        process.waitUntilExit()
        Self.running.withLock { _ = $0.remove(pid) }
        return process.terminationStatus
    }

    struct Finished {
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
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = stderr
        try start(process)
        try? stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try? stdin.fileHandleForWriting.close()
        let output = stdout.fileHandleForReading.readDataToEndOfFile()
        let error = stderr.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        running.withLock { _ = $0.remove(process.processIdentifier) }
        return Finished(
            code: process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus,
            output: String(decoding: output, as: UTF8.self),
            error: String(decoding: error, as: UTF8.self)
        )
    }

    private static func start(_ process: Process) throws {
        _ = endAtExit
        try process.run()
        running.withLock { _ = $0.insert(process.processIdentifier) }
    }
}
