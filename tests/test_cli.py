"""The command line: help with examples, exit statuses, and each command from its words to its output."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from run_helpers import SMALL_OPTIONS, silent, small_config, tiny_data

import minidepth
from minidepth import __version__, cli
from minidepth.run_folder import read_config
from minidepth.train import train


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return train(small_config(data, tmp_path_factory.mktemp("runs") / "run", epochs=1), log=silent)


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"minidepth {__version__}\n"


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_every_command_has_help_with_an_example(capsys, command):
    with pytest.raises(SystemExit, match="0"):
        cli.main([command, "--help"])
    assert f"example:\n  minidepth {command}" in capsys.readouterr().out


def test_help_of_train_shows_the_defaults(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["train", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for text in ("(default: rooms)", "(default: 64x80)", "(default: mse+gradient)", "--val-split SHARE"):
        assert text in shown


def test_no_command_and_an_unknown_one_are_mistakes(capsys):
    for words in ([], ["fly"]):
        with pytest.raises(SystemExit, match="2"):
            cli.main(words)
        assert "usage: minidepth" in capsys.readouterr().err


def test_train_and_resume_from_words(capsys, data, tmp_path):
    words = ["train", "--data", data, *SMALL_OPTIONS, "--schedule", "constant", "--out", str(tmp_path / "run")]
    assert cli.main([*words, "--epochs", "1", "--recompute"]) == 0
    assert read_config(tmp_path / "run")[0].recompute
    changes = ["--epochs", "2", "--no-recompute"]
    assert cli.main(["train", "--resume", str(tmp_path / "run"), *changes, *SMALL_OPTIONS]) == 0
    assert not read_config(tmp_path / "run")[0].recompute
    out = capsys.readouterr().out
    assert "going on at epoch 2, batch 1" in out and "epoch 2/2" in out


@pytest.fixture
def limits():
    """What `--threads` and `--pool-mib` set holds for the process; put it back."""
    before = minidepth.get_num_threads()
    yield
    minidepth.set_num_threads(before)
    minidepth.set_pool_limit(None)


def test_threads_of_every_command_that_computes(capsys, data, run, tmp_path, limits):
    words = {
        "train": ["--data", data, *SMALL_OPTIONS, "--epochs", "1", "--out", str(tmp_path / "run")],
        "evaluate": [str(run), "--data", data],
        "predict": [str(run), str(run / "example.png"), "--out", str(tmp_path / "out")],
    }
    for number, (command, rest) in enumerate(words.items(), start=1):
        assert cli.main([command, *rest, "--threads", str(number)]) == 0
        assert minidepth.get_num_threads() == number
    weights = (tmp_path / "run" / "best.safetensors").read_bytes()
    assert weights == (run / "best.safetensors").read_bytes()  # which another number of threads has trained
    assert "threads" not in (tmp_path / "run" / "config.json").read_text()
    assert cli.main(["train", "--resume", str(tmp_path / "run"), "--threads", "1"]) == 2  # of no more epochs
    assert "all 1 epochs are done" in capsys.readouterr().err


def test_a_pool_smaller_than_a_step_needs_says_so_in_one_line(data, tmp_path):
    """In a process of its own: what a person sees on standard error."""
    folders = [tmp_path / name for name in ("free", "limited", "none")]
    said = []
    for folder, more in zip(folders, ([], ["--pool-mib", "1"], ["--pool-mib", "0"])):
        words = ["train", "--data", data, "--size", "64x64", "--base-channels", "2", "--batch", "4", "--epochs", "1"]
        command = [sys.executable, "-m", "minidepth", *words, "--out", str(folder), *more]
        said.append(subprocess.run(command, check=True, capture_output=True, text=True).stderr)
    assert said[0] == ""
    for text, limit in zip(said[1:], ("1.0", "0.0")):
        assert text.startswith(f"minidepth: the pool's limit of {limit} MiB is smaller than one step needs: it holds ")
        assert text.endswith("Everything works, but more slowly; raise the limit or make the batch smaller\n")
        assert len(text.splitlines()) == 1
    weights = [(folder / "best.safetensors").read_bytes() for folder in folders]
    assert weights[0] == weights[1] == weights[2]


def test_evaluate_prints_a_table_or_json(capsys, data, run):
    assert cli.main(["evaluate", str(run), "--data", data]) == 0
    assert "pooled over pixels" in capsys.readouterr().out
    assert cli.main(["evaluate", str(run), "--data", data, "--tta", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["tta"] is True
    assert result["network"]["per_picture"]["rmse_m"] > 0


def test_predict_ends_with_status_1_when_a_picture_is_broken(capsys, run, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"")
    words = [
        "predict",
        str(run),
        str(run / "example.png"),
        str(tmp_path / "broken.png"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert cli.main(words) == 1
    said = capsys.readouterr()
    assert "broken.png" in said.out
    assert said.err == "minidepth: 1 of 2 pictures could not be read\n"
    assert (tmp_path / "out" / "example_side.png").exists()


def test_data_info_and_verify(capsys, data, tmp_path):
    assert cli.main(["data", "info", data, "--sheet", str(tmp_path / "sheet.png")]) == 0
    assert "22" in capsys.readouterr().out
    assert (tmp_path / "sheet.png").exists()
    assert cli.main(["data", "verify", data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []


def test_summary_takes_the_options_of_the_network(capsys):
    words = ["summary", "unet", "--size", "32x48", "--base-channels", "16", "--norm", "batch", "--up", "transposed"]
    assert cli.main(words) == 0
    assert "parameters         1,942,577" in capsys.readouterr().out


def test_gradcheck(capsys):
    assert cli.main(["gradcheck", "leaky_relu"]) == 0
    assert "leaky_relu" in capsys.readouterr().out
    assert cli.main(["gradcheck", "convolve"]) == 2
    assert "minidepth: gradcheck: no op is called 'convolve'" in capsys.readouterr().err


def test_errors_of_the_machine_are_one_line(capsys, monkeypatch):
    def fail_with(error):
        def fail(arguments):
            raise error

        monkeypatch.setitem(cli.COMMANDS, "summary", fail)
        return cli.main(["summary", "unet"])

    assert fail_with(PermissionError(13, "Permission denied", "/locked")) == 2
    assert capsys.readouterr().err == "minidepth: /locked: Permission denied\n"
    assert fail_with(MemoryError("Unable to allocate 1 TiB")) == 2
    assert "smaller --batch or --size" in capsys.readouterr().err
    assert fail_with(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "minidepth: stopped\n"


def test_a_mistake_in_the_program_is_not_hidden(monkeypatch):
    monkeypatch.setitem(cli.COMMANDS, "summary", lambda arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["summary", "unet"])


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_in_a_real_process(data, tmp_path):
    folder = tmp_path / "run"
    words = ["train", "--data", data, *SMALL_OPTIONS, "--epochs", "10000", "--out", str(folder)]
    with subprocess.Popen(
        [sys.executable, "-m", "minidepth", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while not (folder / "log.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith("minidepth: stopped ")
    assert err.endswith(f"To go on: minidepth train --resume {folder}\n")
    assert len(err.splitlines()) == 1
