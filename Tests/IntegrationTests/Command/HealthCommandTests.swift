import Foundation
import Testing

@Suite("The command health")
struct HealthCommandTests {
    @Test("It says what the server says, by the address of the flag or of the server's own setting")
    func answers() throws {
        let site = try Site(users: false)
        let healthy = try site.postern(["health", "--socket", site.socket])
        #expect(healthy.code == 0)
        #expect(healthy.output == "{\"status\":\"ok\"}\n")
        #expect(healthy.error.isEmpty)
        let configured = try Child.run(
            Site.binary,
            ["health"],
            environment: ["POSTERN_SERVE_LISTEN": site.socket]
        )
        #expect(configured.code == 0, "\(configured.error)")
        #expect(configured.output == healthy.output, "\(configured.error)")

        chmod(site.store + "/users", 0o644)
        try eventually("the server notices") { try site.postern(["health", "--socket", site.socket]).code == 69 }
        let ill = try site.postern(["health", "--socket", site.socket])
        #expect(ill.output.isEmpty, "\(ill.error)")
        #expect(ill.error.contains("The store cannot be read."), "\(ill.error)")
        #expect(try site.postern(["health", "--socket", site.socket, "--live"]).code == 0)
    }

    @Test("Nobody there, what is no server, and what is no address")
    func noAnswer() throws {
        let folder = try Site.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func ask(_ address: String) throws -> Child.Finished {
            try Child.run(Site.binary, ["health", "--socket", address])
        }
        let nobody = try ask(folder + "/none.sock")
        #expect(nobody.code == 69)
        #expect(nobody.error.contains("Nobody answers on \(folder)/none.sock: "))
        // An application that takes what it gets for HTTP.
        let other = try Upstream()
        #expect(try ask("127.0.0.1:\(other.port)").code == 69)
        let bad = try ask("localhost")
        #expect(bad.code == 64)
        #expect(bad.error.contains("is not an address"))
    }
}
