enum Version {
    /// Of the program, by semver.org; the Debian package and the manual page ask for it by `postern --version`.
    static let current = "0.7.0"
}
