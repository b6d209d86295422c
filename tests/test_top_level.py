"""The rooms of the house: another top-level folder is a decision, not an accident."""

import tomllib

from tests.support.tidy import PACKAGES, ROOT, tracked

FOLDERS = {*PACKAGES, "settings", "tests", ".ci"}


class TestTheTopLevel:
    """Each folder has its line in the architecture."""

    def test_has_the_listed_folders_and_no_other(self) -> None:
        found = {path.relative_to(ROOT).parts[0] for path in tracked() if path.parent != ROOT}
        assert found == FOLDERS

    def test_packages_are_what_is_installed_layered_typed_and_covered(self) -> None:
        tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
        contracts = tools["importlinter"]
        listed = {
            "installed": tools["hatch"]["build"]["targets"]["wheel"]["packages"],
            "contracts": contracts["root_packages"],
            "layers": contracts["contracts"][0]["layers"],
            "types": tools["basedpyright"]["include"],
            "coverage": tools["coverage"]["run"]["source"],
            "dead code": tools["vulture"]["paths"],
            "dependencies": tools["deptry"]["known_first_party"],
        }
        assert {name: sorted(packages) for name, packages in listed.items()} == {
            name: sorted(PACKAGES) for name in listed
        }
