internal import Journal

/// A span of time as people write it: `90s`, `5m`, `12h`, `14d`.
public enum TimeSpan {
    /// nil for anything else, and for more than a hundred years.
    public static func seconds(_ text: String) -> Int64? {
        let units: [UInt8: Int64] = [
            UInt8(ascii: "s"): 1, UInt8(ascii: "m"): 60, UInt8(ascii: "h"): 3600, UInt8(ascii: "d"): 86400,
        ]
        guard let unit = text.utf8.last.flatMap({ units[$0] }),
            let count = Decimal.parse(Array(text.utf8.dropLast())[...]), count <= 3_155_760_000 / unit
        else { return nil }
        return count * unit
    }
}
