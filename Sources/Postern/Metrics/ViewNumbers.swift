internal import Journal
internal import Synchronization

/// The numbers under which requests to views are counted, and where their names stand in the file of ``Metrics``.
final class ViewNumbers: Sendable {
    private typealias Layout = Metrics.Layout

    private let file: MappedFile
    /// Names of views by the numbers that were handed out, and the numbers that those have in the file. They are other ones
    /// where somebody has taken the file away and others have begun a new one.
    private let known = Mutex([[UInt8]](repeating: [], count: Layout.viewCapacity))
    private let numbersInFile = InlineArray<64, Atomic<Int>> { Atomic($0) }

    /// Of all views that found no place any more.
    private static let otherViews = 1
    private static let otherName = "other"

    init(in file: MappedFile) {
        self.file = file
        for name in ["none", Self.otherName] { _ = number(of: name) }
    }

    func number(of name: String) -> Int {
        let bytes = Array(name.utf8.prefix(Layout.nameSize - 1))
        return known.withLock { known in
            if let number = known.firstIndex(of: bytes) { return number }
            let inFile = putDown(bytes)
            guard inFile != Self.otherViews || bytes.elementsEqual(Self.otherName.utf8) else { return inFile }
            guard let number = known[inFile].isEmpty ? inFile : known.lastIndex(where: \.isEmpty) else {
                return Self.otherViews
            }
            known[number] = bytes
            numbersInFile[number].store(inFile, ordering: .relaxed)
            return number
        }
    }

    /// The number that all processes have for what has `number` here.
    func inFile(_ number: Int) -> Int { numbersInFile[number].load(ordering: .relaxed) }

    /// To be called when there is another file.
    func putDownAgain() {
        known.withLock { known in
            for (number, name) in known.enumerated() where !name.isEmpty {
                numbersInFile[number].store(putDown(name), ordering: .relaxed)
            }
        }
    }

    /// - Returns: The number that the name has in all processes.
    private func putDown(_ name: [UInt8]) -> Int {
        let lock = file.atomic(at: Layout.lockOffset)
        return CounterSet.withLock(lock, now: Metrics.monotonicTime() / 1_000_000) {
            let count = count
            if let number = (0..<count).first(where: { bytes(of: $0).elementsEqual(name) }) { return number }
            guard count < Layout.viewCapacity else { return Self.otherViews }
            let place = Layout.namesOffset + count * Layout.nameSize
            file.bytes[place] = UInt8(name.count)
            for (offset, byte) in name.enumerated() { file.bytes[place + 1 + offset] = byte }
            // Whoever sees the number sees the name.
            file.atomic(at: Layout.viewCountOffset).pointee.store(UInt64(count + 1), ordering: .releasing)
            return count
        }
    }

    /// By the numbers in the file.
    var names: [String] { (0..<count).map { String(decoding: bytes(of: $0), as: UTF8.self) } }

    private var count: Int {
        let count = file.atomic(at: Layout.viewCountOffset).pointee.load(ordering: .acquiring)
        return Int(min(count, UInt64(Layout.viewCapacity)))
    }

    private func bytes(of number: Int) -> UnsafeMutableRawBufferPointer.SubSequence {
        let place = Layout.namesOffset + number * Layout.nameSize
        let length = min(Int(file.bytes[place]), Layout.nameSize - 1)
        return file.bytes[(place + 1)..<(place + 1 + length)]
    }
}
