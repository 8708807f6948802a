import Foundation
import Testing

/// The files in `examples/`: what they name is there, and what they configure answers.
@Suite("The examples for containers")
struct ContainerExampleTests {
    typealias Members = [String: Any]

    private static func text(_ name: String) throws -> String {
        try String(contentsOfFile: Site.sources + "/examples/" + name, encoding: .utf8)
    }

    /// The documents of a file, by PyYAML.
    private static func yaml(_ name: String) throws -> [Members] {
        let program = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))"
        let parsed = try Child.run("/usr/bin/python3", ["-c", program], input: try text(name))
        try parsed.expectSuccess()
        let documents = try JSONSerialization.jsonObject(with: Data(parsed.output.utf8)) as? [Members]
        return try #require(documents)
    }

    /// How both make and upgrade the store.
    private static let makeStore = ["store", "init", "--or-upgrade", "/var/lib/postern/store"]

    @Test("Compose: what a service mounts, needs and waits for is there")
    func compose() throws {
        let file = try #require(try Self.yaml("compose.yaml").first)
        let services = try #require(file["services"] as? [String: Members])
        let volumes = try #require(file["volumes"] as? Members)
        #expect(Set(services.keys) == ["store", "postern", "application", "nginx"])
        for (name, service) in services {
            for volume in service["volumes"] as? [String] ?? [] {
                let source = try #require(volume.split(separator: ":").first)
                if source == "./tls" { continue }
                let isThere = FileManager.default.fileExists(atPath: Site.sources + "/examples/" + source)
                #expect(source.hasPrefix(".") ? isThere : volumes[String(source)] != nil, "\(name): \(volume)")
                #expect(source != "socket" || ["nginx", "postern"].contains(name), "\(name)")
            }
            for other in (service["depends_on"] as? Members ?? [:]).keys { #expect(services[other] != nil) }
        }
        #expect(services["store"]?["command"] as? [String] == Self.makeStore)
        // Where the site's file and its includes are.
        let mounted = (services["nginx"]?["volumes"] as? [String] ?? []).joined(separator: " ")
        let site = try Self.text("compose-site.conf")
        for include in site.matches(of: /include (\S+);/) { #expect(mounted.contains(":/etc/nginx/\(include.1):ro")) }
        #expect(site.contains("proxy_pass http://application;"))
    }

    @Test("Kubernetes: volumes, ports, and the paths of auth-url are there, and the page says how to make the rest")
    func kubernetes() throws {
        let documents = try Self.yaml("ingress-nginx.yaml")
        func one(_ kind: String) throws -> Members {
            try #require(documents.first { $0["kind"] as? String == kind }, "\(kind)")
        }
        func value(_ members: Members, _ path: String...) -> Any? {
            path.reduce(members as Any?) { ($0 as? Members)?[$1] }
        }
        let set = try one("StatefulSet")
        let pod = try #require(value(set, "spec", "template", "spec") as? Members)
        let claims = value(set, "spec", "volumeClaimTemplates") as? [Members] ?? []
        let names = (pod["volumes"] as? [Members] ?? []).map { $0["name"] as? String }
        let volumes = Set(names + claims.map { value($0, "metadata", "name") as? String })
        let started = pod["initContainers"] as? [Members] ?? []
        let containers = pod["containers"] as? [Members] ?? []
        for container in started + containers {
            for mount in container["volumeMounts"] as? [Members] ?? [] {
                #expect(volumes.contains(mount["name"] as? String), "\(mount)")
            }
        }
        #expect(started.first?["args"] as? [String] == Self.makeStore)
        #expect(value(pod, "securityContext", "fsGroupChangePolicy") as? String == "OnRootMismatch")
        let probes = containers.flatMap { container in
            ["readinessProbe", "livenessProbe"].compactMap {
                value(container, $0, "exec", "command") as? [String]
            }
        }
        #expect(probes == [["/usr/bin/postern", "health"], ["/usr/bin/postern", "health", "--live"]])

        let configuration = try Self.text("ingress-nginx.conf")
        let ports = value(try one("Service"), "spec", "ports") as? [Members] ?? []
        for port in ports { #expect(configuration.contains("listen \(port["port"] ?? "") ssl;")) }
        for ingress in documents where ingress["kind"] as? String == "Ingress" {
            guard let annotations = value(ingress, "metadata", "annotations") as? [String: String],
                let asked = annotations["nginx.ingress.kubernetes.io/auth-url"].flatMap(URL.init(string:))
            else { continue }
            #expect(ports.contains { $0["port"] as? Int == asked.port })
            #expect(configuration.contains("\n        \(asked.path) "))
            #expect(asked.host()?.hasPrefix("postern.default.") == true)
        }
        // All that the configuration includes comes from the command of the page.
        let page = try Self.text("ingress-nginx.md")
        for include in configuration.matches(of: /include (\S+);/) {
            #expect(page.contains("--from-file nginx/\(include.1)"))
        }
        for made in ["secret tls postern-tls", "configmap postern-nginx"] { #expect(page.contains("create " + made)) }
    }

    /// A controller as ingress-nginx is one, in front of the nginx of the pod.
    private final class Controller {
        let site: Site
        let upstream: Upstream
        let port: UInt16
        private var children: [Child] = []
        private let folder: String

        init() throws {
            site = try Site()
            upstream = try Upstream()
            port = try freePort()
            folder = try Site.temporaryFolder()
            chmod(folder, 0o755)
            let (endpoints, check) = (try freePort(), try freePort())
            try ContainerTests.certificate(in: folder)
            for name in ["upstream", "fastcgi", "endpoints"] {
                try FileManager.default.copyItem(
                    atPath: site.folder + "/postern-\(name).conf",
                    toPath: folder + "/postern-\(name).conf"
                )
            }
            var pod = try ContainerExampleTests.text("ingress-nginx.conf")
            for (old, new) in [
                ("8443", "127.0.0.1:\(endpoints)"), ("8444", "127.0.0.1:\(check)"), ("/tmp/", folder + "/pod-"),
                ("/etc/postern-tls/tls.crt", folder + "/cert.pem"), ("/etc/postern-tls/tls.key", folder + "/key.pem"),
                ("10.0.0.0/8", "127.0.0.1"), ("error_log stderr", "error_log \(folder)/pod-error.log"),
            ] { pod = pod.replacingOccurrences(of: "\(old)", with: new) }
            try (geteuid() == 0 ? "user root;\n" + pod : pod)
                .write(toFile: folder + "/pod.conf", atomically: false, encoding: .utf8)
            children.append(
                try Child(
                    "/usr/sbin/nginx",
                    ["-p", folder, "-e", "stderr", "-c", folder + "/pod.conf", "-g", "daemon off;"],
                    log: folder + "/pod.log"
                )
            )
            children.append(try ContainerTests.startNginx(folder, controller(endpoints, check)))
            let (here, there) = (port, check)
            try eventually("both answer") {
                try ContainerTests.curl("https://127.0.0.1:\(here)/").code == 0
                    && ContainerTests.curl("https://127.0.0.1:\(there)/").code == 0
            }
        }

        deinit {
            for child in children.reversed() { child.end() }
            try? FileManager.default.removeItem(atPath: folder)
        }

        /// What its template makes of the annotations (rootfs/etc/nginx/template/nginx.tmpl of kubernetes/ingress-nginx).
        private func controller(_ endpoints: UInt16, _ check: UInt16) -> String {
            let names = ["User", "User-Id", "Groups", "Scopes", "Scheme"]
            let identity = names.map { name in
                let variable = "$auth_" + name.lowercased().replacingOccurrences(of: "-", with: "_")
                let field = "x_postern_" + name.lowercased().replacingOccurrences(of: "-", with: "_")
                return """
                    auth_request_set \(variable) $upstream_http_\(field);
                    proxy_set_header X-Postern-\(name) \(variable);
                    """
            }.joined(separator: "\n")
            func guarded(_ path: String, _ policy: String, _ more: String) -> String {
                """
                location \(path) {
                    auth_request /_external-auth/\(policy);
                    \(identity)
                    \(more)
                    proxy_set_header Host $http_host;
                    proxy_pass http://127.0.0.1:\(upstream.port);
                }
                location = /_external-auth/\(policy) {
                    internal;
                    proxy_pass_request_body off;
                    proxy_set_header Content-Length "";
                    proxy_set_header X-Forwarded-Proto "";
                    proxy_set_header Host postern.default.svc.cluster.local;
                    proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
                    proxy_set_header X-Original-Method $request_method;
                    proxy_set_header X-Sent-From "nginx-ingress-controller";
                    proxy_set_header X-Real-IP 192.0.2.7;
                    proxy_set_header X-Forwarded-For 192.0.2.7;
                    proxy_pass https://127.0.0.1:\(check)/check/\(policy);
                }
                """
            }
            return """
                server {
                    listen 127.0.0.1:\(port) ssl;
                    ssl_certificate \(folder)/cert.pem;
                    ssl_certificate_key \(folder)/key.pem;
                    \(guarded("/pages/", "users", "error_page 401 = @signin;"))
                    \(guarded("/staff/", "staff", ""))
                    \(guarded("/typo/", "userz", ""))
                    location @signin { return 302 https://$host/api-auth/login/?next=$request_uri; }
                    location / {
                        proxy_set_header Host $http_host;
                        proxy_set_header X-Real-IP 192.0.2.7;
                        proxy_pass https://127.0.0.1:\(endpoints);
                    }
                }
                """
        }

        /// - Returns: The status, and all that came before it.
        func ask(
            _ path: String,
            _ arguments: [String] = [],
            token: String? = nil
        ) throws -> (status: String, text: String) {
            let field = token.map { ["-H", "Authorization: Token " + $0] } ?? []
            let output = try ContainerTests.curl("https://127.0.0.1:\(port)\(path)", ["-i"] + field + arguments).output
            return (String(output.suffix(3)), String(output.dropLast(4)))
        }
    }

    @Test("ingress-nginx: the paths of auth-url let in whom they say, by the client's own URL and method")
    func ingress() throws {
        let controller = try Controller()
        let (site, upstream) = (controller.site, controller.upstream)
        let ann = try #require(site.tokens["ann"])
        let stella = try #require(site.tokens["stella"])

        let forged = ["-H", "X-Postern-User: root", "-H", "X-Original-Method: GET"]
        #expect(try controller.ask("/pages/a?b=c", forged, token: ann).status == "200")
        let request = try #require(upstream.requests.last)
        #expect(request.values("X-Postern-User") == ["ann"])
        #expect(request.target == "/pages/a?b=c")
        #expect(request.values("X-Postern-Scheme") == ["Token"])

        let nobody = try controller.ask("/pages/a", forged)
        #expect(nobody.status == "302")
        #expect(nobody.text.contains("/api-auth/login/?next=/pages/a"), "\(nobody.text)")
        let api = try controller.ask("/staff/", forged)
        #expect(api.status == "401", "\(api.text)")
        #expect(api.text.lowercased().contains("www-authenticate: token"), "\(api.text)")
        #expect(try controller.ask("/staff/", token: ann).status == "403")
        #expect(try controller.ask("/staff/", token: stella).status == "200")
        #expect(try controller.ask("/typo/", token: stella).status == "403")

        // A token of its own limits is judged by the client's method and path, not by those of the question.
        let limited = try site.token(["ann", "--method", "GET", "--path", "/pages/mine/"])
        #expect(try controller.ask("/pages/mine/a", token: limited).status == "200")
        #expect(try controller.ask("/pages/theirs/a", token: limited).status == "403")
        #expect(try controller.ask("/pages/mine/a", ["-X", "DELETE"] + forged, token: limited).status == "403")
        // What the application may read as another path.
        #expect(try controller.ask("/pages/a%2fb", token: ann).status == "403")
        #expect(upstream.requests(with: "%2f").isEmpty)

        // The endpoints take credentials, for the connection is encrypted.
        let user = try controller.ask("/whoami/", token: ann)
        #expect(user.status == "200")
        #expect(user.text.contains("\"ann\""))
    }
}
