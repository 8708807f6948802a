internal import CUnicode

/// Unicode's normalization form KC (UAX 15): what is the same letter to a reader is the same code points then. Django
/// composes usernames so.
///
/// The standard library has the combining classes and no compatibility decompositions, so those are tables of ours, of the
/// Unicode version that `unicode_version()` says. Characters that are newer than it stay as they are.
enum NFKC {
    static func composed(_ text: String) -> String {
        guard !text.utf8.allSatisfy(UTF8.isASCII) else { return text }
        var result = String.UnicodeScalarView()
        result.append(contentsOf: composed(text.unicodeScalars))
        return String(result)
    }

    static func composed(_ text: some Sequence<Unicode.Scalar>) -> [Unicode.Scalar] {
        var decomposed: [Part] = []
        for scalar in text { decompose(scalar, into: &decomposed) }
        return compose(decomposed)
    }

    private struct Part {
        let scalar: Unicode.Scalar
        /// 0: it begins something.
        let combiningClass: UInt8

        init(_ scalar: Unicode.Scalar) {
            self.scalar = scalar
            combiningClass = scalar.properties.canonicalCombiningClass.rawValue
        }
    }

    private static func decompose(_ scalar: Unicode.Scalar, into parts: inout [Part]) {
        if let jamo = Hangul.jamo(of: scalar) {
            for scalar in jamo { parts.append(Part(scalar)) }
            return
        }
        let decomposition = unicode_decomposition(scalar.value)
        guard decomposition.count > 0 else { return insert(Part(scalar), into: &parts) }
        for place in decomposition.start..<decomposition.start + decomposition.count {
            if let part = Unicode.Scalar(unicode_part(place)) { insert(Part(part), into: &parts) }
        }
    }

    /// Appends in canonical order (UAX 15, D109): marks by their classes, those of one class as they came.
    private static func insert(_ part: Part, into parts: inout [Part]) {
        var place = parts.count
        guard part.combiningClass > 0 else { return parts.append(part) }
        while place > 0, parts[place - 1].combiningClass > part.combiningClass { place -= 1 }
        parts.insert(part, at: place)
    }

    /// The canonical composition algorithm (UAX 15, D117).
    private static func compose(_ parts: [Part]) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        var starter: Int?
        /// Of the last of `result`, which blocks what is not of a higher one, unless it is the starter itself.
        var lastClass: UInt8 = 0
        for part in parts {
            if let starter, starter == result.count - 1 || lastClass < part.combiningClass,
                let composite = composite(result[starter], part.scalar)
            {
                result[starter] = composite
                continue
            }
            if part.combiningClass == 0 { starter = result.count }
            lastClass = part.combiningClass
            result.append(part.scalar)
        }
        return result
    }

    private static func composite(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
        if let syllable = Hangul.syllable(of: first, second) { return syllable }
        let composed = unicode_composed(first.value, second.value)
        return composed == 0 ? nil : Unicode.Scalar(composed)
    }
}

/// Syllables of Hangul, whose parts are computed (The Unicode Standard, section 3.12).
private enum Hangul {
    private static let (syllables, leads, vowels, tails): (UInt32, UInt32, UInt32, UInt32) = (
        0xAC00, 0x1100, 0x1161, 0x11A7
    )
    private static let (leadCount, vowelCount, tailCount): (UInt32, UInt32, UInt32) = (19, 21, 28)

    static func jamo(of scalar: Unicode.Scalar) -> [Unicode.Scalar]? {
        guard scalar.value >= syllables, scalar.value - syllables < leadCount * vowelCount * tailCount else {
            return nil
        }
        let (pair, tail) = (scalar.value - syllables).quotientAndRemainder(dividingBy: tailCount)
        let (lead, vowel) = pair.quotientAndRemainder(dividingBy: vowelCount)
        let parts = [leads + lead, vowels + vowel] + (tail > 0 ? [tails + tail] : [])
        return parts.compactMap(Unicode.Scalar.init)
    }

    /// Of a lead and a vowel, or of such a syllable and a tail.
    static func syllable(of first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
        let (first, second) = (first.value, second.value)
        if leads..<leads + leadCount ~= first, vowels..<vowels + vowelCount ~= second {
            return Unicode.Scalar(syllables + ((first - leads) * vowelCount + second - vowels) * tailCount)
        }
        guard syllables..<syllables + leadCount * vowelCount * tailCount ~= first,
            (first - syllables).isMultiple(of: tailCount), tails + 1..<tails + tailCount ~= second
        else { return nil }
        return Unicode.Scalar(first + second - tails)
    }
}
