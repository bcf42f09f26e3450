"""Hostile torch files: each is refused for its own reason, nothing in it runs, and none fills the memory.

The payloads are alive: Python's own `pickle` runs them, which every test sees first. Then the reader must refuse them
without a trace: no file appears, and Python's audit events show that nothing was called or imported.
"""

from __future__ import annotations

import pickle
import struct
import sys
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch_files as tf

from minidepth.errors import DataError
from minidepth.pretrained import pickle_machine, read_weights
from minidepth.pretrained.refused import RefusedError

CONTAINERS = ("zip", "legacy")
NUMBERS = np.arange(12, dtype=np.float32)
GOOD = tf.tensor("Float", "0", 12, (3, 4), (4, 1))

WATCHED = ("os.", "subprocess.", "exec", "compile", "import", "pickle.", "marshal.", "ctypes.", "socket.", "shutil.")
_events: list[str] | None = None
"""What the audit hook has seen, while a test listens."""


def _listen(event: str, _: tuple[Any, ...]) -> None:
    if _events is not None and event.startswith(WATCHED):
        _events.append(event)


sys.addaudithook(_listen)


def refused(path: Path, message: str) -> str:
    """Reads the file, which must be refused with this text, while nothing runs and little memory is taken."""
    global _events
    _events = []
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as error:
            read_weights(path)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        events, _events = _events, None
        tracemalloc.stop()
    text = str(error.value)
    assert text.startswith(f"{path}: ") and message in text, text
    assert len(text) < 500 and text.isprintable(), text
    assert [event for event in events if event != "os.fstat"] == []
    assert taken < 32 * path.stat().st_size + 2**20  # an instruction of one byte may put a small object on the stack
    return text


def write(folder: Path, content: Any, container: str) -> Path:
    path = folder / f"hostile_{container}.pth"
    if container == "zip":
        return tf.write_zip(path, content, {"0": NUMBERS.tobytes()})
    return tf.write_legacy(path, content, {"0": (12, NUMBERS.tobytes())})


@pytest.fixture(scope="module", autouse=True)
def everything_is_imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the first read imports (codecs, say) must not look as if a later file had asked for it."""
    for container in CONTAINERS:
        read_weights(write(tmp_path_factory.mktemp("first"), {"w": GOOD}, container))


# --- what would run a program ---


class Payloads:
    """Pickles that leave the file `canary` behind when Python's own machine runs them."""

    def __init__(self, folder: Path) -> None:
        self.canary = folder / "canary"
        self.shell = f"touch {self.canary}"
        self.python = f"open({str(self.canary)!r}, 'w').close()"
        (folder / "evil_on_import.py").write_text(self.python)
        (folder / "evil_state.py").write_text(f"class Evil:\n    def __setstate__(self, _):\n        {self.python}\n")

    def os_system(self) -> Any:
        return tf.Call(tf.Global("os", "system"), (self.shell,))

    def eval(self) -> Any:
        return tf.Call(tf.Global("builtins", "eval"), (self.python,))

    def exec(self) -> Any:
        return tf.Call(tf.Global("builtins", "exec"), (self.python,))

    def subprocess(self) -> Any:
        return tf.Call(tf.Global("subprocess", "call"), (["touch", str(self.canary)],))

    def chain(self) -> Any:
        """getattr(__import__("os"), "system")(...), a REDUCE on what a REDUCE gave."""
        module = tf.Call(tf.Global("builtins", "__import__"), ("os",))
        return tf.Call(tf.Call(tf.Global("builtins", "getattr"), (module, "system")), (self.shell,))

    def instance(self) -> Any:
        """The instruction INST, which calls as REDUCE does."""
        return tf.Raw(b"(" + tf.encode(self.shell) + b"ios\nsystem\n")

    def object(self) -> Any:
        """The instruction OBJ."""
        return tf.Raw(b"(" + tf.encode(tf.Global("os", "system")) + tf.encode(self.shell) + b"o")

    def stack_global(self) -> Any:
        name = tf.Raw(tf.encode("os") + tf.encode("system") + b"\x93")
        return tf.Call(name, (self.shell,))

    def state(self) -> Any:
        return tf.Build(tf.Call(tf.Global("evil_state", "Evil"), (), b"\x81"), {})

    def import_alone(self) -> Any:
        return tf.Global("evil_on_import", "anything")

    def hidden_in_a_key(self) -> Any:
        return {self.os_system(): 1}

    def hidden_in_an_ordered_dict(self) -> Any:
        return tf.Build(tf.Call(tf.ORDERED_DICT, ()), {"_metadata": self.os_system()})


PAYLOADS = [name for name in vars(Payloads) if not name.startswith("_")]


@pytest.fixture
def payloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Payloads]:
    monkeypatch.syspath_prepend(tmp_path)
    yield Payloads(tmp_path)
    for name in ("evil_on_import", "evil_state"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_is_refused_and_does_not_run(tmp_path: Path, payloads: Payloads, name: str, container: str) -> None:
    payload = getattr(payloads, name)()
    try:
        pickle.loads(tf.pickled(payload))
    except AttributeError:  # import_alone: the module has no such thing, but by then it has been imported
        assert name == "import_alone"
    assert payloads.canary.exists()  # the payload is alive
    payloads.canary.unlink()
    for module in ("evil_on_import", "evil_state"):
        sys.modules.pop(module, None)

    reason = "it asks for " if name != "instance" else "its pickle has an instruction INST"
    for content in (payload, {"weight": GOOD, "more": payload}, [payload]):
        refused(write(tmp_path, content, container), reason)
    assert not payloads.canary.exists()
    assert not {"evil_on_import", "evil_state"} & set(sys.modules)


def test_every_pickle_of_an_old_file_is_read_in_the_same_way(tmp_path: Path, payloads: Payloads) -> None:
    evil, magic, version, facts = payloads.os_system(), tf.MAGIC, tf.VERSION, tf.FACTS
    for pickles in ((magic, evil), (magic, version, evil), (magic, version, facts, {"w": GOOD}, evil)):
        (tmp_path / "a.pth").write_bytes(b"".join(map(tf.pickled, pickles)))
        refused(tmp_path / "a.pth", "it asks for os.system, which weights do not need; nothing was run")
    assert not payloads.canary.exists()


def test_a_payload_in_what_is_thrown_away(tmp_path: Path, payloads: Payloads) -> None:
    """Hooks, a tensor's metadata, the state of an object."""
    evil, place = payloads.os_system(), tf.storage("Float", "0", 12)
    for tensor in (
        tf.Call(tf.REBUILD, (place, 0, (12,), (1,), False, evil)),
        tf.Call(tf.REBUILD, (place, 0, (12,), (1,), False, tf.Call(tf.ORDERED_DICT, ()), evil)),
        tf.Build(GOOD, evil),
        tf.Call(tf.Global("torch._utils", "_rebuild_parameter"), (GOOD, True, evil)),
        tf.Call(tf.ORDERED_DICT, (evil,)),
    ):
        refused(write(tmp_path, {"w": tensor}, "zip"), "it asks for os.system")
    assert not payloads.canary.exists()


WHOLE = [
    (tf.Global("models", "MobileNetSkipAdd"), "it asks for models.MobileNetSkipAdd, which weights do not need"),
    (tf.Global("torch.nn.modules.conv", "Conv2d"), "torch.save(model.state_dict()"),
    (tf.Global("numpy.core.multiarray", "scalar"), "it asks for numpy.core.multiarray.scalar"),
    (tf.Global("argparse", "Namespace"), "it asks for argparse.Namespace"),
    (tf.Global("torch", "load"), "it asks for torch.load"),
    (tf.Global("torch", "_utils._rebuild_tensor_v2"), "it asks for torch._utils._rebuild_tensor_v2"),
    (tf.Global("torch", "QInt8Storage"), "it asks for torch.QInt8Storage"),
    (tf.Global("torch.storage", "UntypedStorage"), "it asks for torch.storage.UntypedStorage"),
    (tf.Global("collections", "defaultdict"), "it asks for collections.defaultdict"),
    (tf.Persistent(("module", "x", "file.py", "source")), "it is a whole model and not its weights"),
    (tf.Global("torch\\h", "\\x46loatStorage"), "it asks for torch\\h.\\x46loatStorage"),
    (tf.Global("torch FloatStorage", ""), "it asks for torch FloatStorage."),
    (tf.Global("\x1b[2J", "x" * 300), "it asks for ?[2J.xxx"),
]


@pytest.mark.parametrize("content, message", WHOLE, ids=range(len(WHOLE)))
def test_what_is_no_weight_is_named(tmp_path: Path, content: Any, message: str) -> None:
    for container in CONTAINERS:
        refused(write(tmp_path, {"w": GOOD, "more": content}, container), message)


def test_find_class_answers_with_names_and_imports_nothing() -> None:
    for module, name in [*pickle_machine.CALLS, *pickle_machine.STORAGES]:
        answer = pickle_machine.find_class(module, name)
        assert type(answer) is pickle_machine.Global and tuple(answer) == (module, name) and not callable(answer)
    assert len(pickle_machine.CALLS) == 6 and len(pickle_machine.STORAGES) == 10
    for module, name in (
        ("os", "system"),
        ("torch", "OrderedDict"),
        ("collections", "FloatStorage"),
        (3, ()),
        ([], {}),
    ):
        with pytest.raises(RefusedError, match="it asks for"):
            pickle_machine.find_class(module, name)


# --- bombs: little to read, much to hold ---

DAG = b")" + b"".join(b"q\x00h\x00\x86" for _ in range(100))
"""A tuple of twice a tuple of twice ...: 500 bytes that have 2^100 leaves. Whoever hashes or prints it never ends."""

BOMBS = [
    ("hash", b"}" + DAG + b"K\x01s", "its pickle uses a tuple as a key of a dict"),
    ("hash, many", b"}(" + DAG + b"K\x01u", "its pickle uses a tuple as a key of a dict"),
    ("hash, pairs", tf.encode(tf.ORDERED_DICT) + b"](" + DAG + b"K\x01\x86e\x85R", "uses a tuple as a key of a dict"),
    ("name", DAG + DAG + b"\x93", "it asks for tuple.tuple"),
    ("identity", DAG + b"Q", "the persistent id 'tuple' with 2 parts is no storage"),
    ("call", DAG + b")R", "its pickle calls a tuple"),
    ("arguments", tf.encode(tf.REBUILD) + DAG + b"R", "with arguments that torch does not write"),
    ("size", tf.encode(tf.tensor("Float", "0", 12, tf.Raw(DAG), (1, 1))), "must be whole numbers from 0, not tuple"),
    ("key", tf.encode(tf.storage("Float", tf.Raw(DAG), 12)), "the storage key 'tuple' is no number"),
    ("count", tf.encode(tf.storage("Float", "0", tf.Raw(DAG))), "must be whole numbers from 0, not tuple"),
    ("memo", b"}r\xff\xff\xff\x7f", "it holds no weights by name"),
    ("text", b"X\xff\xff\xff\x7fabc", "its pickle is damaged (expected 2147483647 bytes"),
    ("old text", b"T\xff\xff\xff\x7fabc", "its pickle is damaged (expected 2147483647 bytes"),
    ("long text", b"\x8d" + b"\xff" * 7 + b"\x7fabc", "its pickle has an instruction BINUNICODE8"),
    ("bytes", b"\x8e" + b"\xff" * 7 + b"\x7fabc", "its pickle has an instruction BINBYTES8"),
    ("long", b"\x8b\xff\xff\xff\x7f1", "its pickle has an instruction LONG4"),
    ("decimal", b"I" + b"9" * 100_000 + b"\n", "its pickle has an instruction INT"),
    ("frame", b"\x95" + b"\xff" * 7 + b"\x7f}", "it holds no weights by name"),
    ("deep", b"(" * 20_000 + b"t" * 20_000, "it holds a tuple and no weights by name"),
    ("itself", b"}q\x00X\x05\x00\x00\x00modelh\x00s", "it holds no weights by name"),
    ("doubled", b"]" + b"2" * 10, "its pickle has an instruction DUP"),
    ("extension", b"\x82\x01", "its pickle has an instruction EXT1"),
    ("buffers", b"\x97", "its pickle has an instruction NEXT_BUFFER"),
]


@pytest.mark.parametrize("name, program, message", BOMBS, ids=[name for name, _, _ in BOMBS])
def test_bombs(tmp_path: Path, name: str, program: bytes, message: str) -> None:
    refused(write(tmp_path, b"\x80\x02" + program + b".", "zip"), message)


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_endless_program(tmp_path: Path, container: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_machine, "LONGEST", 5000)
    path = write(tmp_path, b"\x80\x02" + b"N" * (pickle_machine.LONGEST + 9) + b".", container)
    with pytest.raises(DataError, match=rf"hostile_{container}.pth: its (pickle|entry) .*5000"):
        read_weights(path)


# --- tensors that are not where they say ---

PLACES = [
    (("Float", "0", 12, (3, 4), (4, -1)), "must be whole numbers from 0, not -1"),
    (("Float", "0", 12, (3, -4), (4, 1)), "must be whole numbers from 0, not -4"),
    (("Float", "0", 12, (3,), (1,), -1), "must be whole numbers from 0, not -1"),
    (("Float", "0", 12, (3,), (1,), 10), "a tensor (3,) reaches number 12 of storage 0, which has 12"),
    (("Float", "0", 12, (13,), (1,)), "a tensor (13,) reaches number 12 of storage 0, which has 12"),
    (("Float", "0", 12, (), (), 12), "a tensor () reaches number 12"),
    (("Float", "0", 12, (0,), (1,), 13), "a tensor (0,) reaches number 12"),
    (("Float", "0", 12, (3, 4), (5, 1)), "a tensor (3, 4) reaches number 13"),
    (("Float", "0", 12, (2**30, 2**30), (0, 0)), "shows more numbers than its storage 0 has (12)"),
    (("Float", "0", 12, (13,), (0,)), "a tensor (13,) shows more numbers than its storage 0 has (12)"),
    (("Float", "0", 12, (2**31,), (1,)), "2147483648 is too large"),
    (("Float", "0", 12, (3,), (2**62,)), "is too large"),
    (("Float", "0", 12, (1,), (tf.Raw(b"\x8a\xff" + b"\x7f" * 255),)), "is too large"),
    (("Float", "0", 12, (True,), (1,)), "must be whole numbers from 0, not True"),
    (("Float", "0", 12, (3.0,), (1,)), "must be whole numbers from 0, not 3.0"),
    (("Float", "0", 12, "ab", (1, 1)), "are not two tuples of one length"),
    (("Float", "0", 12, (3,), (1, 1)), "are not two tuples of one length"),
    (("Float", "0", 12, (1,) * 9, (1,) * 9), "a tensor of 9 dimensions"),
    (("Float", "0", 2**40, (3,), (1,)), "the size of a storage: 1099511627776 is too large"),
    (("Float", "0", -12, (3,), (1,)), "must be whole numbers from 0, not -12"),
    (("Float", "0", 13, (13,), (1,)), ""),
    (("Double", "0", 12, (12,), (1,)), ""),
    (("Float", "../x", 12, (3,), (1,)), "the storage key '../x' is no number (a key must not be a path)"),
    (("Float", "/etc/passwd", 12, (3,), (1,)), "the storage key '/etc/passwd' is no number"),
    (("Float", "0/../../x", 12, (3,), (1,)), "the storage key '0/../../x' is no number"),
    (("Float", "", 12, (3,), (1,)), "the storage key '' is no number"),
    (("Float", "٣", 12, (3,), (1,)), "the storage key '?' is no number"),
    (("Float", 0, 12, (3,), (1,)), "the storage key '0' is no number"),
    (("Float", "1" * 30, 12, (3,), (1,)), "is no number"),
    (("Float", "5", 12, (3,), (1,)), ""),
]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("place, message", PLACES, ids=range(len(PLACES)))
def test_tensors_outside_their_storage(tmp_path: Path, place: Any, message: str, container: str) -> None:
    refused(write(tmp_path, {"w": tf.tensor(*place)}, container), message)


def test_the_reasons_for_wrong_storages(tmp_path: Path) -> None:
    for count, key, kind, old, new in (
        (13, "0", "Float", "begins with the count 12, but should have 13", "has 48 bytes; its pickle says 52"),
        (12, "0", "Double", "it has", "has 48 bytes; its pickle says 96"),
        (12, "5", "Float", "its list of storages is not that of its tensors", "has no entry archive/data/5"),
    ):
        content = {"w": tf.tensor(kind, key, count, (3,), (1,))}
        refused(write(tmp_path, content, "legacy"), old)
        refused(write(tmp_path, content, "zip"), new)


ODD = [
    (tf.Call(tf.REBUILD, (3, 0, (1,), (1,))), "a tensor of a 3 instead of a storage"),
    (tf.Call(tf.REBUILD, (3, 0)), "torch._utils._rebuild_tensor_v2 with arguments that torch does not write"),
    (tf.Call(tf.Global("torch", "Size"), (3,)), "torch.Size with arguments that torch does not write"),
    (tf.Call(tf.Global("torch._utils", "_rebuild_parameter"), ("x",)), "with arguments that torch does not write"),
    (tf.Call(tf.Global("torch", "FloatStorage"), (2**30,)), "its pickle calls a Global"),
    (tf.Call(tf.ORDERED_DICT, [1]), "its pickle calls a Global"),
    (tf.Call(tf.ORDERED_DICT, ([[1, 2, 3]],)), "an OrderedDict of something else than pairs"),
    (tf.Call("os.system", ("true",)), "its pickle calls a os.system, which nothing here does"),
    (tf.Build("text", {}), "its pickle gives a state to a text, which needs none"),
    (tf.Build(tf.ORDERED_DICT, {}), "its pickle gives a state to a Global"),
    (tf.Persistent("storage"), "a persistent id that is no tuple"),
    (tf.Persistent(()), "a persistent id that is no tuple"),
    (tf.Persistent(("storage", "torch.FloatStorage", "0", "cpu", 12)), "a storage of an unknown class"),
    (tf.Persistent(("storage", tf.ORDERED_DICT, "0", "cpu", 12)), "a storage of an unknown class"),
    (tf.Persistent(("storage", tf.Global("torch", "FloatStorage"), "0", "cpu")), "with 4 parts is no storage"),
    (tf.Persistent(("file", "/etc/passwd", "0", "cpu", 12)), "the persistent id 'file' with 5 parts is no storage"),
    (tf.storage("Float", "0", 12, "no view"), "its view is not (key, offset, size)"),
    (tf.storage("Float", "0", 12, ("1", 10, 3)), "a view of numbers 10 to 13, but it has only 12"),
    (tf.storage("Float", "0", 12, ("1", -1, 3)), "must be whole numbers from 0, not -1"),
    (tf.Raw(b"]}K\x01aa"), "its pickle appends to a dict, which is no list"),
    (tf.Raw(b"](K\x01K\x02u"), "its pickle sets an item of a list"),
    (tf.Raw(b"}(K\x01u"), "or a key without a value"),
    (tf.Raw(b"s"), "the stack is empty"),
    (tf.Raw(b"0"), "its pickle has an instruction POP"),
    (tf.Raw(b"t"), "a bracket closes that was never opened"),
    (tf.Raw(b"K\x01((Q"), "the stack is empty"),
    (tf.Raw(b"h\x07"), "nothing was put in place 7"),
    (tf.Raw(b"\xff"), "its pickle has an instruction that does not exist at byte 2"),
    (tf.Raw(b"cos"), "its pickle is damaged (a line without an end"),
    (tf.Raw(b"X\x02\x00\x00\x00\xff\xff"), "its pickle is damaged ('utf-8' codec"),
]


@pytest.mark.parametrize("content, message", ODD, ids=range(len(ODD)))
def test_programs_that_torch_does_not_write(tmp_path: Path, content: Any, message: str) -> None:
    refused(write(tmp_path, content, "zip"), message)


def test_one_storage_described_in_two_ways(tmp_path: Path) -> None:
    content = {"a": GOOD, "b": tf.tensor("Int", "0", 12, (3,), (1,))}
    for container in CONTAINERS:
        text = refused(write(tmp_path, content, container), "storage 0")
        assert container == "legacy" or "and something else for another" in text


def test_no_weights_at_all(tmp_path: Path) -> None:
    for content, message in (
        ({}, "it holds no weights by name (it holds: nothing)"),
        ({"epoch": 3, "lr": 0.1}, "it holds no weights by name (it holds: epoch, lr)"),
        ([1, 2], "it holds a list and no weights by name"),
        (GOOD, "it holds a StoredTensor and no weights by name"),
    ):
        refused(write(tmp_path, content, "zip"), message)


# --- archives ---


def archive(folder: Path, change: Callable[[zipfile.ZipFile], None], top: str = "archive") -> Path:
    """A good archive, to which `change` adds something."""
    path = tf.write_zip(folder / "a.pth", {"w": GOOD}, {"0": NUMBERS.tobytes()}, top)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as file:
        warnings.simplefilter("ignore")  # of duplicates
        change(file)
    return path


ENTRIES = [
    ("archive/data/0", b"", zipfile.ZIP_STORED, "the archive has two entries 'archive/data/0'"),
    ("archive/data.pkl", b"", zipfile.ZIP_STORED, "the archive has two entries 'archive/data.pkl'"),
    ("archive/data/1", bytes(2**24), zipfile.ZIP_DEFLATED, "the archive's entry 'archive/data/1' is compressed"),
    ("archive/data/1", bytes(2**16), zipfile.ZIP_BZIP2, "the archive's entry 'archive/data/1' is compressed"),
    ("archive/../../evil", b"", zipfile.ZIP_STORED, "'archive/../../evil', a path that leads out of it"),
    ("/etc/cron.d/evil", b"", zipfile.ZIP_STORED, "'/etc/cron.d/evil', a path that leads out of it"),
    ("archive\\..\\evil", b"", zipfile.ZIP_STORED, "a path that leads out of it"),
    ("archive/constants.pkl", b"", zipfile.ZIP_STORED, "a TorchScript archive, a program with weights in it"),
    ("archive/code/__torch__.py", b"", zipfile.ZIP_STORED, "a TorchScript archive"),
    ("other/data.pkl", b"", zipfile.ZIP_STORED, "a ZIP archive, but not of torch"),
]


@pytest.mark.parametrize("name, data, method, message", ENTRIES, ids=range(len(ENTRIES)))
def test_archives_with_a_wrong_entry(tmp_path: Path, name: str, data: bytes, method: int, message: str) -> None:
    refused(archive(tmp_path, lambda file: file.writestr(name, data, method)), message)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pth"]  # nothing was unpacked


def change_directory(path: Path, name: str, offset: int, data: bytes) -> Path:
    """Overwrite bytes of an entry's record in the directory at the archive's end."""
    raw = bytearray(path.read_bytes())
    start = raw.rindex(b"PK\x01\x02", 0, raw.rindex(name.encode())) + offset
    raw[start : start + len(data)] = data
    path.write_bytes(raw)
    return path


def test_archives_with_a_lying_directory(tmp_path: Path) -> None:
    size = struct.pack("<II", 2**31, 2**31)
    for offset, data, message in (
        (20, size, "the archive's entries are larger than the file"),
        (8, b"\x01\x00", "the archive's entry 'archive/data/0' is encrypted"),
        (42, struct.pack("<I", 0), "the archive is damaged (File name in directory"),
        (42, struct.pack("<I", 2**31), "the archive is damaged ("),
        (16, b"\x00\x00\x00\x00", "the archive is damaged (Bad CRC-32 for file 'archive/data/0')"),
        (6, b"\xff\xff", "the archive is damaged (zip file version"),
    ):
        path = tf.write_zip(tmp_path / "a.pth", {"w": GOOD}, {"0": NUMBERS.tobytes()})
        refused(change_directory(path, "archive/data/0", offset, data), message)


def test_big_endian_numbers(tmp_path: Path) -> None:
    path = tf.write_zip(tmp_path / "a.pth", {"w": GOOD}, {"0": NUMBERS.tobytes()}, byteorder=b"big")
    refused(path, "its numbers are in big-endian byte order")
    facts = {**tf.FACTS, "little_endian": False}
    path = tf.write_legacy(tmp_path / "b.pth", {"w": GOOD}, {"0": (12, NUMBERS.tobytes())}, facts)
    refused(path, "its numbers are in big-endian byte order")


# --- old files ---


def test_old_files_that_do_not_add_up(tmp_path: Path) -> None:
    raw = NUMBERS.tobytes()
    good = tf.legacy_bytes({"w": GOOD}, {"0": (12, raw)})
    before = good[: -len(raw) - 8]
    keys = tf.pickled(["0"])
    for data, message in (
        (good[:-1], "but its storages end at"),
        (good + b"\x00", "but its storages end at"),
        (before, "storage 0 begins with the count 0, but should have 12"),
        (before + struct.pack("<q", -1) + raw, "but should have 12"),
        (before.replace(keys, tf.pickled("0")) + good[-56:], "its list of storages is damaged"),
        (before.replace(keys, tf.pickled([["0"]])) + good[-56:], "its list of storages is damaged"),
        (before.replace(keys, tf.pickled(["0", "0"])) + good[-56:], "its list of storages is damaged"),
        (before.replace(keys, tf.pickled([])) + good[-56:], "its list of storages is not that of its tensors"),
        (good.replace(tf.pickled(1001), tf.pickled(1002), 1), "are not those of torch's old files, version 1001"),
        (good.replace(tf.pickled(tf.FACTS), tf.pickled([1])), "big-endian byte order, which is not read, or it is"),
    ):
        (tmp_path / "a.pth").write_bytes(data)
        refused(tmp_path / "a.pth", message)
