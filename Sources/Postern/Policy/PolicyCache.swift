internal import FastCGI
internal import Synchronization

/// Policies by the text of the parameters that they were read from, so that a request finds its policy
/// without parsing anything.
///
/// What is known stays, and is never changed: nobody who looks something up waits for anybody.
final class PolicyCache: Sendable {
    typealias Outcome = Result<Policy?, PolicyError>

    /// A location whose parameters vary without end (a variable in one of them) is read anew each time once
    /// so many texts are known.
    private static let capacity = 1024
    private static let chainCount = 256

    /// An element of a chain to which only its end can be added.
    private final class Entry: Sendable {
        let hash: UInt64
        let text: ParameterGroup
        let outcome: Outcome
        let next = WriteOnce<Entry>()

        init(hash: UInt64, text: ParameterGroup, outcome: Outcome) {
            self.hash = hash
            self.text = text
            self.outcome = outcome
        }
    }

    private let chains = InlineArray<256, WriteOnce<Entry>> { _ in WriteOnce() }
    private let count = Atomic(0)

    private static let selection = ParameterGroup.Selection(
        prefix: PolicyParameter.prefix,
        exceptions: PolicyParameter.ofRequest
    )

    /// The policy of these parameters; `read` makes it where it is not known.
    func policy(of parameters: Parameters, read: () -> Outcome) -> Outcome {
        let selected = parameters.select(Self.selection)
        // Nobody has a location of so many.
        if selected.isCutOff { return read() }
        let hash = selected.hash
        var place = chains[Int(hash % UInt64(Self.chainCount))].value
        while let entry = place {
            // A hash alone decides nothing.
            if entry.hash == hash, parameters.contains(selected, exactly: entry.text) { return entry.outcome }
            place = entry.next.value
        }
        let outcome = read()
        if count.load(ordering: .relaxed) < Self.capacity {
            count.add(1, ordering: .relaxed)
            add(Entry(hash: hash, text: parameters.group(Self.selection), outcome: outcome))
        }
        return outcome
    }

    /// Puts it at the end of its chain; twice, when two threads have read the same at once.
    private func add(_ entry: Entry) {
        var last = chains[Int(entry.hash % UInt64(Self.chainCount))].put(entry)
        while last !== entry { last = last.next.put(entry) }
    }
}
