/// The form of ``SessionLoginView``.
struct LoginPage {
    let csrfToken: String
    let username: String
    let next: String
    let error: String?

    /// Django's `AuthenticationForm`.
    static let wrongPassword =
        "Please enter a correct username and password. Note that both fields may be case-sensitive."

    var page: HTMLPage {
        let alert = error.map { "<p role=\"alert\">\(HTMLPage.escape($0))</p>\n" } ?? ""
        return HTMLPage(
            title: "Log in",
            content: """
                <h1>Log in</h1>
                \(alert)<form method="post">
                <input type="hidden" name="csrfmiddlewaretoken" value="\(csrfToken)">
                <input type="hidden" name="next" value="\(HTMLPage.escape(next))">
                <label for="username">Username</label>
                <input id="username" name="username" value="\(HTMLPage.escape(username))" maxlength="150" \
                autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus>
                <label for="password">Password</label>
                <input id="password" name="password" type="password" autocomplete="current-password" required>
                <button type="submit">Log in</button>
                </form>
                """
        )
    }
}
