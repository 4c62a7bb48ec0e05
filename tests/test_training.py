import pytest
import torch

from nestcast.errors import ModelError
from nestcast.training import Progress, TrainingOptions, _warm_cosine, train


def test_it_finds_the_minimum_and_reports_every_batch():
    weight = torch.nn.Parameter(torch.zeros(2))
    goal = torch.tensor([1.0, -2.0])
    seen: list[Progress] = []
    options = TrainingOptions(epochs=40, learning_rate=0.1, weight_decay=0.0)
    loss = train(
        [weight], lambda: [0] * 10, lambda _: ((weight - goal) ** 2).sum(), options, seen.append
    )
    torch.testing.assert_close(weight.data, goal, atol=0.01, rtol=0)
    assert loss == seen[-1].loss < 1e-3
    assert [(p.epoch, p.batch) for p in seen] == [
        (e, b) for e in range(1, 41) for b in range(1, 11)
    ]


def test_a_loss_that_is_not_a_number_stops_it():
    weight = torch.nn.Parameter(torch.zeros(1))
    with pytest.raises(ModelError, match="diverged in epoch 1"):
        train([weight], lambda: [0], lambda _: (weight * torch.nan).sum(), TrainingOptions(3))


def test_the_learning_rate_rises_then_falls():
    rates = [_warm_cosine(update / 1000, update) for update in range(1, 1001)]
    top = rates.index(max(rates))
    assert 40 <= top <= 60
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert 0 < rates[-1] < 0.03
