import ArgumentParser
import Journal
import Postern

/// When a token ends: `never`, a time from now as `90m`, `12h`, `30d`, or a time as RFC 3339 writes it.
enum Expiry: ExpressibleByArgument {
    case never
    case after(seconds: Int64)
    case at(Timestamp)

    /// ASVS 5.0, V7.2.2, wants static tokens to have an end.
    static let `default` = Expiry.after(seconds: 365 * 86400)

    init?(argument: String) {
        if argument == "never" {
            self = .never
        } else if let time = Timestamp(rfc3339: Array(argument.utf8)[...]) {
            self = .at(time)
        } else {
            let units: [Character: Int64] = ["m": 60, "h": 3600, "d": 86400]
            guard let unit = argument.last.flatMap({ units[$0] }), let count = Int64(argument.dropLast()),
                (1...36500).contains(count)
            else { return nil }
            self = .after(seconds: count * unit)
        }
    }

    func time(from now: Timestamp) -> Timestamp? {
        switch self {
        case .never: nil
        case .after(let seconds): Timestamp(microseconds: now.microseconds + seconds * 1_000_000)
        case .at(let time): time
        }
    }
}
