import ArgumentParser
import Dispatch
import FastCGI
import Glibc
import Logging
import Postern

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Answer the requests of a web server.",
        discussion: """
            The socket is file descriptor 0 (spawn-fcgi), those of systemd (LISTEN_FDS), or the one that \
            --listen names. Started by a web server as a CGI program it answers one request. SIGTERM and \
            SIGINT end it when the requests that run are answered.
            """
    )

    @OptionGroup var store: StoreOptions
    @Option(help: ArgumentHelp("Listen there: /path.sock, 127.0.0.1:9000 or [::1]:9000.", valueName: "address"))
    var listen: String?
    @Flag(
        help: "Let --listen take a TCP address that other machines reach. Whoever can connect can claim to be anybody."
    )
    var allowRemote = false
    @Option(
        help: ArgumentHelp(
            "Take connections to a Unix socket from processes of this user only, and of root and ours; may be repeated.",
            valueName: "user"
        )
    )
    var allowUser: [String] = []
    @Flag(help: "Make a token whenever a user is made through this server.")
    var withToken = false
    @Option(help: "What to log: trace, debug, info, notice, warning, error or critical.", transform: level)
    var logLevel: Logger.Level = .notice

    func run() throws {
        let stopSignals = StopSignals()
        forbidCoreDumps()
        let store = try store.open()
        // As a CGI program we find our parameters in the environment, and this is none of them.
        unsetenv("POSTERN_STORE")
        var logger = Logger(label: "postern") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = logLevel
        let application = Application(accounts: Accounts(store: store, issuesTokenWithUser: withToken), logger: logger)
        let handler: Handler = { application.respond(to: $0) }

        let listeners = try listeners()
        guard !listeners.isEmpty else {
            guard CGI.isRequested else {
                throw Failure(
                    .usage,
                    "There is no socket to serve: start it with spawn-fcgi or systemd, or name one with --listen."
                )
            }
            return CGI.respond(with: handler)
        }
        store.maintainByItself()
        raiseDescriptorLimit()
        var options = ServerOptions()
        options.allowsRemote = allowRemote
        if !allowUser.isEmpty { options.allowedUsers = Set(try allowUser.map(userID) + [0, geteuid()]) }
        let server = try Server(listeners: listeners, options: options, handler: handler)
        stopSignals.whenReceived { server.stop() }
        logger.info("serving")
        server.run()
        logger.info("stopped")
    }

    @Sendable
    private static func level(_ name: String) throws -> Logger.Level {
        guard let level = Logger.Level(rawValue: name) else {
            throw ValidationError("\(printable(name)) is not a log level.")
        }
        return level
    }

    private func listeners() throws -> [Listener] {
        if let listen {
            guard let address = ListenAddress(listen) else {
                throw Failure(
                    .usage,
                    "--listen \(printable(listen)) is not an address: write /path.sock, 127.0.0.1:9000 or [::1]:9000."
                )
            }
            do {
                return [try Listener.bind(to: address, allowsRemote: allowRemote)]
            } catch {
                throw Failure(error == .remote(listen) ? .usage : .unavailable, error.description)
            }
        }
        let inherited = Listener.systemd()
        return inherited.isEmpty ? Listener.standardInput().map { [$0] } ?? [] : inherited
    }

    private func userID(_ name: String) throws -> uid_t {
        guard let entry = getpwnam(name) else {
            throw Failure(.noUser, "--allow-user \(printable(name)): there is no such system user.")
        }
        return entry.pointee.pw_uid
    }

    /// A core would hold every secret that is in memory.
    private func forbidCoreDumps() {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    }

    /// Each idle connection costs a descriptor.
    private func raiseDescriptorLimit() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(resource, &limit)
    }
}

/// SIGTERM and SIGINT, which wait from the first moment on for somebody to take them: none is lost that comes
/// while the server starts, and no handler that a library installs gets one.
private struct StopSignals {
    init() { Self.block() }

    func whenReceived(_ body: @escaping @Sendable () -> Void) {
        DispatchQueue.global().async {
            var signals = Self.block()
            var received: Int32 = 0
            sigwait(&signals, &received)
            body()
        }
    }

    /// In the calling thread, and in those that it makes from now on.
    @discardableResult
    private static func block() -> sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        return signals
    }
}
