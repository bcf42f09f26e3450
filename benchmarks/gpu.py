"""All that is measured on a GPU, in one call of under 8 minutes:

    pip install 'minidepth[gpu]' torch matplotlib      # beforehand: nothing is downloaded here
    python benchmarks/gpu.py                           # --only kernels,steps for some parts; --rehearse without a GPU
    python benchmarks/gpu.py --only nyu --nyu TRAIN TEST        # and this, for as long as the training takes

    ceilings   how fast the card copies, and multiplies matrices in float32, TF32 and half (cuBLAS)
    kernels    each kernel at the sizes of the original U-Net, against these ceilings
    steps      training steps and inference by turns against PyTorch eager, in float32, TF32 and mixed precision
    memory     the largest batch of the original U-Net in 16 GiB
    nyu        60 epochs of the U-Net base 32 at 240x320 on NYU Depth V2, and its metrics

Each part is written to RESULTS.md, between markers of its own, as soon as it is done, and has its share of the time
(`--minutes`). A rehearsal runs every line at tiny sizes on the emulated GPU (PyTorch on the CPU), times nothing, and
writes nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

import gpu_kernels
import gpu_plot
import gpu_steps
import nyu
from gpu_card import NOT_MEASURED, Card, Rehearsal, figure, torch_version
from results import write_between_markers

from minidepth.config import TrainConfig
from minidepth.errors import InputError
from minidepth.evaluate import evaluate
from minidepth.run_folder import read_log
from minidepth.train import train

SHARES = {"ceilings": 0.05, "kernels": 0.3, "steps": 0.5, "memory": 0.15}
"""Part -> its share of the minutes."""
NYU_SETTINGS = {
    **nyu.SETTINGS, "size": (240, 320), "base_channels": 32, "epochs": 60, "device": "cuda", "amp": True, "workers": 8,
}  # fmt: skip
NYU_TARGET_MINUTES = 10


def main() -> None:
    options = arguments()
    try:
        card = Rehearsal() if options.rehearse else Card()
    except InputError as error:
        sys.exit(f"gpu: nothing can be measured here ({error}); --rehearse shows without a GPU that all of it runs")
    facts = card.facts() + ".\n\n"
    print(facts)
    parts = [part for part in (*SHARES, "nyu") if part in options.only]
    seconds = {part: 60 * options.minutes * share for part, share in SHARES.items()}
    if not options.rehearse:
        print(f"compiled all kernels in {card.compile_all():.0f} s", file=sys.stderr)
    failed = []
    for part in parts:
        try:
            text = facts + PARTS[part](card, seconds.get(part, 0.0), options)
        except Exception:
            if card.rehearsal:
                raise
            traceback.print_exc()
            failed.append(part)  # the others still get their turn
            continue
        print(text)
        card.free()
        if not options.rehearse:
            write_between_markers(f"gpu-{part}", text)
    if options.rehearse:
        print(NOT_MEASURED)
    if failed:
        sys.exit(f"gpu: failed, see above: {', '.join(failed)}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure kernels, training steps and memory on a GPU.")
    known = (*SHARES, "nyu")
    parser.add_argument("--only", default=",".join(SHARES), help=f"parts, joined by commas: {', '.join(known)}")
    parser.add_argument("--minutes", type=float, default=7.0, help="for all parts but nyu (default 7)")
    parser.add_argument("--rounds", type=int, default=3, help="turns for each competitor, if there is time (default 3)")
    parser.add_argument("--nyu", nargs=2, metavar=("TRAIN", "TEST"), help="data sets for the part nyu")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu_nyu"), help="run folder of the part nyu")
    parser.add_argument("--rehearse", action="store_true", help="run every line without a GPU; times nothing")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = [part for part in options.only if part not in known]
    if unknown:
        parser.error(f"--only {unknown[0]}: the parts are {', '.join(known)}")
    if "nyu" in options.only and not options.nyu and not options.rehearse:
        parser.error("--only nyu needs --nyu TRAIN TEST, data sets as `minidepth train --data` takes them")
    return options


def ceilings(card: Card, seconds: float, options: argparse.Namespace) -> str:
    return gpu_kernels.ceilings_text(gpu_kernels.measure_ceilings(card))


def kernels(card: Card, seconds: float, options: argparse.Namespace) -> str:
    until_s = time.perf_counter() + (1e9 if card.rehearsal else seconds)
    scale = gpu_kernels.TINY if card.rehearsal else gpu_kernels.FULL
    measured = gpu_kernels.measure_ceilings(card)
    rows, remarks = gpu_kernels.measure(card, measured, scale, until_s)
    path = picture("gpu_kernels.png", card)
    gpu_plot.plot_kernels(rows, path, card.facts())
    text = gpu_kernels.ceilings_text(measured) + gpu_kernels.text_of(rows, remarks)
    return text + f"![Each kernel's share of its ceiling]({path.name})\n"


def steps(card: Card, seconds: float, options: argparse.Namespace) -> str:
    titles = competitors()
    cases = [gpu_steps.TINY] if card.rehearsal else [gpu_steps.SMALL, gpu_steps.LARGE]
    rounds = 1 if card.rehearsal else options.rounds
    results = [gpu_steps.by_turns(case, "time", titles, rounds, seconds / len(cases), card.rehearsal) for case in cases]
    path = picture("gpu_steps.png", card)
    gpu_plot.plot_steps(results, path, card.facts())
    how = (
        '"Ratio" is to the better of PyTorch\'s two memory formats, in brackets the range over the rounds. PyTorch '
        "runs eager, with cudnn.benchmark; half is autocast with its GradScaler there and --amp here.\n\n"
    )
    return how + "".join(map(gpu_steps.text_of, results)) + absent() + f"![The steps as bars]({path.name})\n"


def memory(card: Card, seconds: float, options: argparse.Namespace) -> str:
    case = gpu_steps.TINY if card.rehearsal else gpu_steps.LARGE
    measured = gpu_steps.by_turns(case, "fit", competitors(), 1, seconds, card.rehearsal)
    what = f"{case.title()} or what fits; CUDA's own memory is not counted.\n\n"
    return what + gpu_steps.batches_text(measured) + absent()


def nyu_run(card: Card, seconds: float, options: argparse.Namespace) -> str:
    if card.rehearsal:
        with tempfile.TemporaryDirectory() as folder:
            small = {**NYU_SETTINGS, "size": (16, 16), "base_channels": 1, "epochs": 1, "workers": 0}
            small.update({"device": "cpu", "amp": False})  # a whole epoch is too long for the emulated GPU
            return train_and_score(TrainConfig(data="rooms", out=str(Path(folder, "run")), **small), "rooms", True)
    config = TrainConfig(data=options.nyu[0], out=str(options.out), **NYU_SETTINGS)
    return train_and_score(config, options.nyu[1], False)


def train_and_score(config: TrainConfig, test: str, rehearsal: bool) -> str:
    start_s = time.perf_counter()
    folder = train(config)
    minutes = (time.perf_counter() - start_s) / 60
    results = {tta: evaluate(folder, test, tta=tta, device="cuda") for tta in (False, True)}
    if rehearsal:
        return f"{len(read_log(folder))} epoch, {figure(float('nan'))} minutes\n"
    verdict = "met" if minutes < NYU_TARGET_MINUTES else "not met"
    text = nyu.settings(folder) + f"From the start to the last checkpoint {minutes:.1f} minutes. "
    return text + f"Target, under {NYU_TARGET_MINUTES} minutes: {verdict}.\n\n" + nyu.table(results)


def competitors() -> list[str]:
    """minidepth, and PyTorch where it is installed."""
    return [title for title in gpu_steps.COMPETITORS if title == gpu_steps.OURS or torch_version() != "missing"]


def absent() -> str:
    return "" if torch_version() != "missing" else "PyTorch is absent; to add it, `pip install torch`.\n\n"


def picture(name: str, card: Card) -> Path:
    """Where a plot goes; that of a rehearsal is thrown away."""
    return Path(tempfile.mkdtemp() if card.rehearsal else Path(__file__).parent) / name


PARTS = {"ceilings": ceilings, "kernels": kernels, "steps": steps, "memory": memory, "nyu": nyu_run}

if __name__ == "__main__":
    main()
