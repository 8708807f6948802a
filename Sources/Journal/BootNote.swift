/// Numbers in a slot of the lock file that mean something in one boot alone: name, boot, numbers, checksum.
enum BootNote {
    static func text(_ name: String, _ numbers: [Int64], in boot: [UInt8]) -> [UInt8] {
        let content = Array("\(name)\t".utf8) + boot + Array(numbers.map { "\t\($0)" }.joined().utf8)
        return content + Line.checksum(content, seed: 0).dropLast()
    }

    /// nil for what was not written like this, or in another boot.
    static func numbers(_ text: ArraySlice<UInt8>, in boot: [UInt8]) -> [Int64]? {
        let columns = text.split(separator: 0x09, omittingEmptySubsequences: false)
        guard columns.count > 3, columns[1].elementsEqual(boot) else { return nil }
        let numbers = columns.dropFirst(2).dropLast().compactMap { Decimal.parse($0) }
        let name = String(decoding: columns[0], as: UTF8.self)
        return self.text(name, numbers, in: boot).elementsEqual(text) ? numbers : nil
    }
}
