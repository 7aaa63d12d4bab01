"""Seeds: streams depend on every part of their name and on nothing else."""

from __future__ import annotations

from synthcli.seeds import MAX_SEED, generator, stage_seed

KNOWN = 2498845802832362440


def test_a_stage_has_the_same_seed_in_every_version() -> None:
    assert stage_seed(7, "fit") == KNOWN


def test_stages_seeds_and_parts_tell_apart() -> None:
    seeds = [stage_seed(7, "a", 1), stage_seed(7, "a", 2), stage_seed(8, "a", 1), stage_seed(7, "a1"), stage_seed(7)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed <= MAX_SEED for seed in seeds)


def test_a_stream_repeats() -> None:
    assert generator(1, "x").integers(0, 10**9) == generator(1, "x").integers(0, 10**9)
