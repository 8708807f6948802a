import Testing

@testable import Postern

@Suite("Base62")
struct Base62Tests {
    @Test("As many characters as were asked for, each as often as any other", arguments: [1, 22, 300])
    func random(count: Int) {
        var times: [UInt8: Int] = [:]
        let rounds = 62_000 / count
        for _ in 0..<rounds {
            let text = Base62.random(count: count).utf8
            #expect(text.count == count)
            for character in text { times[character, default: 0] += 1 }
        }
        #expect(Set(times.keys) == Set(Base62.alphabet))
        // Chi-squared with 61 degrees of freedom: beyond 180 once in 10^13 runs.
        let expected = Double(rounds * count) / 62
        #expect(times.values.map { (Double($0) - expected) * (Double($0) - expected) / expected }.reduce(0, +) < 180)
    }
}
