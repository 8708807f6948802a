internal import FastCGI
internal import Synchronization

/// Policies by the text of the parameters that they were read from, so that a request finds its policy
/// without parsing anything.
final class PolicyCache: Sendable {
    typealias Outcome = Result<Policy?, PolicyError>

    /// A location whose parameters vary without end (a variable in one of them) is read anew each time once
    /// so many texts are known.
    private static let capacity = 1024

    private struct Entry {
        let text: [(name: [UInt8], value: [UInt8])]
        let outcome: Outcome
    }

    private let entries = Mutex<[Int: Entry]>([:])

    /// The policy of these parameters; `read` makes it where it is not known.
    func policy(of parameters: Parameters, read: () -> Outcome) -> Outcome {
        let key = Self.hash(parameters)
        if let outcome = entries.withLock({ entries in
            entries[key].flatMap { Self.matches($0, parameters) ? $0.outcome : nil }
        }) {
            return outcome
        }
        let outcome = read()
        let text = Self.policyPositions(parameters).map { (Array(parameters[$0].name), Array(parameters[$0].value)) }
        entries.withLock { entries in
            if entries.count < Self.capacity { entries[key] = Entry(text: text, outcome: outcome) }
        }
        return outcome
    }

    private static let ofRequest = PolicyParameter.ofRequest.map { Array($0.rawValue.utf8)[...] }

    private static func policyPositions(_ parameters: Parameters) -> some Sequence<Int> {
        (0..<parameters.count).lazy.filter { position in
            let name = parameters[position].name
            return name.starts(with: PolicyParameter.prefix) && !ofRequest.contains(name)
        }
    }

    private static func hash(_ parameters: Parameters) -> Int {
        var hasher = Hasher()
        for position in policyPositions(parameters) {
            let (name, value) = parameters[position]
            name.withUnsafeBytes { hasher.combine(bytes: $0) }
            hasher.combine(0xFF as UInt8)
            value.withUnsafeBytes { hasher.combine(bytes: $0) }
            hasher.combine(0xFF as UInt8)
        }
        return hasher.finalize()
    }

    /// Whether the entry was made of just these texts, in this order: a hash alone decides nothing.
    private static func matches(_ entry: Entry, _ parameters: Parameters) -> Bool {
        entry.text.elementsEqual(policyPositions(parameters)) { known, position in
            let (name, value) = parameters[position]
            return known.name.elementsEqual(name) && known.value.elementsEqual(value)
        }
    }
}
