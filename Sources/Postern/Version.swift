/// The version of this package, by semver.org. The program, the OpenAPI document, the Debian package, the manual page and the
/// container's image have it from here; `make release` writes it.
package enum Version {
    package static let current = "0.7.0"
}
