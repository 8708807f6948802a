internal import Journal

/// Makes a ``TokenIndex`` of the lines of a journal, with some 33 bytes of memory a token, and 8 more at the end.
struct TokenIndexBuilder {
    private var ids: [Token.ID] = []
    /// 0 for those that were revoked.
    private var offsets: [Int64] = []
    private var users: [User.ID] = []
    private var sources: [UInt8] = []
    /// The first words of their digests.
    private var digests: [UInt64] = []
    private var renewals: [Token.ID: Timestamp] = [:]
    private var lastID: Token.ID = 0
    private var events = 0

    mutating func apply(_ line: EventLine) throws(EventError) {
        events += 1
        switch try TokenEvent(line) {
        case .issued(let id, var columns):
            guard id > lastID, id < .max else { throw .malformed }
            digests.append(try columns.digest().firstWord)
            users.append(try columns.integer())
            sources.append(try Token.Source(behindUser: &columns)?.rawValue ?? 0)
            ids.append(id)
            offsets.append(line.offset)
            lastID = id
        case .renewed(let id, let expires): renewals[id] = expires
        case .revoked(let id):
            if let place = place(of: id) { offsets[place] = 0 }
            renewals[id] = nil
        case .lastID(let id):
            guard id < .max else { throw .malformed }
            lastID = max(lastID, id)
        }
    }

    private func place(of id: Token.ID) -> Int? { TokenIndexLayout.place(of: id, among: ids.count) { ids[$0] } }

    /// - Throws: ``JournalError`` among others where the disk is full.
    mutating func save(_ source: JournalSource, _ checkpoint: JournalSource.Checkpoint) throws(JournalError) {
        guard let layout = finish(checkpoint) else { return }
        try source.save(layout.size) { put(layout, checkpoint, in: $0) }
    }

    /// Lends what ``save(_:_:)`` would save; nil where there can be no index.
    func withIndex<Result>(
        _ checkpoint: JournalSource.Checkpoint,
        _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result? {
        var copy = self
        guard let layout = copy.finish(checkpoint) else { return nil }
        let file = UnsafeMutableRawBufferPointer.allocate(byteCount: layout.size, alignment: 8)
        defer { file.deallocate() }
        file.initializeMemory(as: UInt8.self, repeating: 0)
        copy.put(layout, checkpoint, in: file)
        return body(UnsafeRawBufferPointer(file))
    }

    /// nil where the numbers are too great for an index.
    private mutating func finish(_ checkpoint: JournalSource.Checkpoint) -> TokenIndexLayout? {
        dropRevoked()
        renewals = renewals.filter { place(of: $0.key) != nil }
        guard checkpoint.offset <= Int64(TokenIndexLayout.offsetMask) else { return nil }
        return TokenIndexLayout(count: ids.count, renewalCount: renewals.count)
    }

    /// - Parameter file: As many bytes as the layout says, all of them zero.
    private func put(
        _ layout: TokenIndexLayout,
        _ checkpoint: JournalSource.Checkpoint,
        in file: UnsafeMutableRawBufferPointer
    ) {
        put(ids, at: layout.ids, in: file)
        put(offsets, at: layout.offsets, in: file)
        put(users, at: layout.users, in: file)
        let known = renewals.sorted { $0.key < $1.key }
        put(known.flatMap { [$0.key, $0.value.microseconds] }, at: layout.renewals, in: file)
        putOrder(layout, in: file)
        putSlots(layout, in: file)
        putHeader(checkpoint, known.count, in: file)
    }

    private mutating func dropRevoked() {
        var kept = 0
        for place in ids.indices where offsets[place] != 0 {
            ids[kept] = ids[place]
            offsets[kept] = offsets[place]
            users[kept] = users[place]
            sources[kept] = sources[place]
            digests[kept] = digests[place]
            kept += 1
        }
        ids.removeLast(ids.count - kept)
        offsets.removeLast(offsets.count - kept)
        users.removeLast(users.count - kept)
        sources.removeLast(sources.count - kept)
        digests.removeLast(digests.count - kept)
    }

    private func put(_ numbers: [Int64], at offset: Int, in file: UnsafeMutableRawBufferPointer) {
        numbers.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: file[offset...]).copyMemory(from: $0) }
    }

    private func putOrder(_ layout: TokenIndexLayout, in file: UnsafeMutableRawBufferPointer) {
        sources.withUnsafeBytes {
            UnsafeMutableRawBufferPointer(rebasing: file[layout.sources...]).copyMemory(from: $0)
        }
        for (rank, place) in order.enumerated() {
            file.storeBytes(of: place, toByteOffset: layout.order + 4 * rank, as: UInt32.self)
        }
    }

    /// The places of all tokens, by user, source and id.
    private var order: [UInt32] {
        let places = users.indices.lazy.map { UInt32(truncatingIfNeeded: $0) }
        // One number of all three where ids of users are no greater than that: it sorts several times as fast.
        if users.allSatisfy({ (0..<1 << 28).contains($0) }) {
            var keys: [UInt64] = places.map { place in
                UInt64(users[Int(place)]) << 35 | UInt64(sources[Int(place)]) << 32 | UInt64(place)
            }
            keys.sort()
            return keys.map { UInt32(truncatingIfNeeded: $0) }
        }
        return places.sorted { one, other in
            (users[Int(one)], sources[Int(one)], one) < (users[Int(other)], sources[Int(other)], other)
        }
    }

    private func putSlots(_ layout: TokenIndexLayout, in file: UnsafeMutableRawBufferPointer) {
        for (place, digest) in digests.enumerated() {
            var slot = layout.slot(of: digest)
            while file.loadUnaligned(fromByteOffset: layout.slots + 8 * slot, as: UInt64.self) != 0 {
                slot = layout.slot(after: slot)
            }
            let word = TokenIndexLayout.fingerprint(of: digest) | UInt64(bitPattern: offsets[place])
            file.storeBytes(of: word, toByteOffset: layout.slots + 8 * slot, as: UInt64.self)
        }
    }

    private func putHeader(
        _ checkpoint: JournalSource.Checkpoint,
        _ renewalCount: Int,
        in file: UnsafeMutableRawBufferPointer
    ) {
        func put(_ value: Int64, _ field: TokenIndexLayout.Field) {
            file.storeBytes(of: value, toByteOffset: 8 * field.rawValue, as: Int64.self)
        }
        put(TokenIndexLayout.magic, .magic)
        UnsafeMutableRawBufferPointer(rebasing: file[(8 * TokenIndexLayout.Field.fileID0.rawValue)...])
            .copyBytes(from: checkpoint.fileID)
        put(checkpoint.offset, .offset)
        put(checkpoint.sequence, .sequence)
        put(Int64(checkpoint.checksum), .checksum)
        put(checkpoint.greatestTime.microseconds, .greatestTime)
        put(Int64(events), .events)
        put(lastID, .lastID)
        put(Int64(ids.count), .count)
        put(Int64(renewalCount), .renewalCount)
        put(TokenIndexLayout.tableChecksum(of: UnsafeRawBufferPointer(file)), .tableChecksum)
        put(TokenIndexLayout.headerChecksum(of: UnsafeRawBufferPointer(file)), .headerChecksum)
    }
}
