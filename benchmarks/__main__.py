"""`python -m benchmarks [topic …]`, from the root of the checkout."""

import argparse

from benchmarks import backplane, fanout, inprocess, memory, roundtrip, simulation

TOPICS = {
    "inprocess": inprocess.run,
    "roundtrip": roundtrip.run,
    "fanout": fanout.run,
    "backplane": backplane.run,
    "simulation": simulation.run,
    "memory": memory.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, and write benchmarks/results/.")
    parser.add_argument("topics", nargs="*", metavar="topic", help=f"{', '.join(TOPICS)}; all of them by default")
    parser.add_argument("--only", default="", help="contestants by name, separated by commas")
    parser.add_argument("--rounds", type=int, help="how often each contestant has its turn")
    options = parser.parse_args()
    for topic in options.topics or TOPICS:
        if topic not in TOPICS:
            parser.error(f"there is no topic {topic!r}")
        TOPICS[topic]([name for name in options.only.split(",") if name], options.rounds)


if __name__ == "__main__":
    main()
