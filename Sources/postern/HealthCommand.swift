import ArgumentParser
import FastCGI
import Glibc
import Postern

struct HealthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Ask a running server whether it can answer requests, for those who watch containers.",
        discussion: """
            It asks the view health, as a web server does, and prints its answer. Exit code 69 when there is no answer \
            within 5 seconds, or another one than 200.
            """
    )

    @Option(
        help: ArgumentHelp(
            "Where the server listens: /path.sock, 127.0.0.1:9000 or [::1]:9000.",
            discussion: "Default: the setting listen, else \(Self.usualSocket).",
            valueName: "address"
        ),
        completion: .file()
    )
    var socket: String?
    @Flag(help: "Ask only whether the process answers, which a full disk does not change.")
    var live = false

    private static let usualSocket = "/run/postern/postern.sock"

    func run() throws {
        let address = try socket ?? Setting.listen.configured() ?? Self.usualSocket
        guard let parsed = ListenAddress(address) else {
            throw Failure(
                .usage,
                "\(printable(address)) is not an address: write --socket /path.sock, 127.0.0.1:9000 or [::1]:9000."
            )
        }
        guard let server = ServerSocket(parsed) else {
            throw Failure(
                .unavailable,
                "Nobody answers on \(printable(address)): \(String(cString: strerror(errno)))."
            )
        }
        guard let answer = server.health(live: live) else {
            throw Failure(.unavailable, "The server on \(printable(address)) gives no answer.")
        }
        let body = printable(SocketCheck.body(of: answer))
        guard SocketCheck.isGood(answer) else {
            throw Failure(.unavailable, "The server on \(printable(address)) cannot answer requests: \(body)")
        }
        StandardOutput.write(body + "\n")
    }
}
