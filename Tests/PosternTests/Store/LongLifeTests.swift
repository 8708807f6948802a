import Foundation
import Synchronization
import Testing

@testable import Postern

@Suite("What a process does again and again")
struct LongLifeTests {
    @Test("Hundreds of thousands of scrapes cost what the first ones cost")
    func scrapes() async {
        await #expect(processExitsWith: .success) {
            guard let metrics = Metrics() else { preconditionFailure("no memory") }
            metrics.observeServer { ServerState(connections: 7) }
            for _ in 0..<400_000 { precondition(metrics.serverState?.connections == 7) }
        }
    }

    @Test("Hundreds of thousands of signals cost what the first ones cost")
    func signals() async {
        await #expect(processExitsWith: .success) {
            let signals = Signals()
            let count = Atomic(0)
            signals.connect { _, _ in count.add(1, ordering: .relaxed) }
            for _ in 0..<400_000 { signals.send(.loginFailed(username: []), for: nil) }
            precondition(count.load(ordering: .relaxed) == 400_000)
        }
    }

    @Test("Twenty thousand jobs of maintenance cost what the first ones cost")
    func maintenance() async {
        await #expect(processExitsWith: .success) {
            let maintenance = Maintenance()
            let count = Atomic(0)
            maintenance.begin(every: 3600) { true }
            // Its thread has a stack of one megabyte. It takes no further one before it is done with this.
            while count.load(ordering: .relaxed) < 20_000 {
                maintenance.start {
                    count.add(1, ordering: .relaxed)
                    return true
                }
                sched_yield()
            }
            maintenance.end()
        }
    }

    @Test("No generic type in the sources holds functions as such")
    func boxes() throws {
        let sources = try SwiftSources(in: ["Sources", "Benchmarks", "Tests/Example/Sources"])
        #expect(sources.files.count > 200)
        #expect(sources.boxesOfFunctions() == [])
    }

    @Test("A box of functions is found, however its type is written")
    func boxesAreFound() {
        let text = """
            typealias Job = @Sendable () -> Bool
            typealias Jobs = [String: Job]
            typealias Maybe = Jobs?
            struct Work { let run: Job }
            final class Cell<Value> { var value: Value; init(_ value: Value) { self.value = value } }
            let a = Mutex<Job?>(nil)
            let b = Mutex<[Job]>([])
            let c = Mutex<Maybe>(nil)
            let d = Mutex<(name: String, run: () -> Void)?>(nil)
            let e = Cell<@Sendable (Int) throws -> Void>({ _ in })
            let f = Mutex({ 7 })
            let good = Mutex<Work?>(nil)  // Mutex<Job?>
            let text = "Mutex<Job?>"
            let known = Mutex<[Int: [Work]]>([:])
            let nested = InlineArray<64, Mutex<Job>> { _ in Mutex({ true }) }
            """
        let found = SwiftSources(["a.swift": text]).boxesOfFunctions()
        #expect(
            found
                == [
                    "a.swift: Cell<@Sendable (Int) throws -> Void>", "a.swift: InlineArray<64, Mutex<Job>>",
                    "a.swift: Mutex<(name: String, run: () -> Void)?>", "a.swift: Mutex<Job>", "a.swift: Mutex<Job?>",
                    "a.swift: Mutex<Maybe>", "a.swift: Mutex<[Job]>", "a.swift: Mutex({",
                ].sorted()
        )
    }
}

/// The text of Swift files, without comments and strings.
///
/// A generic type holds a value in one form for all types, and a function in another one than code calls it by. So each time
/// that a function is lent to a closure, and perhaps put back, it is wrapped in two more functions that turn one form into
/// the other. After some ten thousand times the stack is too short for calling it. A struct around the function is held as it is.
struct SwiftSources {
    let files: [String: String]

    init(_ files: [String: String]) { self.files = files.mapValues(Self.code) }

    init(in folders: [String]) throws {
        let package = Repository.path
        var files: [String: String] = [:]
        for folder in folders {
            for name in try FileManager.default.subpathsOfDirectory(atPath: package + "/" + folder)
            where name.hasSuffix(".swift") {
                let path = folder + "/" + name
                files[path] = try String(contentsOfFile: package + "/" + path, encoding: .utf8)
            }
        }
        self.init(files)
    }

    /// Where a generic type, of the standard library that has one value inside or of the sources, is given functions.
    func boxesOfFunctions() -> [String] {
        let functions = functionNames()
        let boxes = Self.boxes.union(genericNames())
        var found: [String] = []
        for (path, code) in files {
            for match in code.matches(of: #/\b([A-Z]\w*)(<|\(\{)/#) where boxes.contains(String(match.1)) {
                if match.2 == "({" {
                    if Self.boxes.contains(String(match.1)) { found.append("\(path): \(match.1)({") }
                    continue
                }
                guard let arguments = Self.bracketed(code[match.range.upperBound...]) else { continue }
                if Self.holdsFunction(arguments, functions) { found.append("\(path): \(match.1)<\(arguments)>") }
            }
        }
        return Set(found).sorted()
    }

    /// Those that hold what they are given where others can change it.
    private static let boxes: Set = ["Mutex", "Atomic", "AtomicLazyReference", "InlineArray", "ManagedBuffer"]

    /// Generic types that the sources declare.
    private func genericNames() -> Set<String> {
        var names: Set<String> = []
        for code in files.values {
            for match in code.matches(of: #/\b(?:class|struct|enum|actor)\s+(\w+)</#) { names.insert(String(match.1)) }
        }
        return names
    }

    /// Names of types that are functions, or have some inside without a type of their own around them.
    private func functionNames() -> Set<String> {
        var aliases: [(name: String, type: String)] = []
        for code in files.values {
            for match in code.matches(of: #/\btypealias\s+(\w+)(?:<[^=]*>)?\s*=\s*([^\n]*(?:\n\s+[^\n]*->[^\n]*)?)/#) {
                aliases.append((String(match.1), String(match.2)))
            }
        }
        var names: Set<String> = []
        while true {
            let more = aliases.filter { !names.contains($0.name) && Self.holdsFunction($0.type, names) }
            if more.isEmpty { return names }
            names.formUnion(more.map(\.name))
        }
    }

    private static func holdsFunction(_ type: String, _ functions: Set<String>) -> Bool {
        type.contains("->") || type.matches(of: #/\w+/#).contains { functions.contains(String($0.0)) }
    }

    /// What stands before the bracket that closes.
    private static func bracketed(_ code: Substring) -> String? {
        var depth = 1
        var previous: Character = " "
        for place in code.indices {
            let character = code[place]
            if character == "<" { depth += 1 }
            if character == ">", previous != "-" { depth -= 1 }
            if depth == 0 { return String(code[..<place].replacing(#/\s+/#, with: " ")) }
            if depth > 8 || character == ";" || character == "{" { return nil }
            previous = character
        }
        return nil
    }

    /// Without comments and what stands in strings.
    private static func code(_ text: String) -> String {
        text.replacing(#/(?s)"""(?:.*?)"""/#, with: "\"\"").split(separator: "\n", omittingEmptySubsequences: false)
            .map { line in
                line.replacing(#/"(?:[^"\\]|\\.)*"/#, with: "\"\"").replacing(#/\/\/.*/#, with: "")
            }.joined(separator: "\n")
    }
}
