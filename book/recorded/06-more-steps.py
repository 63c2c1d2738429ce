"""Chapter 6 once more, with four times the steps: what the bag and the order then score.

Run it from the root of the repository: `python book/recorded/06-more-steps.py`.
It takes about three minutes on two cores.
"""

from pathlib import Path

from loom.run.record import cells, names_after, write_log

SEED, STEPS = 0, 1600
SOURCES = cells("06-vectors", before="sec-vectors-tying")


def main() -> None:
    names = names_after(SOURCES)
    bits = names["bits"]
    rows = [{"model": name, "steps": 400, "bits_per_byte": round(value, 4)}
            for name, value in bits.items()]
    models = {
        "bag of 8 words": lambda: names["BagOfWordsLM"](names["V"], 64),
        "positions, then a layer": lambda: names["BagOfWordsLM"](
            names["V"], 64, names["LearnedPositions"](names["T"], 64), names["look"](), 128),
    }
    for name, make in models.items():
        names["torch"].manual_seed(SEED)
        names["fit"](name, make(), steps=STEPS)
        rows.append({"model": name, "steps": STEPS, "bits_per_byte": round(bits[name], 4)})
    print(write_log(Path(__file__), SOURCES, SEED, rows))


if __name__ == "__main__":
    main()
