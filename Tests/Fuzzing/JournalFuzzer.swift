/// What libFuzzer calls: whatever stands in a journal's file is read to some end, and no line is believed whose checksum
/// is not right by a computation of its own. `make fuzz` builds and runs it.
///
/// The first byte of the input says what the rest is: the groups of a file as they are, changes to a good file, a record of
/// the lock file, or the beginning of a file.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJournal(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    let rest = Array(input.dropFirst())
    switch input.first.map({ $0 % 4 }) {
    case 0: readGroups(rest)
    case 1: readGroups(changed(goodGroups, by: rest))
    case 2: readRecord(rest)
    case 3: readHeader(rest)
    default: break
    }
    return 0
}

private let header = FileHeader(name: "events", fileID: Array(repeating: UInt8(ascii: "a"), count: 32))

/// What stands behind the header in a file of some groups.
private let goodGroups: [UInt8] = {
    var (position, bytes) = (ChainPosition(after: header), [UInt8]())
    for number in 0..<6 {
        var lines = UnwrittenLines()
        for column in 0...number % 3 {
            lines.add(
                Event(time: Timestamp(seconds: 1_795_445_580), [Array("issued".utf8), [UInt8(column), 0x5C, 0xC3]])
            )
        }
        position.put(lines, synced: position.offset, into: &bytes)
    }
    return bytes
}()

/// Three bytes of `changes` at a time: where, and what stands there now; an odd one cuts the end off.
private func changed(_ bytes: [UInt8], by changes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    for change in stride(from: 0, to: changes.count - 2, by: 3) {
        let place = Int(changes[change]) << 8 | Int(changes[change + 1])
        if place < bytes.count { bytes[place] = changes[change + 2] }
    }
    if changes.count % 3 == 1, let last = changes.last { bytes.removeLast(min(bytes.count, Int(last))) }
    return bytes
}

private func readGroups(_ bytes: [UInt8]) {
    var position = ChainPosition(after: header)
    _ = position.greatestMark(in: bytes[...])
    bytes.withUnsafeBytes { bytes in
        var rest = bytes
        while let group = position.take(rest) {
            require(rest.prefix(group.length).last == 0x0A, "a group does not end with a line")
            checkChecksums(of: rest.prefix(group.length))
            for line in group { readColumns(of: line) }
            rest = rest.dropFirst(group.length)
        }
    }
}

/// By the tables, line by line, from the file's checksum on.
private func checkChecksums(of group: UnsafeRawBufferPointer) {
    var seed = ChainPosition(after: header).fileChecksum
    for line in group.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast() {
        let line = UnsafeRawBufferPointer(rebasing: line)
        require(line.count > 9, "a line has no room for its checksum")
        seed = CRC32.castagnoli.checksumByTables(of: line.prefix(line.count - 9), seed: seed)
        require(line.dropFirst(line.count - 8).elementsEqual(Hexadecimal.digits(seed)), "a checksum is wrong")
    }
}

private func readColumns(of line: EventLine) {
    readAll(of: line) { try $0.bytes() }
    readAll(of: line) { try $0.text() }
    readAll(of: line) { try $0.integer() }
    readAll(of: line) { try $0.time() }
    readAll(of: line) { try $0.words() }
    readAll(of: line) { try $0.optionalTime() }
    readAll(of: line) { try $0.optionalInteger() }
    guard let event = Event(line) else { return }
    event.withLine { again in require(Event(again) == event, "an event reads back as another") }
}

private func readAll<Column>(of line: EventLine, as column: (inout EventReader) throws -> Column) {
    var reader = EventReader(line)
    while !reader.isAtEnd, (try? column(&reader)) != nil {}
}

private func readRecord(_ bytes: [UInt8]) {
    guard let record = SyncRecord(parsing: bytes[...]) else { return }
    require(record.text == bytes, "a record reads back as another")
}

private func readHeader(_ bytes: [UInt8]) {
    guard let header = FileHeader(name: "events", parsing: bytes[...]) else { return }
    require(bytes.starts(with: header.line), "a header reads back as another")
}

private func require(_ condition: Bool, _ what: StaticString) {
    if !condition { fatalError("\(what)") }
}
