"""What the run prints: the table, and whether each goal is met."""

MEGABYTE = 1 << 20


def print_comparison(clients, subjects, rows, counts, rounds):
    print(f"\n{clients} client{'s' if clients > 1 else ''}, medians of {rounds} rounds", flush=True)
    print(f"  {'':20}{'requests/s':>11}{'to C':>7}{'p50 ms':>9}{'p99 ms':>9}{'to C':>7}"
          f"{'nginx µs':>10}{'backend µs':>11}{'to C':>7}{'calls':>7}{'RSS MB':>8}{'private':>8}")
    for name, subject in subjects.items():
        row, reference = rows[name], rows[subject.reference]
        has_backend = subject.load.backend is not None
        cpu = [f"{row.median('backend'):.1f}", f"{row.ratio(reference, 'backend'):.2f}"] if has_backend else ["", ""]
        calls = f"{sum(counts[name].values()):.2f}" if has_backend else ""
        memory = [f"{size / MEGABYTE:.1f}" for size in (row.resident, row.private)] if has_backend else ["", ""]
        print(f"  {subject.title:20}{row.median('rate'):11.0f}{row.ratio(reference, 'rate'):7.2f}"
              f"{row.median('p50'):9.2f}{row.median('p99'):9.2f}{row.ratio(reference, 'p99'):7.2f}"
              f"{row.median('nginx'):10.1f}{cpu[0]:>11}{cpu[1]:>7}{calls:>7}{memory[0]:>8}{memory[1]:>8}")


def print_calls(subjects, counts):
    print("\nSystem calls a request")
    for name, of_name in counts.items():
        shown = ", ".join(f"{call} {number:.2f}" for call, number in of_name.items() if number >= 0.01)
        print(f"  {subjects[name].title:20}{sum(of_name.values()):7.2f}  {shown}")


class Goals:
    """What the run is to show, printed at its end."""

    def __init__(self):
        self.lines = []

    def add(self, text, figure, is_met):
        """`is_met` is None where it could not be measured."""
        self.lines.append((text, figure, {True: "met", False: "not met", None: "not measured"}[is_met]))

    def add_least(self, text, figures, limit):
        """Met if none of the figures, by number of clients, is below the limit."""
        self.add(text, each(figures), min(figures.values()) >= limit)

    def add_most(self, text, figures, limit):
        self.add(text, each(figures), max(figures.values()) <= limit)

    def print(self):
        if self.lines:
            print("\nGoals")
        for text, figure, verdict in self.lines:
            print(f"  {verdict:13}{text}: {figure}")


def each(figures, digits=2):
    """Each with what it belongs to."""
    return ", ".join(f"{figure:.{digits}f} ({count})" for count, figure in figures.items())


def add_comparison_goals(goals, subjects, rows):
    def ratios(name, other, column):
        return {clients: by_name[name].ratio(by_name[other], column) for clients, by_name in rows.items()}

    def to_reference(name):
        return ratios(name, subjects[name].reference, "rate")

    goals.add_least("token, requests/s to C, at least 0.97 (clients)", ratios("token", "loops", "rate"), 0.97)
    goals.add_most("token, p99 to C, at most 1.10", ratios("token", "loops", "p99"), 1.10)
    goals.add_most("token, CPU of the backend to C, at most 1.50", ratios("token", "loops", "backend"), 1.50)
    token, seen = to_reference("token"), to_reference("jwt")
    goals.add_least("JWT seen, ratio to C by that of a token, as a token (at least 0.97)",
                    {clients: seen[clients] / token[clients] for clients in rows}, 0.97)
    # Of throughput: with one client, who waits for its answer, nobody's processes are busy.
    busy = {clients: by_name for clients, by_name in rows.items() if clients > 1} or rows
    for title, name, peer in [
            ("token, to DRF with TokenAuthentication", "token", "drf"),
            ("JWT seen, to DRF with simplejwt", "jwt", "simplejwt")]:
        figures = {clients: by_name[name].ratio(by_name[peer], "rate") for clients, by_name in busy.items()}
        limit = {clients: by_name[subjects[name].reference].ratio(by_name[peer], "rate") for clients, by_name in busy.items()}
        goals.add(f"{title}, requests/s, at least 15", f"{each(figures, 1)}; C itself: {each(limit, 1)}",
                  min(figures.values()) >= 15)
