import Journal
import Postern

/// Whether there is a key that signs JSON Web Tokens, and how old it is.
struct SigningKeyCheck: DoctorCheck {
    let name = "key"
    let store: Store

    /// Two years: NIST SP 800-57 part 1, section 5.3.6, for keys of authentication and of signatures.
    private static let oldestDays: Int64 = 730

    func diagnose() -> Diagnosis {
        let ring: KeyRing
        do {
            ring = try store.keyRing()
        } catch {
            return Diagnosis(findings: [error.description])
        }
        let keys = ring.keys.compactMap { key in
            key.shapeOfKey.map {
                "The secret \(key.id) is \($0.rawValue), and anybody who knows it can sign tokens: run postern key retire \(key.id)."
            }
        }
        guard let signer = ring.signer(at: store.now()) else {
            return Diagnosis(findings: keys + ["No key signs JSON Web Tokens: run postern key generate."])
        }
        let days = (store.now().microseconds - signer.created.microseconds) / 86_400_000_000
        return Diagnosis(
            state: "\(signer.id), \(signer.key.algorithm.rawValue), \(days) days old",
            findings: keys
                + (days <= Self.oldestDays
                    ? []
                    : [
                        "The key \(signer.id) has signed for \(days) days: run postern key rotate, and postern key retire when what it signed has expired."
                    ])
        )
    }
}
