import Testing

@testable import Postern

@Suite("What is remembered of secrets")
struct DigestTableTests {
    private let key = KeyedDigest.Key()

    private func digest(_ parts: String..., number: UInt64? = nil, key: KeyedDigest.Key? = nil) -> KeyedDigest {
        var builder = KeyedDigest.Builder(key ?? self.key)
        if let number { builder.add(number) }
        for part in parts { builder.add(Array(part.utf8)[...]) }
        return builder.digest
    }

    @Test("A digest is that of the same parts in the same order under the same key, and of no others")
    func digests() {
        let long = String(repeating: "x", count: 3000)
        #expect(digest("ann", "secret") == digest("ann", "secret"))
        #expect(digest(long) == digest(long))
        let others = [
            digest("annsecret"), digest("anns", "ecret"), digest("secret", "ann"), digest("ann", "secret", ""),
            digest("", "ann", "secret"), digest("ann", "secret\0"), digest("ann", "secret", number: 0),
            digest("ann", "secret", key: KeyedDigest.Key()), digest(), digest(""), .none,
        ]
        for (place, other) in others.enumerated() {
            #expect(other != digest("ann", "secret"))
            // Of no parts there is nothing to be digested.
            #expect(others[..<place].allSatisfy { $0 != other || other == .none })
        }
        #expect(digest(long) != digest(long.dropLast() + "y"))
        #expect(digest(long) != digest("y" + long.dropFirst()))
    }

    @Test("It holds what was put there last, and never more than it may")
    func capacity() {
        let table = DigestTable<Int>(capacity: 1024)
        #expect(table.capacity == 1024)
        #expect(table[digest("0")] == nil)
        for number in 0..<5000 {
            table.put(number, at: digest("\(number)"))
            #expect(table[digest("\(number)")] == number)
        }
        #expect(table.count == table.capacity)
        let known = (0..<5000).filter { (number: Int) in table[digest("\(number)")] == number }
        #expect(known.count == table.capacity)
        // Those that went were mostly the oldest.
        #expect(known.reduce(0, +) / known.count > 3500)
        table.put(-1, at: digest("4999"))
        #expect(table[digest("4999")] == -1)
        #expect(table.count == table.capacity)
    }

    @Test("What is over goes before what is not")
    func over() {
        let table = DigestTable<Int>(capacity: 512)
        for number in 0..<4000 { table.put(number % 2, at: digest("\(number)")) { $0 == 0 } }
        // Of a full set one place at most is left to what is over: the next one takes it.
        let over = (0..<4000).filter { $0 % 2 == 0 && table[digest("\($0)")] != nil }
        #expect(table.count == table.capacity)
        #expect(over.count <= 64)
    }
}
