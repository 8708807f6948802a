/// The first line of a journal's file, and the id in it: 32 hexadecimal digits.
///
/// Sixteen of them are the lineage, which a file and all that are made of it by compaction have in common. Six count those
/// compactions, so that of two such files the older one is known. The others are drawn anew for each file.
struct FileHeader: Equatable {
    let name: String
    let fileID: [UInt8]

    static let idLength = 32
    private static let lineageLength = 16
    private static let generationLength = 6

    var line: [UInt8] {
        let content = Array("postern-journal\t1\t\(name)\t".utf8) + fileID
        return content + Line.checksum(content, seed: 0)
    }

    /// nil when `bytes` do not begin with the header of a journal of this name.
    init?(name: String, parsing bytes: ArraySlice<UInt8>) {
        guard let line = Line(bytes, seed: 0) else { return nil }
        let columns = bytes.prefix(line.contentLength).split(separator: 0x09, omittingEmptySubsequences: false)
        guard columns.count == 4, Self.isID(columns[3]) else { return nil }
        self.init(name: name, fileID: Array(columns[3]))
        guard self.line == Array(bytes.prefix(line.length)) else { return nil }
    }

    /// Whether `bytes` begin with the header of a journal of another name.
    static func isOther(than name: String, _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let line = Line(bytes.prefix(256), seed: 0) else { return false }
        let columns = bytes.prefix(line.contentLength).split(separator: 0x09, omittingEmptySubsequences: false)
        return columns.count == 4 && columns[0].elementsEqual("postern-journal".utf8)
            && !columns[2].elementsEqual(name.utf8)
    }

    init(name: String, fileID: [UInt8]) {
        self.name = name
        self.fileID = fileID
    }

    /// Of a file that is made of no other one.
    init(new name: String, _ system: any System) {
        self.init(name: name, lineage: Self.randomID(system).prefix(Self.lineageLength), generation: 0, system)
    }

    private init(name: String, lineage: ArraySlice<UInt8>, generation: UInt32, _ system: any System) {
        let count = Hexadecimal.digits(generation).suffix(Self.generationLength)
        let random = Self.randomID(system).suffix(Self.idLength - Self.lineageLength - Self.generationLength)
        self.init(name: name, fileID: Array(lineage) + count + random)
    }

    static func randomID(_ system: any System) -> [UInt8] {
        (0..<idLength / 8).flatMap { _ in Hexadecimal.digits(UInt32(truncatingIfNeeded: system.random())) }
    }

    static func isID(_ text: some Collection<UInt8>) -> Bool {
        text.count == idLength && text.allSatisfy { Hexadecimal.value($0) != nil }
    }

    var lineage: ArraySlice<UInt8> { Self.lineage(of: fileID) }

    static func lineage(of id: [UInt8]) -> ArraySlice<UInt8> { id.prefix(lineageLength) }

    /// How many compactions led to the file of this id. Versions that did not count have drawn it.
    static func generation(of id: [UInt8]) -> UInt32 {
        id.dropFirst(lineageLength).prefix(generationLength)
            .reduce(0) { $0 << 4 | UInt32(Hexadecimal.value($1) ?? 0) }
    }

    /// Of a new file that is to hold everything of this one that counts. nil where there have been too many.
    func compacted(_ system: any System) -> FileHeader? {
        let next = Self.generation(of: fileID) + 1
        guard next >> (4 * Self.generationLength) == 0 else { return nil }
        return FileHeader(name: name, lineage: lineage, generation: next, system)
    }

    /// Whether one of the files was made of the other by compaction.
    static func isCompacted(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        one != other && lineage(of: one) == lineage(of: other)
    }
}
