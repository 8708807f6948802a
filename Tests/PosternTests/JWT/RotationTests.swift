import Journal
import Testing

@testable import Postern

@Suite("Refresh tokens that are used up")
struct RotationTests {
    private let temporary: TemporaryStore
    private var store: Store { temporary.store }

    init() throws { temporary = try TemporaryStore() }

    /// - Parameter grace: Seconds for which the same caller gets the same successor.
    private func rotate(_ jti: String, of family: String, to new: String, grace: Int64 = 0) throws -> Store.Rotated {
        let expires = store.now().adding(seconds: 60)
        return try store.rotate(
            Array(jti.utf8),
            of: Array(family.utf8),
            expires: expires,
            successor: RefreshSuccessor(jti: Array(new.utf8), issued: store.now(), expires: expires),
            caller: Array("somebody".utf8),
            grace: grace
        )
    }

    private func isSuccessor(_ outcome: Store.Rotated, _ jti: String) -> Bool {
        if case .successor(let successor) = outcome { successor.jti == Array(jti.utf8) } else { false }
    }

    @Test("One that comes again is a copy's sign once; then its family is dead, and that is none")
    func reuse() throws {
        #expect(isSuccessor(try rotate("a", of: "a", to: "b"), "b"))
        #expect(isSuccessor(try rotate("a", of: "a", to: "c", grace: 60), "b"))
        #expect(isSuccessor(try rotate("b", of: "a", to: "c"), "c"))
        #expect(try rotate("a", of: "a", to: "d") == .reused)
        #expect(try store.isRevoked(Array("a".utf8)))
        for jti in ["a", "b", "c"] { #expect(try rotate(jti, of: "a", to: "e") == .refused) }
    }

    @Test("One whose family was revoked, or is not known and began with another, is refused and changes nothing")
    func refused() throws {
        try store.revoke(Array("a".utf8), expires: store.now().adding(seconds: 60))
        let before = try temporary.contents(of: "revocations")
        #expect(try rotate("a", of: "a", to: "b") == .refused)
        #expect(try rotate("y", of: "x", to: "z", grace: 60) == .refused)
        #expect(try temporary.contents(of: "revocations") == before)
        #expect(try !store.isRevoked(Array("x".utf8)))
        #expect(try store.refreshFamily(Array("x".utf8)) == nil)
    }
}
