"""Characters in, numbers out, and nothing lost between."""

import pytest
import torch

from nestcast.errors import DataError
from nestcast.lab.corpus import NEWLINE, NO_TARGET, UNSEEN, Corpus, Text, Vocabulary, read_text
from tests.lab.texts import lines

SCRIPTS = "春眠不觉晓\nПривет, мир\nשלום עולם\nनमस्ते\n🙂 plain\n"


@pytest.mark.parametrize("as_lines", [True, False])
@pytest.mark.parametrize("order", [None, (3, 1)])
@pytest.mark.parametrize("batch", [1, 4, 7])
def test_every_character_is_predicted_once(as_lines, order, batch):
    text = lines(41)
    vocabulary = Vocabulary.of(text)
    corpus = Corpus(Text("t", text), vocabulary, lines=as_lines, unit=20)
    seen = torch.cat([strip.targets.flatten() for strip in corpus.strips(batch, order)])
    seen = seen[seen != NO_TARGET]
    assert len(seen) == corpus.characters == len(text)
    expected = vocabulary.encode(text)
    assert torch.equal(seen.sort().values, expected.sort().values)


@pytest.mark.parametrize("as_lines", [True, False])
def test_a_target_is_the_next_input(as_lines):
    corpus = Corpus(Text("t", lines(30)), Vocabulary.of(lines(30)), lines=as_lines, unit=20)
    for strip in corpus.strips(4):
        following, targets = strip.inputs[1:], strip.targets[:-1]
        there = (targets != NO_TARGET) & (strip.targets[1:] != NO_TARGET)
        assert torch.equal(following[there], targets[there])


def test_windows_put_together_are_the_strip():
    (strip,) = Corpus(Text("t", lines(30)), Vocabulary.of(lines(30)), lines=False).strips(4)
    windows = list(strip.windows(7))
    assert torch.equal(torch.cat([one.inputs for one in windows]), strip.inputs)
    assert torch.equal(torch.cat([one.targets for one in windows]), strip.targets)
    assert max(len(one.inputs) for one in windows) == 7


def test_lines_come_in_another_order_with_another_seed_and_the_same_with_the_same():
    corpus = Corpus(Text("t", lines(60)), Vocabulary.of(lines(60)), lines=True)

    def order(*seed):
        return [strip.units[0].tolist() for strip in corpus.strips(4, seed)]

    assert order(0, 1) == order(0, 1)
    assert order(0, 1) != order(0, 2)
    assert order(0, 1) != order(1, 1)


def test_pieces_hold_all_characters():
    text = lines(30)
    corpus = Corpus(Text("t", text), Vocabulary.of(text), lines=False, unit=50)
    (strip,) = corpus.strips(3)
    pieces = strip.units[strip.targets != NO_TARGET]
    counts = torch.bincount(pieces, minlength=corpus.units)
    assert counts.tolist() == [50] * (len(text) // 50) + [len(text) % 50]


def test_any_script_is_read_and_written_back(tmp_path):
    path = tmp_path / "scripts.txt"
    path.write_bytes(("\ufeff" + SCRIPTS.replace("\n", "\r\n")).encode())
    text = read_text(path)
    assert text.text == SCRIPTS
    vocabulary = Vocabulary.of(text.text)
    assert vocabulary.decode(vocabulary.encode(SCRIPTS).tolist()) == SCRIPTS


def test_unseen_characters_are_counted():
    vocabulary = Vocabulary.of("aabbbc", min_count=2)
    assert vocabulary.characters == "ba"
    corpus = Corpus(Text("t", "abc\nxyz\n"), vocabulary, lines=True)
    assert (corpus.characters, corpus.unseen) == (8, 4)
    assert vocabulary.encode("\nac").tolist() == [NEWLINE, 3, UNSEEN]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a", "one character only"),
        (b"a\n", "one character only"),
        (b"aaaa", "one character only"),
        ("花\n".encode(), "one character only"),
        ("première\n".encode("latin-1"), "not UTF-8 (byte 0xe8 in line 1)"),
        (b"fine\n\xff\xfe", "in line 2"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, content, says):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_text(path)
    assert says in str(caught.value)
    assert "bad.txt" in str(caught.value)
    assert "\n" not in str(caught.value)
