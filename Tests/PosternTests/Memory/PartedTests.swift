import TestSupport
import Testing

@testable import Postern

@Suite("A dictionary in parts", .randomized)
struct PartedTests {
    @Test("It holds what a dictionary holds, and a copy keeps what it had")
    func same() {
        var (parted, plain) = (Parted<Int64, Int>(), [Int64: Int]())
        for step in 0..<20_000 {
            let key = Int64.random(in: -500...1500, using: &seeded)
            switch step % 4 {
            case 0: #expect(parted.replace(key, with: nil) == plain.removeValue(forKey: key))
            case 1: #expect(parted.replace(key, with: step) == plain.updateValue(step, forKey: key))
            case 2:
                parted.change(key) { $0 = $0.map { $0 + 1 } }
                plain[key] = plain[key].map { $0 + 1 }
            default:
                parted.change(key) { $0 = step }
                plain[key] = step
            }
            #expect(parted[key] == plain[key])
            #expect(parted.count == plain.count)
        }
        #expect(parted.keys.sorted() == plain.keys.sorted())
        #expect(parted.values.sorted() == plain.values.sorted())
        let copy = parted
        for key in plain.keys { parted[key] = nil }
        #expect(parted.count == 0)
        #expect(parted.keys.sorted() == [])
        #expect(copy.count == plain.count)
        #expect(copy.values.sorted() == plain.values.sorted())
    }
}
