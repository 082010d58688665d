"""Keys open their account and nothing else, and keep their secret."""

from trader.exchange.keys import admitted, key_for


def test_an_account_has_the_same_key_for_the_same_seed() -> None:
    key = key_for("first", seed=1)
    assert key == key_for("first", seed=1)
    assert len({key, key_for("second", seed=1), key_for("first", seed=2)}) == 3


def test_a_key_looks_like_one_of_a_paper_account() -> None:
    key = key_for("first", seed=1)
    assert key.id.startswith("PK")
    assert (len(key.id), len(key.secret)) == (26, 44)


def test_a_secret_never_shows_itself() -> None:
    key = key_for("first", seed=1)
    assert key.secret not in f"{key} {key!r}"


def test_only_the_whole_pair_opens_an_account() -> None:
    key, other = key_for("first", seed=1), key_for("second", seed=1)
    keys = {key.id: key, other.id: other}
    assert admitted(keys, key.id, key.secret) is key
    assert admitted(keys, key.id, other.secret) is None
    assert admitted(keys, key.id, "sécret") is None
    assert admitted(keys, "PK", key.secret) is None


def test_keys_look_like_those_of_their_kind_of_account() -> None:
    assert key_for("first", seed=1).id.startswith("PK")
    assert key_for("first", seed=1, is_live=True).id.startswith("AK")
