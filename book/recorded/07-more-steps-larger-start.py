"""Chapter 7 once more: the bag with four times the steps, and two heads that begin larger.

Run it from the root of the repository: `python book/recorded/07-more-steps-larger-start.py`.
It takes about four minutes on two cores.
"""

from pathlib import Path
from typing import Any

from loom.run.record import cells, names_after, write_log

SEED, STEPS = 0, 2400
SOURCES = cells("07-attention", before="sec-attention-counted")


def main() -> None:
    names = names_after(SOURCES)
    torch, kinds = names["torch"], names["kinds"]
    rows: list[dict[str, Any]] = []

    def note(model: str, std: float, steps: int, learner: Any, losses: list[float]) -> None:
        rows.append({"model": model, "std": std, "steps": steps,
                     "training loss, last 100": round(sum(losses[-100:]) / 100, 4)}
                    | {f"right, {kind}": round(names["accuracy"](learner, where), 4)
                       for kind, where in kinds.items()})

    def again(model: str, std: float, steps: int, mixer: Any) -> None:
        torch.manual_seed(SEED)
        learner = names["OneLayer"](len(names["vocab"]), names["T"], names["d_model"],
                                    std=std, mixer=mixer())
        torch.manual_seed(1)
        note(model, std, steps, learner,
             names["train"](learner, names["ids"], names["answers"], steps=steps))

    for model, losses in names["learned"].items():
        note(model, 0.1, len(losses), names["models"][model], losses)
    again("bag", 0.1, STEPS, names["Average"])
    again("two heads", 1.0, 600, lambda: names["MultiHeadAttention"](names["d_model"], 2))
    print(write_log(Path(__file__), SOURCES, SEED, rows))


if __name__ == "__main__":
    main()
