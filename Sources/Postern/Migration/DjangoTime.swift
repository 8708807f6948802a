internal import Journal

/// A time as `DjangoJSONEncoder` writes it: with `Z`, with an offset as `+02:00`, or, where the project has no time zones,
/// with neither.
struct DjangoTime {
    /// What has no zone is taken as UTC.
    let time: Timestamp
    let hasZone: Bool

    /// Seconds by which the zone that is farthest away differs from UTC.
    static let greatestOffset: Int64 = 14 * 3600

    /// nil for `null` and for what is not there.
    /// - Throws: ``ImportRecordError`` for what is no time.
    init?(_ value: JSONValue?) throws(ImportRecordError) {
        switch value {
        case nil, .null: return nil
        default: break
        }
        guard let (time, hasZone) = Self.read(Array((value?.text ?? "").utf8)) else {
            throw ImportRecordError("a time of it cannot be read.")
        }
        (self.time, self.hasZone) = (time, hasZone)
    }

    private static func read(_ text: [UInt8]) -> (Timestamp, Bool)? {
        if let time = Timestamp(rfc3339: text[...]) { return (time, true) }
        if let time = Timestamp(rfc3339: (text + [UInt8(ascii: "Z")])[...]) { return (time, false) }
        guard text.count > 6, let time = Timestamp(rfc3339: (text.dropLast(6) + [UInt8(ascii: "Z")])[...]),
            let seconds = offset(text.suffix(6))
        else { return nil }
        return (time.adding(seconds: -seconds), true)
    }

    /// Of `+02:00`, in seconds.
    private static func offset(_ text: ArraySlice<UInt8>) -> Int64? {
        let parts = text.dropFirst().split(separator: UInt8(ascii: ":"))
        guard let sign = text.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), parts.count == 2,
            parts.allSatisfy({ $0.count == 2 }), let hours = Int64(String(decoding: parts[0], as: UTF8.self)),
            let minutes = Int64(String(decoding: parts[1], as: UTF8.self)), (0...14).contains(hours),
            (0..<60).contains(minutes)
        else { return nil }
        return (sign == UInt8(ascii: "-") ? -1 : 1) * (hours * 3600 + minutes * 60)
    }
}
