import Glibc

// Plays what may happen to a store, from seeds:
//
//     store-simulation COUNT FIRST     COUNT seeds from FIRST on; says how many, or what was found by which
//     store-simulation SEED            one seed: says each of its calls; what fails is shortened before
//
// Exit codes: 0, 1 for a finding, 64 for other arguments.

// The order of sets and dictionaries follows from the seed as well.
if getenv("SWIFT_DETERMINISTIC_HASHING") == nil {
    setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1)
    var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
    execv("/proc/self/exe", &arguments)
}

let numbers = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
guard numbers.count == CommandLine.arguments.count - 1 else { exit(64) }
switch numbers.count {
case 1:
    let seed = numbers[0]
    var plan = Plan(seed: seed)
    if Simulation(plan, seed: seed).run() != nil { plan = Shortening.shorten(plan, seed: seed) }
    let simulation = Simulation(plan, seed: seed)
    simulation.machine.log = []
    let violation = simulation.run()
    for line in simulation.machine.log ?? [] { print(line) }
    for round in plan.rounds { print(round) }
    print("seed \(seed): \(violation ?? "all is well, trace \(String(simulation.machine.trace, radix: 16))")")
    exit(violation == nil ? 0 : 1)
case 2:
    var found = 0
    for seed in numbers[1]..<numbers[1] + numbers[0] where found < 20 {
        guard let violation = Simulation(Plan(seed: seed), seed: seed).run() else { continue }
        print("seed \(seed): \(violation)")
        found += 1
    }
    print("\(numbers[0]) seeds from \(numbers[1]): \(found) findings")
    exit(found == 0 ? 0 : 1)
default: exit(64)
}
