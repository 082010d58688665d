"""Classes by name: built in, from installed packages (which may be broken), and from a file of one's own."""

import sys
from pathlib import Path

import pytest

from trader.errors import ConfigError
from trader.registry import Registry, did_you_mean

GROUP = "trader.test_things"
BUILTINS: dict[str, type] = {"list": list, "dict": dict}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def registry() -> Registry:
    return Registry("thing", GROUP, BUILTINS)


def install(folder: Path, package: str, points: dict[str, str], **modules: str) -> None:
    """Lay down an installed package as an installer does: metadata with entry points, and its modules."""
    metadata = folder / f"{package}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder in which packages count as installed."""
    site = tmp_path_factory.mktemp("site")
    monkeypatch.syspath_prepend(site)
    return site


def refusal(registry: Registry, name: str) -> str:
    with pytest.raises(ConfigError) as refused:
        registry.load(name)
    return str(refused.value)


def test_a_built_in_name_is_its_class(registry: Registry) -> None:
    assert registry.load("dict") is dict


def test_an_unknown_name_is_told_with_what_is_allowed_and_probably_meant(registry: Registry) -> None:
    assert (
        refusal(registry, "dikt") == "must be one of 'list', 'dict' or module:Class, got 'dikt'; did you mean 'dict'?"
    )
    assert refusal(registry, "zzz") == "must be one of 'list', 'dict' or module:Class, got 'zzz'"


def test_a_class_may_be_named_with_its_module(registry: Registry) -> None:
    assert registry.load("pathlib:Path") is Path


def test_an_inner_class_may_be_named(folder: Path, registry: Registry) -> None:
    (folder / "reg_nested.py").write_text("class Outer:\n    class Inner: pass\n")
    assert registry.load("reg_nested:Outer.Inner").__qualname__ == "Outer.Inner"


def test_a_file_in_the_current_folder_is_a_module(folder: Path, registry: Registry) -> None:
    (folder / "reg_mine.py").write_text("class Mine: pass\n")
    path = list(sys.path)
    assert registry.load("reg_mine:Mine").__name__ == "Mine"
    assert sys.path == path


def test_a_file_in_the_current_folder_never_replaces_an_installed_module(folder: Path, registry: Registry) -> None:
    (folder / "wave.py").write_text("class Mine: pass\n")
    assert "wave.py) has no class 'Mine'" in refusal(registry, "wave:Mine")
    assert str(folder) not in refusal(registry, "wave:Mine")


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("reg_case_0", "class Other: pass", "has no class 'Mine'"),
        ("reg_case_1", "class Mime: pass", "has no class 'Mine'; did you mean 'Mime'?"),
        ("reg_case_2", "Mine = 5", "has no class 'Mine'"),
        ("reg_case_3", "x = 1\ny = 1 / 0", "ZeroDivisionError: division by zero ({file}, line 2)"),
        ("reg_case_4", "x = = 1", "SyntaxError: invalid syntax ({name}.py, line 1)"),
        ("reg_case_5", "import reg_not_there", "ModuleNotFoundError: No module named 'reg_not_there' ({file}, line 1)"),
        ("reg_case_6", "import sys\nsys.exit(3)", "SystemExit: 3 ({file}, line 2)"),
        ("reg_case_7", "def f():\n    raise KeyError\nf()", "KeyError ({file}, line 3)"),
    ],
)
def test_a_module_that_cannot_be_used_is_told_with_file_and_line(
    folder: Path, registry: Registry, name: str, source: str, said: str
) -> None:
    file = folder / f"{name}.py"
    file.write_text(source)
    assert said.format(file=file, name=name) in refusal(registry, f"{name}:Mine")


def test_a_module_that_is_not_there_is_told_with_where_was_looked(folder: Path, registry: Registry) -> None:
    said = f"there is no such module, neither installed nor in the current folder {folder}"
    assert refusal(registry, "reg_nowhere:Mine") == f"cannot import 'reg_nowhere': {said}"
    assert refusal(registry, "reg_nowhere.deep:Mine") == f"cannot import 'reg_nowhere.deep': {said}"


@pytest.mark.parametrize("name", [":", "a:", ":B", "a:b:c", "a b:C", "../a:B", "a.:B", "a:B."])
def test_what_is_no_reference_is_told_with_its_form(registry: Registry, name: str) -> None:
    assert "is not of the form module:Class" in refusal(registry, name)


def test_an_installed_package_adds_a_name(site: Path, registry: Registry) -> None:
    install(site, "acme", {"rocket": "reg_acme:Rocket"}, reg_acme="class Rocket: pass\n")
    assert registry.names() == ["list", "dict", "rocket"]
    assert registry.load("rocket").__name__ == "Rocket"


def test_an_entry_point_may_name_extras(site: Path, registry: Registry) -> None:
    install(site, "acme", {"rocket": "reg_extra:Rocket [fuel]"}, reg_extra="class Rocket: pass\n")
    assert registry.load("rocket").__name__ == "Rocket"


def test_nothing_is_imported_before_it_is_asked_for(site: Path, registry: Registry) -> None:
    install(site, "acme", {"rocket": "reg_lazy:Rocket"}, reg_lazy="class Rocket: pass\n")
    assert registry.names()
    assert "reg_lazy" not in sys.modules


def test_an_installed_package_cannot_take_over_a_built_in_name(site: Path, registry: Registry) -> None:
    install(site, "evil", {"dict": "reg_evil:Dict"}, reg_evil="class Dict: pass\n")
    assert registry.names() == ["list", "dict"]
    assert registry.load("dict") is dict


def test_a_name_that_two_packages_offer_is_refused(site: Path, registry: Registry) -> None:
    install(site, "acme", {"rocket": "reg_two:A"}, reg_two="class A: pass\nclass B: pass\n")
    install(site, "bolt", {"rocket": "reg_two:B"})
    said = "thing 'rocket' is offered twice, by reg_two:A (package acme) and reg_two:B (package bolt)"
    assert refusal(registry, "rocket") == f"{said}; write the one meant as module:Class"


def test_a_broken_package_fails_alone(site: Path, registry: Registry) -> None:
    install(
        site, "acme", {"bad": "reg_bad:Bad", "good": "reg_good:Good"}, reg_good="class Good: pass\n", reg_bad="1 / 0\n"
    )
    entries = {entry.name: entry for entry in registry.entries()}
    assert list(entries) == ["list", "dict", "bad", "good"]
    assert entries["list"].origin == "built in"
    assert entries["good"].origin == "reg_good:Good (package acme)"
    assert entries["good"].cls is not None
    assert entries["bad"].cls is None
    assert (
        "thing 'bad' of reg_bad:Bad (package acme): cannot import 'reg_bad': ZeroDivisionError" in entries["bad"].error
    )
    assert refusal(registry, "bad") == entries["bad"].error


def test_hints_ignore_case_and_stay_silent_when_nothing_is_near() -> None:
    assert did_you_mean("SPY", ["spy", "qqq"]) == "; did you mean 'spy'?"
    assert did_you_mean("zzz", ["spy", "qqq"]) == ""
