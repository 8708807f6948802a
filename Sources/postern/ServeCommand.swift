import ArgumentParser
import CLinux
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
            --listen names. Started by a web server as a CGI program it answers one request. SIGTERM, SIGINT and \
            SIGUSR1 end it when the requests that run are answered. SIGHUP opens the logs again, and reads the file \
            of settings again: what it says of logs counts at once. postern settings lists what can be set.
            """
    )

    @OptionGroup var options: ServeOptions

    func run() throws {
        forbidCoreDumps()
        var settings: Settings?
        do {
            let source = try SettingsSource(options)
            let read = try source.read()
            settings = read
            source.clearEnvironment()
            try serve(read, from: source)
        } catch {
            if let failure = Failure(error) { Refusal.tell(failure.message, settings) }
            throw error
        }
    }

    private func serve(_ settings: Settings, from source: SettingsSource) throws {
        let store = try Store(opening: try settings.store())
        let logs = try ServerLogs(settings)
        let application = Application(
            accounts: Accounts(store: store, issuesTokenWithUser: settings.withToken),
            logger: logs.logger,
            audit: logs.auditLog
        )
        let handler: Handler = { application.respond(to: $0) }

        let inherited = InheritedSockets()
        let listeners = try listeners(settings, inherited)
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
        let manager = ServiceManager()
        var options = try serverOptions(settings)
        if let manager, manager.keepsConnections {
            options.handOver = { [logger = logs.logger] connection in
                if !manager.keep(connection) { logger.warning("systemd takes no connection: the rest are closed") }
            }
        }
        let server = try Server(listeners: listeners, options: options, handler: handler)
        if !inherited.connections.isEmpty {
            let areOurs = manager?.forgetConnections() ?? false
            for connection in inherited.connections {
                if areOurs {
                    server.adopt(connection)
                } else {
                    // systemd may still have a descriptor of it.
                    shutdown(connection, Int32(SHUT_RDWR))
                    close(connection)
                }
            }
        }
        application.observe(server)
        ServerSignals().whenReceived(settings) { signal, settings in
            if signal == SIGHUP {
                settings = logs.reload(source, current: settings)
            } else {
                manager?.stopping()
                server.stop()
            }
        }
        logs.logger.info("serving")
        manager?.ready()
        server.run()
        application.tellLeftOut()
        logs.logger.info("stopped")
    }

    private func serverOptions(_ settings: Settings) throws -> ServerOptions {
        var options = ServerOptions()
        options.allowsRemote = settings.allowsRemote
        options.bodyLimit = Application.maximumBody
        let users = settings.allowedUsers
        if !users.isEmpty { options.allowedUsers = Set(try users.map(userID) + [0, geteuid()]) }
        return options
    }

    private func listeners(_ settings: Settings, _ inherited: InheritedSockets) throws -> [Listener] {
        if let text = settings.listen, let address = ListenAddress(text) {
            do {
                return [try Listener.bind(to: address, allowsRemote: settings.allowsRemote)]
            } catch {
                throw Failure(error == .remote(text) ? .usage : .unavailable, error.description)
            }
        }
        return inherited.listeners.isEmpty ? Listener.standardInput().map { [$0] } ?? [] : inherited.listeners
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

/// SIGTERM, SIGINT, SIGUSR1 (by which FastCGI's process managers ask for a gentle end) and SIGHUP, which wait from the first moment on for somebody to take them: none is lost that comes
/// while the server starts, and no handler that a library installs gets one.
struct ServerSignals {
    /// To be called before anything else: a signal that comes before ends the process.
    init() { Self.block() }

    /// Calls `body` with each of them, one after the other, on a thread of its own.
    /// - Parameter state: Handed from one call to the next.
    func whenReceived<State: Sendable>(
        _ state: State,
        _ body: @escaping @Sendable (_ signal: Int32, _ state: inout State) -> Void
    ) {
        startThread(stackSize: 1 << 20) {
            var (signals, state) = (Self.block(), state)
            while true {
                var received: Int32 = 0
                if sigwait(&signals, &received) == 0 { body(received, &state) }
            }
        }
    }

    /// In the calling thread, and in those that it makes from now on.
    @discardableResult
    private static func block() -> sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT, SIGUSR1, SIGHUP] { sigaddset(&signals, signal) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        return signals
    }
}
