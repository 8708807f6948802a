import Foundation
import Testing

/// A server on a Unix socket, with its store in memory: the disk is not what is looked at.
final class SoakServer {
    let folder: String
    let socket: String
    let token: String
    let administrator: String
    /// The path of a key set of another issuer.
    let keySet: String
    private let server: Child

    var pid: Int32 { server.pid }
    var isRunning: Bool { server.isRunning }

    init() throws {
        let folder = try Self.makeFolder()
        self.folder = folder
        socket = folder + "/socket"
        let store = folder + "/store"
        keySet = folder + "/idp.json"
        try Child.run(Site.binary, ["store", "init", store]).expectSuccess()
        token = try Site.postern(store, ["user", "add", "ann", "--with-token"], input: Site.password + "\n")
        administrator = try Site.postern(
            store,
            ["user", "add", "stella", "--with-token", "--staff", "--superuser", "--no-password"]
        )
        server = try Child(
            Site.binary,
            [
                "serve", "--store", store, "--listen", socket, "--log-file", folder + "/log", "--audit-file",
                folder + "/audit",
            ],
            log: folder + "/output"
        )
        try eventually("the server listens") { FastCGIClient.canConnect(self.socket) }
    }

    func remove() {
        server.end()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// As logrotate does: another file, and SIGHUP, until the server has opened it.
    func reload() throws {
        rename(folder + "/log", folder + "/log.1")
        rename(folder + "/audit", folder + "/audit.1")
        kill(pid, SIGHUP)
        let deadline = ContinuousClock().now + .seconds(20)
        while access(folder + "/audit", F_OK) != 0 {
            guard isRunning, ContinuousClock().now < deadline else { throw HarnessError("the logs are not reopened") }
            usleep(200)
        }
    }

    /// As a timer does that gets it: another file each time.
    func replaceKeySet(_ number: Int) throws {
        let point = Data((0..<32).map { UInt8(truncatingIfNeeded: number >> ($0 % 8)) | 2 }).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        let key = #"{"kty":"OKP","crv":"Ed25519","kid":"\#(number)","x":"\#(point)"}"#
        try Data(#"{"keys":[\#(key)]}"#.utf8).write(to: URL(fileURLWithPath: keySet), options: .atomic)
    }

    /// A location as no request had one before.
    func askOfNewPolicy(_ client: FastCGIConnection, _ number: Int) throws {
        let answer = try client.ask(
            "message",
            [("POSTERN_MESSAGE", "Policy \(number)"), ("POSTERN_PERMISSION", "AllowAny")]
        )
        guard answer.status == 200 else { throw HarnessError("a new policy: \(answer.status)") }
    }

    private static func makeFolder() throws -> String {
        var template = Array("/dev/shm/postern-soak-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { return try Site.temporaryFolder() }
        let folder = String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        Child.removeAtExit(folder)
        return folder
    }
}
