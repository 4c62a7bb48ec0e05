"""Lines written by a character model."""

from __future__ import annotations

import torch

from nestcast.errors import OptionError
from nestcast.lab.corpus import NEWLINE, UNSEEN, Vocabulary
from nestcast.lab.model import CharacterModel


@torch.no_grad()
def sample(
    model: CharacterModel,
    vocabulary: Vocabulary,
    prompt: str = "",
    temperature: float = 1.0,
    lines: int = 1,
    longest: int = 200,
    seed: int = 0,
) -> list[str]:
    """Let a model write lines, each beginning with the prompt.

    Example:
        >>> from nestcast.lab.model import Shape
        >>> vocabulary = Vocabulary.of("abc")
        >>> model = CharacterModel(Shape("lstm:1", len(vocabulary), 4, 8, tied=True))
        >>> sample(model, vocabulary, "ab", longest=5)[0].startswith("ab")
        True

    Args:
        model, vocabulary: as trained.
        prompt: what each line begins with.
        temperature: divides the logits; 0 takes the likeliest character.
        lines: how many.
        longest: characters after which a line is cut off.
        seed: the same seed writes the same lines.

    Raises:
        OptionError: a negative temperature, or a prompt of several lines.
    """
    if not temperature >= 0:
        raise OptionError(f"--temperature must be 0 or more, not {temperature:g}.")
    if "\n" in prompt:
        raise OptionError("--prompt must be one line.")
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    start = vocabulary.encode(f"\n{prompt}").unsqueeze(1).expand(-1, lines)  # (time, lines)
    logits, state = model(start)
    written: list[torch.Tensor] = []
    open_lines = torch.ones(lines, dtype=torch.bool)
    for _ in range(longest - len(prompt)):
        scores = logits[-1]  # (lines, characters)
        scores[:, UNSEEN] = -torch.inf
        if temperature == 0:
            chosen = scores.argmax(dim=1)
        else:
            chances = (scores / temperature).softmax(dim=1)
            chosen = torch.multinomial(chances, 1, generator=generator).squeeze(1)
        written.append(chosen)
        open_lines &= chosen != NEWLINE
        if not open_lines.any():
            break
        logits, state = model(chosen.unsqueeze(0), state)
    after = torch.stack(written, dim=1).tolist() if written else [[]] * lines
    return [prompt + vocabulary.decode(one).split("\n")[0] for one in after]
