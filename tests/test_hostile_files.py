"""Model files that anybody may have made: each is refused in a sentence, and nothing is built."""

import io
import json
import os
import shutil
import struct
import zipfile

import h5py
import keras
import numpy as np
import pytest

from rnnzoo import archive, zoo
from rnnzoo.errors import InputError
from rnnzoo.models import LanguageModel, char_lstm
from rnnzoo.models.checked_file import load_weights_file
from rnnzoo.vocabulary import Vocabulary

WEIGHTS, CONFIG = "model.weights.h5", "config.json"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model = char_lstm(Vocabulary.from_text("to be or not to be"), units=4)
    model.compile(optimizer=keras.optimizers.Adam())
    model.save(path)
    return path


@pytest.fixture
def changed(saved, tmp_path):
    """Writes a copy of the file with one part changed, unsigned as an old file is."""

    def change(part, how, **extra):
        target = tmp_path / "changed.keras"
        with zipfile.ZipFile(saved) as before, zipfile.ZipFile(target, "w") as after:
            for name in before.namelist():
                content = before.read(name)
                after.writestr(name, how(content) if name == part else content)
            for name, content in extra.items():
                after.writestr(name, content)
        return target

    return change


def refused(path, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        zoo.load(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 900


def with_config(**values):
    """Changes values in the configuration: `with_config(units=9, compile_config__loss=None)`."""

    def change(content):
        config = json.loads(content)
        for path, value in values.items():
            *parents, name = path.split("__")
            place = config if parents else config["config"]
            for parent in parents:
                place = place[parent]
            place[name] = value
        return json.dumps(config).encode()

    return change


def part(class_name, module="keras.layers", **config):
    return {
        "module": module, "class_name": class_name, "config": config, "registered_name": None,
    }  # fmt: skip


def replaced_head(**layer):
    return {"head": {"layer": part("Dense", units=7, **layer)}}


DEEP = {"a": 0}
for _ in range(60):
    DEEP = {"a": DEEP}

# What is changed in the configuration, and what the refusal says.
CONFIGS = {
    "giant units": (dict(units=10**9), "'units' is 1000000000, and no weights are as large"),
    "too many units": (dict(units=3000), "describes far more weights than it holds"),
    "many layers": (dict(units=[4] * 100), "far more weights|other arrays"),
    "a long list": (dict(units=[4] * 200), "'units' is a list of 200, more than 128"),
    "another size": (dict(units=5), "the model has .* other arrays .* and the file"),
    "a layer more": (dict(units=[4, 4, 4]), "has 3 other arrays .* and the file nothing instead"),
    "a size as text": (dict(units="4"), "`units` must be a whole number"),
    "a size that is an object": (dict(units={"a": 4}), "cannot be loaded"),
    "NaN": (dict(dropout=float("nan")), "number nan, which is not finite"),
    "infinity": (dict(dropout=float("inf")), "number inf, which is not finite"),
    "a giant number": (dict(sampled_softmax=10**4000), "'sampled_softmax' is 1000"),
    "another vocabulary": (dict(vocabulary__config__tokens=list("abc")), "other arrays"),
    "deep": (dict(extra=DEEP), "nested more than 32 deep"),
    "an unknown argument": (dict(extra=1), "cannot be loaded"),
    "a Lambda layer": (dict(changed_layers={"head": {"layer": part("Lambda")}}), "may run code"),
    "a lambda": (
        dict(compile_config__loss={"class_name": "__lambda__", "config": {"value": "x"}}),
        "a __lambda__, which may run code",
    ),
    "an array": (
        dict(units={"class_name": "__numpy__", "config": {"value": [4], "dtype": "int64"}}),
        "a __numpy__, which may run code",
    ),
    "another module": (
        dict(compile_config__loss=part("system", "os")), "system of os, which is not regist"
    ),
    "a function of Keras that is no part": (
        dict(compile_config__loss=part("get_file", "keras.utils")), "get_file of keras.utils"
    ),
    "a giant metric": (
        dict(compile_config__metrics=[part("MeanIoU", "keras.metrics", num_classes=4096)] * 2),
        "far more weights than it holds",
    ),
    "a metric of giant numbers": (
        dict(compile_config__metrics=[part("AUC", "keras.metrics", num_thresholds=10**9)]),
        "'num_thresholds' is 1000000000",
    ),
    "a giant head": (
        dict(changed_layers=replaced_head(kernel_initializer="ones"), embedding_dim=4096),
        "far more weights",
    ),
    "no vocabulary": (dict(vocabulary=10**12), "'vocabulary' is 1000000000000"),
    "a changed layer that is none": (dict(changed_layers=[1]), "cannot be loaded"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_configurations(changed, name):
    values, sentence = CONFIGS[name]
    values = {key.replace("vocabulary__", "config__vocabulary__"): v for key, v in values.items()}
    refused(changed(CONFIG, with_config(**values)), sentence)


def h5(change):
    """Changes an HDF5 file."""

    def on_bytes(content):
        file = io.BytesIO(content)
        with h5py.File(file, "r+") as root:
            change(root)
        return file.getvalue()

    return on_bytes


KERNEL = "head/vars/0"


def replaced(root, **arguments):
    del root[KERNEL]
    root.create_dataset(KERNEL, **arguments)


def external(root):
    replaced(root, shape=(4, 7), dtype="f4", external=[("/etc/passwd", 0, 112)])


def virtual(root):
    layout = h5py.VirtualLayout((4, 7), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "data", (4, 7))
    del root[KERNEL]
    root.create_virtual_dataset(KERNEL, layout)


def link(root, to):
    del root[KERNEL]
    root[KERNEL] = to


ARRAYS = {
    "an external link": (lambda r: link(r, h5py.ExternalLink("/etc/x.h5", "/a")), "have a link"),
    "a soft link": (lambda r: link(r, h5py.SoftLink("/head/vars/1")), "have a link"),
    "a group in itself": (lambda r: link(r, r["head"]), "more parts than a model has"),
    "external storage": (external, "lie in another file"),
    "a virtual array": (virtual, "lie in another file"),
    "an array that is not there": (
        lambda r: replaced(r, shape=(1 << 15, 1 << 15), dtype="f4", chunks=(1 << 10, 1 << 10)),
        "not stored in full",
    ),
    "a compressed array": (
        lambda r: replaced(r, data=np.zeros((999, 999)), compression="gzip"), "not stored in full"
    ),
    "another shape": (lambda r: replaced(r, data=np.zeros((7, 4), "f4")), "file 1 other arrays"),
    "integers": (lambda r: replaced(r, data=np.zeros((4, 7), "i8")), r"\(such as int 4x7\)"),
    "booleans": (lambda r: replaced(r, data=np.zeros((4, 7), bool)), "array of type bool"),
    "texts": (lambda r: replaced(r, data=[b"a"]), r"an array of type object"),
    "no array": (lambda r: replaced(r, data=h5py.Empty("f4")), "without a shape"),
    "an array less": (lambda r: r.__delitem__(KERNEL), "the file nothing"),
    "an array more": (lambda r: r.create_dataset("x/vars/0", data=[1.0]), "nothing and the file 1"),
    "an array elsewhere": (
        lambda r: (r.move("head/vars", "foot/vars")), "cannot be loaded",
    ),
    "many groups": (lambda r: [r.create_group(f"g{i}") for i in range(5001)], "more parts than"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_weights(changed, name):
    how, sentence = ARRAYS[name]
    refused(changed(WEIGHTS, h5(how)), sentence)


def test_parts_of_the_zip(saved, changed, tmp_path):
    for name in ("../evil", "/etc/evil", "assets/x", "a.py"):
        refused(changed(None, None, **{name: "x"}), "where only metadata.json, config.json")
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = changed(None, None, **{CONFIG: "{}"})
    refused(path, "'config.json' is there twice")
    path = changed(None, None)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", "{}")
    refused(path, "truncated or no Keras model")
    bomb = zipfile.ZipInfo(CONFIG)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(bomb, b" " * (archive.MAX_JSON + 1), zipfile.ZIP_DEFLATED)
    refused(path, "would unpack from .* to 20,971,521 bytes")
    link = zipfile.ZipInfo(CONFIG)
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(link, "/etc/passwd")
    refused(path, "is a link or a folder")
    with zipfile.ZipFile(path, "w") as file:
        for number in range(5000):
            file.writestr(str(number), "")
    refused(path, "truncated or no Keras model")
    assert os.listdir(tmp_path) == ["changed.keras"]


def test_json_that_is_no_json(changed):
    for content, sentence in (
        (b"[" * 100_000, "nested more than 32 deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "no JSON that can be read"),
        (b"\xff\xfe", "no JSON that can be read"),
        (b"[1]", "not one of rnnzoo"),
        (b"null", "not one of rnnzoo"),
        (b'{"registered_name": "rnnzoo>LanguageModel"}', "not one of rnnzoo"),
    ):
        refused(changed(CONFIG, lambda _, content=content: content), sentence)


def test_a_flipped_byte_is_found_wherever_it_is(saved, tmp_path):
    content = saved.read_bytes()
    path = tmp_path / "model.keras"
    for place in [*range(0, len(content), 997), *range(len(content) - 80, len(content))]:
        flipped = bytearray(content)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        refused(path, "is damaged|is truncated")
    assert struct.unpack("<H", content[-66:-64]) == (64,)


def test_a_folder_is_checked_too(saved, tmp_path):
    model = zoo.load(saved)
    model.save(tmp_path / "folder", zipped=False)
    zoo.load(tmp_path / "folder")
    path = tmp_path / "folder" / CONFIG
    path.write_bytes(with_config(units=10**9)(path.read_bytes()))
    refused(tmp_path / "folder", "no weights are as large")
    shutil.copy("/etc/hostname", path)
    refused(tmp_path / "folder", "no JSON that can be read")


@keras.saving.register_keras_serializable("rnnzoo")
class OwnModel(LanguageModel):
    """A model of the user's own, with a long list and a variable that needs its value."""

    def __init__(self, *args, offsets=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.offsets = list(offsets)

    def build(self, shape):
        self.scale = keras.Variable(1.5, name="scale")
        super().build(shape)

    def get_config(self):
        return {**super().get_config(), "offsets": self.offsets}


def test_a_class_of_ones_own(tmp_path):
    model = OwnModel(9, units=4, offsets=range(1000))
    model.scale.assign(2.5)
    model.save(tmp_path / "own.keras")
    loaded = zoo.load(tmp_path / "own.keras")
    assert loaded.offsets == model.offsets and float(loaded.scale) == 2.5


def test_weights_alone(saved, tmp_path):
    model, path = zoo.load(saved), tmp_path / "a.weights.h5"
    model.save_weights(path)
    load_weights_file(model, path)
    content = path.read_bytes()
    for how, sentence in (ARRAYS["another shape"], ARRAYS["an external link"]):
        path.write_bytes(h5(how)(content))
        with pytest.raises(InputError, match=sentence):
            load_weights_file(model, path)
    path.write_bytes(content[:999])
    with pytest.raises(InputError, match=r"no HDF5 that can be read\); get or make them again"):
        load_weights_file(model, path)
