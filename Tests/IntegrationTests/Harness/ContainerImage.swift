import Foundation
import Testing

/// The image that `container/make-image` makes, unpacked, and what runs in it as its configuration says: in namespaces of its
/// own, with a root that cannot be written and nothing else of this machine. Needs root.
final class ContainerImage: Sendable {
    let folder: String
    /// What is in the volumes.
    let store: String
    let socketFolder: String
    let archive: String
    let configuration: Configuration

    struct Configuration: Decodable, Sendable {
        let user: String
        let workingDirectory: String
        let environment: [String]
        let entrypoint: [String]
        let command: [String]
        let healthcheck: Healthcheck

        enum CodingKeys: String, CodingKey {
            case user = "User"
            case workingDirectory = "WorkingDir"
            case environment = "Env"
            case entrypoint = "Entrypoint"
            case command = "Cmd"
            case healthcheck = "Healthcheck"
        }

        struct Healthcheck: Decodable, Sendable {
            /// `CMD`, and the words of a command.
            let test: [String]

            enum CodingKeys: String, CodingKey { case test = "Test" }
        }
    }

    private struct Descriptor: Decodable {
        let mediaType: String
        let digest: String
        let size: Int
    }

    /// Whether namespaces can be made here, and mounts in them.
    static let canRun: Bool = {
        let namespaces = ["--mount", "--pid", "--ipc", "--uts", "--net", "--fork", "--mount-proc"]
        return geteuid() == 0 && (try? Child.run("/usr/bin/unshare", namespaces + ["/bin/true"]).code) == 0
    }()

    static func make(in folder: String, environment: [String: String] = [:]) throws -> String {
        let made = try Child.run(
            Site.sources + "/container/make-image",
            [Site.binary, folder],
            environment: environment
        )
        try made.expectSuccess()
        return made.output.trimmingCharacters(in: .newlines)
    }

    /// Unpacks the archive as an engine does: each blob is held against its digest, then the layers are laid upon each other.
    init() throws {
        folder = try Site.temporaryFolder()
        archive = try Self.make(in: folder + "/made")
        let layout = folder + "/layout"
        let root = folder + "/root"
        (store, socketFolder) = (folder + "/store", folder + "/socket")
        for path in [layout, root, store] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
        try Child.run("/usr/bin/tar", ["-xf", archive, "-C", layout]).expectSuccess()

        func blob(_ descriptor: Descriptor) throws -> String {
            let path = layout + "/blobs/" + descriptor.digest.replacingOccurrences(of: ":", with: "/")
            let sum = try Child.run("/usr/bin/sha256sum", [path])
            try #require(sum.output.hasPrefix(descriptor.digest.dropFirst("sha256:".count)))
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
            try #require(size == descriptor.size)
            return path
        }
        func read<Value: Decodable>(_ path: String, as type: Value.Type) throws -> Value {
            try JSONDecoder().decode(type, from: Data(contentsOf: URL(fileURLWithPath: path)))
        }
        struct Index: Decodable { let manifests: [Descriptor] }
        struct Manifest: Decodable {
            let config: Descriptor
            let layers: [Descriptor]
        }
        struct Image: Decodable {
            struct Layers: Decodable {
                /// Digests of the layers as they are when unpacked.
                let identities: [String]

                enum CodingKeys: String, CodingKey { case identities = "diff_ids" }
            }
            let config: Configuration
            let rootfs: Layers
            let os: String
        }
        let index = try read(layout + "/index.json", as: Index.self)
        let manifest = try read(blob(try #require(index.manifests.first)), as: Manifest.self)
        let image = try read(blob(manifest.config), as: Image.self)
        try #require(image.os == "linux")
        try #require(image.rootfs.identities.count == manifest.layers.count)
        configuration = image.config
        for (layer, identity) in zip(manifest.layers, image.rootfs.identities) {
            let path = try blob(layer)
            let sum = try Child.run("/bin/sh", ["-c", "gzip -dc '\(path)' | sha256sum"])
            try #require(sum.output.hasPrefix(identity.dropFirst("sha256:".count)))
            try Child.run("/usr/bin/tar", ["-xpzf", path, "-C", root]).expectSuccess()
        }
        // A volume that is new gets what the image has there.
        for (path, place) in [(store, "/var/lib/postern"), (socketFolder, "/run/postern")] {
            try? FileManager.default.removeItem(atPath: path)
            try Child.run("/bin/cp", ["-a", root + place, path]).expectSuccess()
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Mounts what an engine mounts, in a namespace of mounts and of processes that `unshare` has made. `unshare` passes no signal
    /// on, so whoever waits for it does.
    private static let script = """
        unshare --mount --pid --ipc --uts --net --fork --kill-child bash -c '
            set -e
            root=$1 store=$2 socket=$3
            shift 3
            mount --make-rprivate /
            mount --bind "$root" "$root"
            mount -o remount,bind,ro "$root"
            mount -t proc proc "$root/proc"
            mount -t tmpfs -o mode=755 tmpfs "$root/dev"
            for device in null zero full random urandom; do
                touch "$root/dev/$device"
                mount --bind "/dev/$device" "$root/dev/$device"
            done
            mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
            mount --bind "$store" "$root/var/lib/postern"
            mount --bind "$socket" "$root/run/postern"
            exec env -i "$@"
        ' container "$@" <&0 &
        outer=$!
        trap 'kill -TERM $(cat /proc/$outer/task/$outer/children)' TERM
        wait $outer
        code=$?
        while kill -0 $outer 2>/dev/null; do
            wait $outer
            code=$?
        done
        exit $code
        """

    /// - Parameters:
    ///   - command: In the place of the configuration's, nil: that one.
    ///   - entrypoint: Likewise.
    ///   - group: Of the process, in the place of the configuration's.
    private func arguments(_ command: [String]?, entrypoint: [String]?, group: String?) -> [String] {
        let owner = configuration.user.split(separator: ":").map(String.init)
        let (root, directory) = (folder + "/root", configuration.workingDirectory)
        let enter = [
            "/usr/bin/unshare", "--root=" + root, "--wd=" + directory, "--setuid=" + owner[0],
            "--setgid=" + (group ?? owner[1]),
        ]
        return ["-c", Self.script, "container", root, store, socketFolder] + configuration.environment + enter
            + (entrypoint ?? configuration.entrypoint) + (command ?? configuration.command)
    }

    /// Starts what the image starts.
    func start(group: String? = nil, log: String) throws -> Child {
        try Child("/bin/bash", arguments(nil, entrypoint: nil, group: group), log: log)
    }

    /// Runs a command to its end, as `docker run` does.
    func run(_ command: [String], entrypoint: [String]? = nil, input: String = "") throws -> Child.Finished {
        try Child.run("/bin/bash", arguments(command, entrypoint: entrypoint, group: nil), input: input)
    }

    /// Runs what the engine asks for the health.
    func health() throws -> Child.Finished {
        try run(Array(configuration.healthcheck.test.dropFirst()), entrypoint: [])
    }
}
