import csv
import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from rnnzoo.errors import InputError
from rnnzoo.training.checkpoints import Checkpoint, SaveCheckpoints, TrainingLog
from rnnzoo.training.schedule import TrainingClock
from rnnzoo.training.snapshot import previous_of


class Model:
    """Writes its name where a model would write itself."""

    optimizer = SimpleNamespace(learning_rate=np.array(0.5), use_ema=False)
    stop_training, metrics_variables = False, ()

    def _flatten_layers(self):
        return []

    def save(self, path):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("config.json", "model")

    def save_weights(self, path):
        path.write_text("weights")

    larger_is_better = False

    def default_metric(self):
        return SimpleNamespace(name="perplexity")


def begun(folder):
    checkpoint = Checkpoint(folder)
    checkpoint.begin(resume=False, recipe="a", seed=0)
    return checkpoint


def test_a_training_of_another_text_is_not_resumed(tmp_path):
    begun(tmp_path / "c")
    Checkpoint(tmp_path / "c").note(corpus_sha256="a" * 64)
    with pytest.raises(InputError, match=r"another text .*aaaa.*bbbb") as told:
        Checkpoint(tmp_path / "c").begin(resume=True, recipe="a", seed=0, corpus_sha256="b" * 64)
    assert "--from" not in str(told.value)


@pytest.mark.parametrize("sign", [1, -1])
def test_only_better_epochs_are_kept_as_the_best(tmp_path, sign):
    checkpoint, clock = begun(tmp_path / "c"), TrainingClock(5, steps_per_epoch=10)
    save = SaveCheckpoints(checkpoint, clock, "val_perplexity")
    model = Model()
    model.larger_is_better = sign < 0
    save.set_model(model)
    save.on_train_begin()
    kept = []
    for epoch, value in enumerate([float("nan"), 9.0, 10.0, float("nan"), 8.0]):
        checkpoint.best.unlink(missing_ok=True)
        clock.step = 10 * (epoch + 1)
        save.on_epoch_end(epoch, {"val_perplexity": sign * value})
        kept.append(checkpoint.best.exists())
    assert kept == [True, True, False, False, True]
    written = json.loads((tmp_path / "c" / "progress.json").read_text())
    assert written["best"] == sign * 8.0 and written["best_epoch"] == 5 and written["epoch"] == 5


def test_long_epochs_are_saved_within(tmp_path, monkeypatch):
    from rnnzoo.training import checkpoints

    checkpoint, clock = begun(tmp_path / "c"), TrainingClock(5, steps_per_epoch=10)
    save = SaveCheckpoints(checkpoint, clock, "val_perplexity")
    save.set_model(Model())
    now = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    save.on_train_begin()
    clock.on_epoch_begin(1)
    clock.step = 13
    save.on_train_batch_end(2)
    assert not checkpoint.last.exists()
    now[0] = 61
    save.on_train_batch_end(3)
    assert checkpoint.last.exists()
    assert checkpoint.progress["epoch"] == 1 and checkpoint.progress["step"] == 13
    clock.step, now[0] = 14, 100
    save.on_train_batch_end(4)  # not a minute yet
    assert checkpoint.progress["step"] == 13
    clock.step, now[0], save._took = 15, 200, 3.0  # a save of 3 s: every 150 s
    save.on_train_batch_end(5)
    assert checkpoint.progress["step"] == 13
    now[0] = 212
    save.on_train_batch_end(5)
    assert checkpoint.progress["step"] == 15


def test_a_save_that_fails_leaves_the_earlier_files(tmp_path):
    class Full(Model):
        def save(self, path):
            path.write_text("mod")
            raise OSError(28, "No space left on device")

        save_weights = save

    checkpoint, clock = begun(tmp_path / "c"), TrainingClock(5, steps_per_epoch=10)
    save = SaveCheckpoints(checkpoint, clock, "val_perplexity")
    save.set_model(Model())
    save.on_epoch_end(0, {"val_perplexity": 9.0})
    before = {path.name: path.read_bytes() for path in checkpoint.folder.iterdir()}
    save.set_model(Full())
    # The best weights fail, the last model fails.
    for value, error in ((8.0, OSError), (10.0, InputError)):
        with pytest.raises(error, match="No space left"):
            save.on_epoch_end(1, {"val_perplexity": value})
        assert {path.name: path.read_bytes() for path in checkpoint.folder.iterdir()} == before


def test_what_is_refused(tmp_path):
    folder = tmp_path / "c"
    with pytest.raises(InputError, match="no training to resume"):
        Checkpoint(folder).check(resume=True)
    Checkpoint(folder).check(resume=False)
    checkpoint = begun(folder)
    Checkpoint(folder).check(resume=False)  # nothing was saved yet, so nothing is lost
    checkpoint.last.write_text("model")
    with pytest.raises(InputError, match="--resume"):
        Checkpoint(folder).check(resume=False)
    Checkpoint(folder).check(resume=True)
    # A kill between two renames of a save leaves the one before it alone.
    checkpoint.last.rename(previous_of(checkpoint.last))
    with pytest.raises(InputError, match="go on with it by --resume"):
        Checkpoint(folder).check(resume=False)
    Checkpoint(folder).check(resume=True)
    with pytest.raises(InputError, match=r"another recipe \(a, not b\)"):
        Checkpoint(folder).begin(resume=True, recipe="b", seed=0)
    checkpoint.note(finished=True)
    with pytest.raises(InputError, match="a training that was finished after"):
        Checkpoint(folder).check(resume=False)
    Checkpoint(folder).check(resume=False, overwrite=True)
    whole = '{"epoch": 1, "step": 2, "minutes": 0.1, "finished": false, "segments": %s}'
    for content in ("{", whole % "5", whole % "[5]"):
        (folder / "progress.json").write_text(content)
        with pytest.raises(InputError, match="damaged"):
            Checkpoint(folder)


def test_the_log_has_the_loss_of_each_stretch(tmp_path):
    clock = TrainingClock(1, steps_per_epoch=40)
    log = TrainingLog(tmp_path / "log.csv", clock)
    log.set_model(Model())
    log.on_epoch_begin(0)
    losses = np.linspace(4, 1, 40)
    for batch in range(40):
        clock.step = batch + 1
        log.on_train_batch_end(batch, {"loss": losses[: batch + 1].mean()})
    log.on_epoch_end(0, {"loss": losses.mean(), "val_loss": 1.5, "val_perplexity": 4.5})
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    np.testing.assert_allclose(
        [float(row["loss"]) for row in rows[:-1]], losses.reshape(20, 2).mean(1), atol=1e-5
    )
    assert rows[-1]["val_loss"] == "1.5" and rows[-1]["val_perplexity"] == "4.5"
    assert rows[0]["val_loss"] == "" and rows[-1]["learning_rate"] == "0.5"


def test_a_resumed_log_forgets_what_was_trained_after_the_last_save(tmp_path):
    checkpoint, clock = begun(tmp_path / "c"), TrainingClock(5, steps_per_epoch=40)
    kept = []
    for slice_, (saved, cut_off) in enumerate([(18, 25), (14, 30), (12, 13)]):
        if slice_:
            Checkpoint(checkpoint.folder).begin(resume=True, recipe="a", seed=0)
        log = TrainingLog(checkpoint.log, clock)
        save = SaveCheckpoints(checkpoint, clock, "val_perplexity")
        for callback in (log, save):
            callback.set_model(Model())
        log.on_epoch_begin(0)
        for batch in range(cut_off):  # a resumed epoch begins anew
            clock.step = batch + 1
            log.on_train_batch_end(batch, {"loss": 10.0 * slice_})
            if batch + 1 == saved:
                save._save_last()
        kept += [(step, 10.0 * slice_) for step in range(2, saved + 1, 2)]
    Checkpoint(checkpoint.folder).begin(resume=True, recipe="a", seed=0)
    rows = list(csv.DictReader(checkpoint.log.read_text().splitlines()))
    assert [(int(row["step"]), float(row["loss"])) for row in rows] == kept
