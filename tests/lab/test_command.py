"""`nestcast compare text` as a person runs it."""

import json
import subprocess
import sys

import pytest

from nestcast.cli import main
from tests.lab.texts import lines

SMALL = [
    "--lines", "--params", "100k", "--embedding", "8", "--epochs", "2", "--trial-epochs", "1",
    "--seeds", "2", "--cells", "lstm:1,nested:2", "--rates", "0.01,0.03", "--threads", "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    for seed, name in enumerate(("train", "valid", "test", "other")):
        (folder / f"{name}.txt").write_text(lines(40, seed), encoding="utf-8")
    return folder


def files(folder):
    names = ("train", "valid", "test")
    return [part for name in names for part in (f"--{name}", str(folder / f"{name}.txt"))]


def command(monkeypatch, *args):
    monkeypatch.setattr(sys, "argv", ["nestcast", "compare", "text", *map(str, args)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code


@pytest.fixture(scope="module")
def compared(folder):
    out = folder / "out"
    args = [*files(folder), *SMALL, "--out", str(out), "--also", f"other={folder / 'other.txt'}"]
    done = subprocess.run(
        [sys.executable, "-m", "nestcast", "compare", "text", *args],
        capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out, done


def test_everything_is_written(compared):
    out, done = compared
    assert done.stdout == ""
    assert {path.name for path in out.iterdir()} == {
        "settings.json", "vocabulary.json", "results.json", "table.md", "curves.png", "curves.svg",
        "runs",
    }  # fmt: skip
    found = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert list(found["cells"]) == ["lstm:1", "nested:2"]
    assert len(found["also"]["other"]["lstm:1"]["seeds"]) == 2
    sentence = found["differences"][0]["sentence"]
    for text in (done.stderr.replace("\n", ""), (out / "table.md").read_text(encoding="utf-8")):
        assert sentence in text
    assert not [path for path in out.rglob("*") if path.suffix in (".pt", ".pkl", ".pth")]


def test_figures_are_not_blank(compared):
    import matplotlib.image

    out, _ = compared
    picture = matplotlib.image.imread(out / "curves.png")[..., :3]
    assert picture.shape[0] > 400
    assert picture.std() > 0.05
    svg = (out / "curves.svg").read_text(encoding="utf-8")
    assert svg.count("<path") > 20


def test_the_figure_has_a_solid_and_a_dotted_line_for_each_cell(compared):
    from nestcast.lab.figure import learning_curves

    out, _ = compared
    found = json.loads((out / "results.json").read_text(encoding="utf-8"))
    curves = learning_curves(found).axes[0]
    styles = {(line.get_color(), line.get_linestyle()) for line in curves.lines}
    assert len(styles) == 4
    assert len({colour for colour, _ in styles}) == 2
    assert len(curves.collections) == 2  # bands
    solid = next(line for line in curves.lines if line.get_label() == "nested:2")
    seeds = found["cells"]["nested:2"]["seeds"]
    last = sum(seed["epochs"][-1]["valid"]["nll"] for seed in seeds) / 2
    assert solid.get_ydata()[-1] == pytest.approx(last)


def test_a_model_writes_lines(monkeypatch, capsys, compared):
    out, _ = compared
    ask = ["--out", out, "--sample", "4", "--prompt", "花a", "--temperature", "0.8"]
    assert command(monkeypatch, *ask) in (0, None)
    first = capsys.readouterr().out
    assert len(first.splitlines()) == 4
    assert all(line.startswith("花a") for line in first.splitlines())
    command(monkeypatch, *ask)
    assert capsys.readouterr().out == first
    command(monkeypatch, *ask, "--seed", "1")
    assert capsys.readouterr().out != first
    command(monkeypatch, *ask[:-1], "0")
    assert len(set(capsys.readouterr().out.splitlines())) == 1  # the likeliest, four times


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--cells", "lstm:1,nets:2"], "no cell is called 'nets:2'"),
        (["--cells", ","], "--cells names no cell"),
        (["--params", "many"], "--params takes a number"),
        (["--params", "10"], "no hidden size comes within 1%"),
        (["--hidden", "4"], "exclude each other"),
        (["--rates", "fast"], "--rates takes numbers"),
        (["--rates", "-1"], "--rates takes numbers above 0"),
        (["--seeds", "0"], "--seeds must be 1 or more"),
        (["--softmax", "hard"], "--softmax is tied or plain"),
        (["--dropout", "1"], "--dropout must be"),
        (["--also", "nothing"], "--also takes a new name and a file"),
        (["--train", "missing.txt"], "cannot read missing.txt"),
        (["--valid", "empty.txt"], "empty.txt is empty"),
        (["--test", "one.txt"], "one character only"),
        (["--train", "latin.txt"], "not UTF-8"),
        (["--out", "missing/out"], "there is no folder"),
    ],
)
def test_bad_input_is_one_line(monkeypatch, capsys, folder, change, says):
    monkeypatch.chdir(folder)
    (folder / "empty.txt").touch()
    (folder / "one.txt").write_text("a")
    (folder / "latin.txt").write_bytes("été à la plage\n".encode("latin-1"))
    code = command(monkeypatch, *files(folder), *SMALL, "--out", "new", *change)
    error = capsys.readouterr().err
    assert code in (1, 2)
    assert error.startswith("nestcast: ")
    assert says in error
    assert error.count("\n") == 1
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--out", "nowhere", "--sample", "1"], "holds no finished comparison"),
        (["--out", "out", "--sample", "0"], "--sample must be 1 or more"),
        (["--out", "out", "--sample", "1", "--cells", "gru:1"], "has no gru:1"),
        (["--out", "out", "--sample", "1", "--seed", "7"], "with seed 7"),
        (["--out", "out", "--sample", "1", "--temperature", "-1"], "--temperature must be"),
        (["--out", "new"], "--train and --valid and --test missing"),
    ],
)
def test_bad_sampling_is_one_line(monkeypatch, capsys, folder, compared, args, says):
    monkeypatch.chdir(folder)
    assert command(monkeypatch, *args) in (1, 2)
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
