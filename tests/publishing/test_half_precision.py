"""Files of half the size."""

import zipfile

import h5py
import keras
import numpy as np
import pytest

from rnnzoo.errors import InputError
from rnnzoo.publishing.half_precision import to_half_precision


def test_only_float32_is_rounded_and_nothing_overflows(tmp_path):
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    )
    source, target = tmp_path / "full.keras", tmp_path / "half.keras"
    model.save(source)
    to_half_precision(source, target)
    with zipfile.ZipFile(target) as archive, archive.open("model.weights.h5") as file:
        kinds = {}
        weights = h5py.File(file)
        weights.visititems(lambda path, item: kinds.update({path: str(item)}))
        assert [path for path in kinds if getattr(weights[path], "shuffle", False)]  # packs better
    kinds = {path: kind for path, kind in kinds.items() if "dataset" in kind}
    assert sum('"<f2"' in kind for kind in kinds.values()) == 4
    assert all('"<f2"' in kind or '"<u4"' in kind for kind in kinds.values())
    again = keras.saving.load_model(target)
    x = np.ones((1, 3), "float32")
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=0.01)
    for bad in (7e4, np.nan):
        model.layers[0].bias.assign([bad, 0])
        model.save(source)
        with pytest.raises(InputError, match="beyond half precision"):
            to_half_precision(source, tmp_path / "bad.keras")
    assert {path.name for path in tmp_path.iterdir()} == {"full.keras", "half.keras"}
