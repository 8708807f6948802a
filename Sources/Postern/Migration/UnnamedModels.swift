/// Finds models in a dump that look like users or tokens of the project's own and that no option names. An import would
/// leave their objects behind without a word.
struct UnnamedModels {
    private let model: DjangoDump.UserModel
    private let tokenModels: Set<String>
    private var hasUsers = false
    private var hasUserType = false
    /// The place of the first of each.
    private var contentTypes: String?
    private var users: (place: String, model: String)?
    private var tokens: (place: String, model: String)?

    private static let knownTokens = ["authtoken.token", "knox.authtoken"]

    init(_ model: DjangoDump.UserModel, _ tokenModels: Set<String>) {
        self.model = model
        self.tokenModels = tokenModels
    }

    mutating func look(at object: DjangoObject, _ place: ImportPlace) {
        let name = object.model
        if name == model.name {
            hasUsers = true
        } else if name == "contenttypes.contenttype" {
            contentTypes = contentTypes ?? place.description
            let type = "\(object["app_label"]?.text ?? "").\(object["model"]?.text ?? "")"
            hasUserType = hasUserType || type.lowercased() == model.name
        } else if users == nil, Self.isUser(object) {
            users = (place.description, name)
        } else if tokens == nil, !Self.knownTokens.contains(name), !tokenModels.contains(name), object["user"] != nil,
            object.tokenKey != nil || object.knoxDigest != nil
        {
            tokens = (place.description, name)
        }
    }

    /// Django's `AbstractBaseUser` has these two fields, the second of which some projects drop.
    private static func isUser(_ object: DjangoObject) -> Bool {
        guard let password = object["password"]?.text else { return false }
        return object.contains("last_login") || PasswordHash.stored(fromDjango: password) != nil
            || password.hasPrefix("!") && password.utf8.count == 41
    }

    /// What is missing on the command line, and the first object that shows it; nil when nothing is.
    var problem: (place: String, reason: String)? {
        if let users, !hasUsers {
            return (
                users.place,
                "There is no user of \(model.name), and \(LogText(users.model)) looks like the project's user model: name it with --user-model \(LogText(users.model)), and its USERNAME_FIELD with --username-field."
            )
        }
        if let contentTypes, !hasUsers, !hasUserType {
            return (
                contentTypes,
                "The project has no model \(model.name): name its AUTH_USER_MODEL with --user-model, and dump the application of that, too."
            )
        }
        if let tokens {
            return (
                tokens.place,
                "\(LogText(tokens.model)) looks like the project's own tokens: take them with --token-model \(LogText(tokens.model)), or leave them out with dumpdata --exclude \(LogText(tokens.model))."
            )
        }
        return nil
    }
}
