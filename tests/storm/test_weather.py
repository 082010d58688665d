"""What goes wrong follows from the seed alone, and stops when it is calm."""

from trader.storm.weather import CHANCES, RATES, Weather


def test_equal_seeds_have_equal_weather() -> None:
    one, other = Weather(7), Weather(7)
    assert (one.chances, one.rates) == (other.chances, other.rates)
    assert [one.uniform(0, 1) for _ in range(1000)] == [other.uniform(0, 1) for _ in range(1000)]


def test_every_kind_is_on_in_some_seeds_and_off_in_others() -> None:
    weathers = [Weather(seed) for seed in range(200)]
    for kind in CHANCES:
        assert {weather.chances[kind] > 0 for weather in weathers} == {True, False}
    for kind in RATES:
        assert {weather.rates[kind] > 0 for weather in weathers} == {True, False}


def test_nothing_strikes_when_it_is_calm() -> None:
    weather = next(one for one in map(Weather, range(100)) if one.chances["request.lost"] > 0)
    weather.is_calm = True
    assert not any(weather.strikes("request.lost") for _ in range(1000))
