/// What objects of a dump refer to, by primary key or by natural key.
struct DjangoReferences {
    private(set) var groups: [Int64: Group] = [:]
    /// Primary keys of those of simplejwt's outstanding tokens that are blacklisted.
    private(set) var blacklisted: Set<Int64> = []
    /// `app_label` by primary key.
    private var contentTypes: [Int64: String] = [:]
    private var permissions: [Int64: (contentType: JSONValue, codename: String)] = [:]
    /// Usernames by a primary key that is no number.
    private var usernames: [String: String] = [:]

    struct Group {
        let name: String
        let permissions: [JSONValue]

        var groupName: GroupName {
            get throws(ImportRecordError) {
                guard let name = try? GroupName(name.utf8) else { throw ImportRecordError(NameError.group.description) }
                return name
            }
        }
    }

    mutating func take(_ object: DjangoObject, _ model: DjangoDump.UserModel) {
        if object.model == model.name, let key = object.key.text, let name = object[model.usernameField]?.text {
            usernames[key] = name
        }
        if object.model == "token_blacklist.blacklistedtoken", case .integer(let token)? = object["token"] {
            blacklisted.insert(token)
        }
        guard case .integer(let key) = object.key else { return }
        switch object.model {
        case "contenttypes.contenttype": contentTypes[key] = object["app_label"]?.text
        case "auth.permission":
            if let type = object["content_type"], let codename = object["codename"]?.text {
                permissions[key] = (type, codename)
            }
        case "auth.group":
            groups[key] = Group(name: object["name"]?.text ?? "", permissions: object.list("permissions"))
        default: break
        }
    }

    /// - Parameter value: A group's primary key, or `["name"]`.
    func groupName(_ value: JSONValue) throws(ImportRecordError) -> GroupName {
        switch value {
        case .integer(let key):
            guard let group = groups[key] else { throw ImportRecordError("the group \(key) is not in the dump.") }
            return try group.groupName
        case .array(let elements):
            return try Group(name: elements.first?.text ?? "", permissions: []).groupName
        default: throw ImportRecordError("a group is named by neither its key nor its name.")
        }
    }

    /// - Parameter values: Primary keys, or `["codename", "app_label", "model"]`.
    func permissions(_ values: [JSONValue]) throws(ImportRecordError) -> Set<PermissionName> {
        var names: Set<PermissionName> = []
        for value in values {
            let text = try permission(value)
            guard let name = try? PermissionName(text.utf8) else {
                throw ImportRecordError("\(LogText(text)): \(NameError.permission)")
            }
            names.insert(name)
        }
        return names
    }

    private func permission(_ value: JSONValue) throws(ImportRecordError) -> String {
        if case .array(let elements) = value, elements.count == 3, let codename = elements[0].text,
            let application = elements[1].text
        {
            return "\(application).\(codename)"
        }
        guard case .integer(let key) = value, let permission = permissions[key] else {
            throw ImportRecordError("a permission of it is not in the dump: dump auth as a whole.")
        }
        switch permission.contentType {
        case .array(let elements):
            if let application = elements.first?.text { return "\(application).\(permission.codename)" }
        case .integer(let type):
            if let application = contentTypes[type] { return "\(application).\(permission.codename)" }
        default: break
        }
        throw ImportRecordError(
            "nobody can say of which application its permission \(LogText(permission.codename)) is: dump contenttypes as well."
        )
    }

    /// - Parameter value: A user's primary key, or `["username"]`.
    func owner(_ value: JSONValue?) throws(ImportRecordError) -> ImportedToken.Owner {
        var name: String?
        switch value {
        case .integer(let key)?: return .id(key)
        case .array(let elements)?: name = elements.first?.text
        case .string(let key)?: name = usernames[key]
        default: break
        }
        guard let name, let username = try? Username(name.utf8) else {
            throw ImportRecordError("its user is not in the dump.")
        }
        return .name(username)
    }
}
