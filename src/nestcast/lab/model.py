"""A character-level language model around any cell."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import dropout, linear

from nestcast.lab.cells import Cell, State, hidden_size_for, parameters


@dataclass(frozen=True)
class Shape:
    """The sizes of a character model.

    Args:
        cell: by name.
        characters: size of the vocabulary.
        embedding: numbers that stand for a character.
        hidden: hidden size of the cell.
        tied: the softmax uses the embedding's weights, after a projection to its size.
        dropout: of the cell's input and output, in training.
    """

    cell: str
    characters: int
    embedding: int
    hidden: int
    tied: bool
    dropout: float = 0.0


class CharacterModel(nn.Module):
    """Embedding, cell, softmax: the logits of the next character.

    Example:
        >>> import torch
        >>> model = CharacterModel(Shape("nested:2", 50, 8, 16, tied=True))
        >>> logits, state = model(torch.randint(50, (7, 3)))
        >>> logits.shape
        torch.Size([7, 3, 50])

    Args:
        shape: the sizes.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.characters, shape.embedding)
        nn.init.normal_(self.embedding.weight, std=shape.embedding**-0.5)
        self.cell = Cell.named(shape.cell).build(shape.embedding, shape.hidden)
        if shape.tied:
            self.project = nn.Linear(shape.hidden, shape.embedding)
            self.bias = nn.Parameter(self.embedding.weight.new_zeros(shape.characters))
        else:
            self.project = nn.Linear(shape.hidden, shape.characters)

    def forward(self, inputs: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Read characters.

        Args:
            inputs: numbers of characters, shape (time, text).
            state: of the cell, as the call before gave it; zeros at the beginning.

        Returns:
            Logits (time, text, characters) and the state afterwards.
        """
        return self.read(self.embedding(inputs), state)

    def read(self, embedded: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Read embedded characters, shape (time, text, embedding); returns as `forward`."""
        embedded = dropout(embedded, self.shape.dropout, self.training)
        hidden, state = self.cell(embedded, state)
        projected = self.project(dropout(hidden, self.shape.dropout, self.training))
        if not self.shape.tied:
            return projected, state
        return linear(projected, self.embedding.weight, self.bias), state


def matched_shape(
    cell: str, characters: int, embedding: int, tied: bool, dropout: float, wanted: int
) -> Shape:
    """The sizes at which a model with this cell has `wanted` parameters.

    Raises:
        OptionError: none comes within 1%.
    """

    def shape(hidden: int) -> Shape:
        return Shape(cell, characters, embedding, hidden, tied, dropout)

    return shape(hidden_size_for(wanted, lambda size: parameters(CharacterModel(shape(size)))))
