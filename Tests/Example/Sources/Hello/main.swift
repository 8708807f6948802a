import FastCGI
import Logging
import Postern

// Hello STORE SOCKET
let accounts = Accounts(store: try Store(opening: CommandLine.arguments[1]))

var views = ViewRegistry(accounts: accounts)
views.register("hello") { _ in Hello() }
var permissions = PermissionRegistry()
permissions.register("IsFounder", IsFounder())

let application = Application(
    accounts: accounts,
    views: views,
    permissions: permissions,
    logger: Logger(label: "hello")
)
let socket = try Listener.bind(to: .unix(path: CommandLine.arguments[2]))
try Server(listeners: [socket]) { application.respond(to: $0) }.run()
