/// Tokens as they were at one moment, which are handed over one after the other: there may be more of them than memory should
/// hold.
package struct TokenList {
    private let tokens: TokenTable
    private let users: Parted<User.ID, User>
    private let owner: User?

    fileprivate init(_ tokens: TokenTable, _ users: Parted<User.ID, User>, _ owner: User?) {
        self.tokens = tokens
        self.users = users
        self.owner = owner
    }

    /// Calls `body` with each in the order in which they were issued, and with whose it is; nil: the user is gone.
    /// - Throws: ``StoreError`` where somebody has changed by hand what is gone through.
    package func each(_ body: (Token, User?) -> Void) throws(StoreError) {
        guard let owner else { return try tokens.each { body($0, users[$0.user]) } }
        for id in try tokens.ids(of: owner.id) {
            if let token = try tokens.token(id, of: owner.id) { body(token, owner) }
        }
    }
}

extension Store {
    /// - Parameter owner: nil: everybody's.
    package func tokenList(of owner: User? = nil) throws(StoreError) -> TokenList {
        // Somebody may have an index that is not what it was: that is found here.
        let tokens = try withTokenTable { table throws(StoreError) in
            _ = try table.greatestUser
            return table
        }
        return TokenList(tokens, owner == nil ? try users.read { $0.byID } : Parted(), owner)
    }
}
