import Glibc

/// Which libfcgi is loaded, and whether it is one with a known hole.
struct LibFCGICheck: DoctorCheck {
    let name = "libfcgi"
    var file = Self.loadedFile()
    var package = Self.debianVersion(in: "/var/lib/dpkg/status")
    var pointerBits = Int.bitWidth

    func diagnose() -> Diagnosis {
        guard let file else { return Diagnosis(state: "linked statically") }
        var diagnosis = Diagnosis(state: "\(file), \(package.map { "Debian's \($0)" } ?? "not Debian's")")
        // Where a sum of two lengths fits into a pointer's width the hole is none: an allocation fails.
        if pointerBits == 32, !(package.map(Self.isMended) ?? false) {
            diagnosis.findings.append(
                "\(file) may have the hole CVE-2025-23016, which counts on 32 bits: upgrade libfcgi to 2.4.5, or to Debian's 2.4.2-2+deb12u1."
            )
        }
        return diagnosis
    }

    /// Upstream mended it in 2.4.5, Debian in the updates of its releases.
    static func isMended(_ version: String) -> Bool {
        let upstream = version.prefix { $0 != "-" }.split(separator: ".").compactMap { Int($0) }
        return !upstream.lexicographicallyPrecedes([2, 4, 5]) || version.contains("+deb")
    }

    private static func loadedFile() -> String? {
        lines(of: "/proc/self/maps").lazy
            .compactMap { $0.split(separator: " ", maxSplits: 5).last }
            .first { $0.contains("/libfcgi") }
            .map { String($0.drop { $0 == " " }) }
    }

    private static func debianVersion(in status: String) -> String? {
        var isOurs = false
        for line in lines(of: status) {
            if line.hasPrefix("Package: ") { isOurs = line.hasPrefix("Package: libfcgi0") }
            if isOurs, line.hasPrefix("Version: ") { return String(line.dropFirst("Version: ".count)) }
        }
        return nil
    }

    private static func lines(of path: String) -> [Substring] {
        (SmallFile.text(at: path, limit: 64 << 20) ?? "").split(separator: "\n")
    }
}
