/// Finds passwords that are long but are guessed at once: one or two of the most common ones, of words that say
/// where the password is used, and around them digits, signs, runs and rows of keys (NIST SP 800-63B-4, 3.1.1.2;
/// OWASP ASVS 5.0, V6.2.4 and V6.2.11).
enum CommonPasswords {
    /// A password of more such words than this is a phrase.
    private static let maximumWords = 2
    /// One of as many bytes is nobody's first guess, whatever it is made of.
    private static let longEnough = 64

    /// - Parameter context: Words that whoever guesses tries too, such as the username.
    static func contain(_ password: String, context: [String]) -> Bool {
        guard password.utf8.count < longEnough else { return false }
        let text = password.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
        let words = Set(context.map { Array($0.lowercased().utf8) }.filter { $0.count >= 3 })
        return [text, text.map(letter)].contains { isRepetition($0) || isCheap($0, words) }
    }

    /// The most common passwords, read when one is first looked up.
    private static let words: Set<[UInt8]> = list.withUTF8Buffer { text in
        Set(text.split { $0 == 0x20 || $0 == 0x0A }.map(Array.init))
    }

    private static let longestWord = words.map(\.count).max() ?? 0

    /// Whether it can be cut into few words and what costs a guesser nothing.
    private static func isCheap(_ text: [UInt8], _ context: Set<[UInt8]>) -> Bool {
        let longest = max(longestWord, context.map(\.count).max() ?? 0)
        // The least number of words that reach to each position.
        var cost = [Int](repeating: maximumWords + 1, count: text.count + 1)
        cost[0] = 0
        for start in text.indices where cost[start] <= maximumWords {
            if !isLetter(text[start]), text[start] < 0x80 { cost[start + 1] = min(cost[start + 1], cost[start]) }
            let run = runLength(text, from: start)
            if run >= 3 { cost[start + run] = min(cost[start + run], cost[start]) }
            for end in start + 3..<max(start + 3, min(text.count, start + longest) + 1) {
                let word = Array(text[start..<min(end, text.count)])
                if context.contains(word) || words.contains(word) { cost[end] = min(cost[end], cost[start] + 1) }
            }
        }
        return cost[text.count] <= maximumWords
    }

    /// How many characters from `start` on are the same, or follow one another in the alphabet, backwards too, or on
    /// a keyboard.
    private static func runLength(_ text: [UInt8], from start: Int) -> Int {
        let steps = [0, 1, -1].map { step in
            var end = start + 1
            while end < text.count, isLetter(text[end]), Int(text[end]) - Int(text[end - 1]) == step { end += 1 }
            return end - start
        }
        let rows = rows.map { row in
            guard let place = row.firstIndex(of: text[start]) else { return 0 }
            return zip(text[start...], row[place...]).prefix { $0 == $1 }.count
        }
        return (steps + rows).max() ?? 0
    }

    private static let rows = ["qwertyuiop", "asdfghjkl", "zxcvbnm", "poiuytrewq", "lkjhgfdsa", "mnbvcxz", "qwertz"]
        .map { Array($0.utf8) }

    /// Whether it is a short text of ASCII again and again.
    private static func isRepetition(_ text: [UInt8]) -> Bool {
        guard text.count >= 2, text.allSatisfy({ $0 < 0x80 }) else { return false }
        return (1...min(8, text.count / 2)).contains { length in
            text.indices.allSatisfy { text[$0] == text[$0 % length] }
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }

    /// The letter that a sign stands for where people think that it makes a difference.
    private static func letter(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "@"), UInt8(ascii: "4"): UInt8(ascii: "a")
        case UInt8(ascii: "3"): UInt8(ascii: "e")
        case UInt8(ascii: "1"), UInt8(ascii: "!"): UInt8(ascii: "i")
        case UInt8(ascii: "0"): UInt8(ascii: "o")
        case UInt8(ascii: "$"), UInt8(ascii: "5"): UInt8(ascii: "s")
        case UInt8(ascii: "7"): UInt8(ascii: "t")
        default: byte
        }
    }
}
