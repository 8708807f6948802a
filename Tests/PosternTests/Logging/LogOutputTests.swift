import Foundation
import Logging
import Testing

@testable import Postern

@Suite("Logs")
struct LogOutputTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path + "/log" }

    init() throws { folder = try TemporaryFolder() }

    private func lines(_ path: String? = nil) throws -> [String] {
        try String(contentsOfFile: path ?? self.path, encoding: .utf8).components(separatedBy: "\n").dropLast()
    }

    @Test("A line of text: time, level, message and metadata; a line feed in them ends no line")
    func text() throws {
        let output = try LogOutput(.file(path))
        var logger = Logger(label: "test") { _ in LineLogHandler(to: output, level: LogLevel(.info)) }
        logger[metadataKey: "b"] = "2"
        logger.info("hello", metadata: ["a": "1"])
        logger.debug("not this")
        logger.error("first\nsecond\r\u{2028}\u{202E}", metadata: ["c": "x\ny"])
        let lines = try lines()
        #expect(lines.count == 2)
        #expect(lines[0].wholeMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z info hello a=1 b=2/#) != nil)
        #expect(lines[1].hasSuffix(#" error first\u{a}second\u{d}\u{2028}\u{202e} b=2 c=x\u{a}y"#))
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o600)
    }

    @Test("A line of JSON says the same")
    func json() throws {
        let output = try LogOutput(.file(path), format: .json)
        let logger = Logger(label: "test") { _ in LineLogHandler(to: output, level: LogLevel(.trace)) }
        logger.warning("a \"b\"\nc", metadata: ["path": "/x"])
        let lines = try lines()
        #expect(lines.count == 1)
        let object = try #require(JSONObject(Array(lines[0].utf8)))
        #expect(object.string("level") == "warning")
        #expect(object.string("message") == "a \"b\"\nc")
        #expect(lines[0].hasSuffix(#","metadata":{"path":"/x"}}"#))
    }

    @Test("The level changes for all loggers that share it, and not for one that has its own")
    func level() throws {
        let output = try LogOutput(.file(path))
        let level = LogLevel(.error)
        let logger = Logger(label: "test") { _ in LineLogHandler(to: output, level: level) }
        var own = logger
        own.logLevel = .critical
        logger.info("one")
        level.value = .info
        logger.info("two")
        own.info("three")
        #expect(try lines().map { $0.split(separator: " ").last } == ["two"])
    }

    @Test("Opened again it writes to the file that stands at the path now; one that cannot be opened changes nothing")
    func reopen() throws {
        let output = try LogOutput(.file(path))
        output.write(Array("one".utf8))
        rename(path, path + ".1")
        output.write(Array("two".utf8))
        try output.reopen()
        output.write(Array("three".utf8))
        #expect(try lines(path + ".1") == ["one", "two"])
        #expect(try lines() == ["three"])
        #expect(throws: LogOutputError.self) { try output.reopen(.file(folder.path + "/none/log")) }
        output.write(Array("four".utf8))
        #expect(try lines() == ["three", "four"])
        try output.reopen(.nowhere)
        output.write(Array("five".utf8))
        #expect(!output.isOpen)
        try output.reopen(.file(path))
        output.write(Array("six".utf8))
        #expect(output.isOpen)
        #expect(try lines() == ["three", "four", "six"])
    }

    @Test("While it is opened again and again, threads lose no line and tear none")
    func reopenUnderLoad() throws {
        let output = try LogOutput(.file(path))
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 300)
        DispatchQueue.concurrentPerform(iterations: 5) { number in
            for round in 0..<200 {
                if number > 0 {
                    output.write(line)
                } else {
                    rename(path, path + ".\(round)")
                    try? output.reopen()
                }
            }
        }
        var count = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            let lines = try lines(folder.path + "/" + name)
            count += lines.count
            #expect(lines.allSatisfy { $0.utf8.count == 300 })
        }
        #expect(count == 800)
    }

    @Test(
        "Behind a line that was cut short, by whichever process, a line of its own begins",
        arguments: 0..<20 as Range<UInt64>
    )
    func cutShort(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        let outputs = try (0..<3).map { _ in try LogOutput(.file(path)) }
        // What is written by whom, and cut short.
        var expected: [String] = []
        var isOpen = false
        for number in 0..<200 {
            let writer = Int.random(in: 0...outputs.count, using: &random)
            if writer < outputs.count {
                #expect(outputs[writer].write(Array("whole \(number)".utf8)))
                expected.append("whole \(number)")
                isOpen = false
            } else if !isOpen {
                let file = try #require(FileHandle(forUpdatingAtPath: path))
                try file.seekToEnd()
                try file.write(contentsOf: Data("cut \(number)".utf8))
                try file.close()
                expected.append("cut \(number)")
                isOpen = true
            }
        }
        outputs[0].write([])
        #expect(try lines() == expected + [""])
        // A file that nobody may read.
        chmod(path, 0o200)
        let blind = try LogOutput(.file(path))
        #expect(blind.write(Array("more".utf8)))
        chmod(path, 0o600)
        #expect(try lines().last == "more")
    }

    @Test("A symbolic link, a FIFO and a folder are no logs")
    func otherFiles() throws {
        symlink("/tmp", path)
        #expect(throws: LogOutputError.self) { try LogOutput(.file(path)) }
        mkfifo(folder.path + "/fifo", 0o600)
        #expect(throws: LogOutputError.self) { try LogOutput(.file(folder.path + "/fifo")) }
        #expect(throws: LogOutputError.self) { try LogOutput(.file(folder.path)) }
        #expect(throws: LogOutputError.self) { try LogOutput(.file("/dev/null")) }
    }
}
