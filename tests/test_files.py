import numpy as np
import pytest

from nestcast.data import write_table
from nestcast.errors import OptionError
from nestcast.files import replacing


def test_a_failure_leaves_the_old_file_and_no_traces(tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("old")

    def interrupted():
        with replacing(target) as aside:
            aside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_replaced_whole(tmp_path):
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").write_text("1")
    with replacing(target) as aside:
        aside.mkdir()
        (aside / "new").write_text("2")
    assert [p.name for p in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_folder_is_named(tmp_path):
    with (
        pytest.raises(OptionError, match=r"cannot write .*nowhere"),
        replacing(tmp_path / "nowhere" / "out.csv"),
    ):
        pass


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_tables_come_back_as_written(tmp_path, name):
    import duckdb

    columns = {
        'say "hi", Ж': np.array(["a", 'b"', "c,d\n"]),
        "day": np.array(["2024-01-31", "2024-02-29", "2024-03-31"], dtype="M8[D]"),
        "y": np.array([1.5, 0.1, 3e9], dtype=np.float32),
    }
    write_table(columns, tmp_path / name)
    back = duckdb.sql(f"SELECT * FROM '{tmp_path / name}'").fetchnumpy()
    assert list(back) == list(columns)
    assert back['say "hi", Ж'].tolist() == columns['say "hi", Ж'].tolist()
    np.testing.assert_array_equal(back["day"].astype("M8[D]"), columns["day"])
    np.testing.assert_array_equal(back["y"].astype(np.float32), columns["y"])
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_unknown_formats_are_refused(tmp_path):
    with pytest.raises(OptionError, match=r"\.csv, \.csv\.gz, \.parquet"):
        write_table({"a": np.array([1])}, tmp_path / "out.xlsx")
