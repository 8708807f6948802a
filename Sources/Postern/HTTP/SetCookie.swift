internal import Glibc
internal import Journal

/// A `Set-Cookie` field (RFC 6265, section 4.1), with the attributes that Django gives its cookies and in their
/// order.
struct SetCookie {
    let name: String
    let value: String
    /// Seconds; nil: until the browser is closed; 0: now.
    let maximumAge: Int64?
    let isHTTPOnly: Bool
    /// Sent over TLS alone.
    let isSecure: Bool
    /// Whether another site's links send it too, as they should for a session; requests of its pages never do.
    var isSentWithLinks = true

    func field(now: Timestamp) -> (name: String, value: String) {
        var text = "\(name)=\(maximumAge == 0 ? "\"\"" : value)"
        if let maximumAge {
            let end = maximumAge == 0 ? Timestamp(seconds: 0) : now.adding(seconds: maximumAge)
            text += "; expires=\(HTTPDate.text(of: end))"
        }
        if isHTTPOnly { text += "; HttpOnly" }
        if let maximumAge { text += "; Max-Age=\(maximumAge)" }
        text += "; Path=/; SameSite=\(isSentWithLinks ? "Lax" : "Strict")"
        if isSecure { text += "; Secure" }
        return ("Set-Cookie", text)
    }
}

/// IMF-fixdate (RFC 9110, section 5.6.7).
enum HTTPDate {
    static func text(of time: Timestamp) -> String {
        var seconds = time_t(time.seconds)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        return "\(weekdays[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) "
            + "\(parts.tm_year + 1900) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }
}
