"""The project as a whole: lists of dependencies that agree, a README and a CONTRIBUTING that hold, `make` and CI."""

from __future__ import annotations

import ast
import json
import re
import shlex
import sys
import tomllib

import pytest
import yaml

from fns_lab import targets
from fns_lab.cli import GOOD, NO, main
from fns_lab.paths import NOTEBOOKS, ROOT

CONDA_NAMES = {"torch": "pytorch", "playwright": "playwright-python"}
"""pip's name to conda-forge's, where they differ."""

CONDA_ONLY = {"python", "pip", "make", "nodejs"}
"""What conda installs and pip expects to be there."""

OWN_PACKAGES = ("fns_lab", "tests", "benchmarks")

PIP_NAMES = {
    "PIL": "pillow", "cv2": "opencv-python-headless", "onnx_ir": "onnx-ir", "skimage": "scikit-image",
    "websocket": "websocket-client", "yaml": "pyyaml",
}  # fmt: skip
"""Import name to pip's name, where they differ."""

INSTALLED_WITH = {
    "IPython": "ipykernel",
    "google": "onnx",
    "jupyter_core": "jupyterlab",
    "ml_dtypes": "onnx",
    "pygments": "nbconvert",
    "traitlets": "nbconvert",
}
"""Import name to the listed dependency that itself depends on it (`google` is protobuf)."""

SET_UP = (
    ".ci/run", ".npmrc", "Makefile", "binder/apt.txt", "binder/postBuild", "environment.yml",
    "fns_lab/runtimes/install.py", "package-lock.json", "package.json", "pyproject.toml",
)  # fmt: skip
"""Files that decide where packages come from."""


REPLACED_WORDS = {
    "carried": "converted", "judge": "truth (for the network: loss network)", "verdict": "result", "survey": "sites",
    "yardstick": "reference target", "innocent": "inherited", "guilty": "introduced", "mend": "fix", "eats": "takes",
    "patient": "faulty model", "disturbed": "changed by instrumentation", "way_dir": "run_dir",
}  # fmt: skip
"""Words to the ones that the project uses instead: one word for one thing."""

TEXT_FOLDERS = (*OWN_PACKAGES, "notebooks", "docs", "data", "saved_models")


@pytest.fixture(scope="module")
def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirement(text):
    """Return `"onnxscript>=0.7"` as name and bound."""
    return re.fullmatch(r"([A-Za-z0-9_.-]+)(\[.*\])?(.*)", text.replace(" ", "")).group(1, 3)


def imports(path):
    """Yield the top-level names that a Python file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


def test_environment_and_pyproject_name_the_same_dependencies(pyproject):
    project = pyproject["project"]
    extras = project["optional-dependencies"]
    pip = dict(map(requirement, project["dependencies"] + extras["torch"] + extras["notebooks"] + extras["dev"]))
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge"]
    *from_conda, from_pip = environment["dependencies"]
    assert from_pip == {"pip": project["optional-dependencies"]["engines"]}
    conda = dict(map(requirement, from_conda))
    assert conda.pop("python") == project["requires-python"]
    assert {CONDA_NAMES.get(name, name): bound for name, bound in pip.items()} == {
        name: bound for name, bound in conda.items() if name not in CONDA_ONLY
    }


def test_every_dependency_has_its_reason():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = text[text.index("dependencies = [") : text.index("[project.scripts]")]
    lines = [line for line in listed.splitlines() if line.startswith('    "')]
    assert len(lines) > 20
    assert not [line for line in lines if not re.search(r'",\s+# \S', line)]


def test_every_import_is_a_listed_dependency(pyproject):
    project = pyproject["project"]
    extras = (text for group in project["optional-dependencies"].values() for text in group)
    listed = {requirement(text)[0] for text in (*project["dependencies"], *extras)}
    imported = {name for folder in OWN_PACKAGES for path in (ROOT / folder).rglob("*.py") for name in imports(path)}
    foreign = imported - set(sys.stdlib_module_names) - set(OWN_PACKAGES)
    assert len(foreign) > 15
    assert {INSTALLED_WITH.get(name) or PIP_NAMES.get(name, name) for name in foreign} <= listed


def test_engines_are_pinned_at_the_versions_that_the_targets_describe(pyproject):
    pinned = dict(map(requirement, pyproject["project"]["optional-dependencies"]["engines"]))
    known = map(targets.load, targets.names())
    assert pinned == {t.package: f"=={t.version}" for t in known if t.package and t.version}


def test_torch_and_torchvision_have_no_exact_version(pyproject):
    bounds = dict(map(requirement, pyproject["project"]["optional-dependencies"]["torch"]))
    assert "==" not in bounds["torch"] + bounds["torchvision"]


@pytest.mark.parametrize("name", SET_UP)
def test_set_up_files_name_no_address(name):
    """Packages come from wherever the user's own pip, npm and conda get theirs."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text
    assert not re.findall(r"\w+://[^\s\"']*", text)


def test_lock_file_has_no_addresses():
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert {"node_modules/onnxjs-0.1.3", "node_modules/onnxjs-0.1.4", "node_modules/onnxjs-0.1.8"} <= set(packages)
    assert not [path for path, entry in packages.items() if "resolved" in entry]
    assert not [path for path, entry in packages.items() if path and "integrity" not in entry]


def test_no_file_uses_a_word_that_was_replaced():
    paths = [path for folder in TEXT_FOLDERS for path in (ROOT / folder).rglob("*")] + list(ROOT.glob("*"))
    paths = [p for p in paths if p.suffix in (".py", ".md", ".ipynb", ".toml") and p.name != "test_project.py"]
    assert len(paths) > 300
    pattern = re.compile(rf"(?<![a-z])({'|'.join(REPLACED_WORDS)})(?:s|d|ed|ing)?(?![a-z])", re.IGNORECASE)
    uses = [
        f"{path.relative_to(ROOT)}:{number}: {word[0]}: say {REPLACED_WORDS[word[1].lower()]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for word in pattern.finditer(line)
    ]
    assert not uses, "\n".join(uses)


# The README and the Makefile


def readme_lines(program):
    """Return the lines of the README's shell blocks that run `program`."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith(f"{program} ")]


def make_targets():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())


def test_the_makefile_has_its_targets():
    assert {"setup", "lab", "test", "report", "lint", "bench", "clean"} <= make_targets()


def test_ci_runs_make_test_whole():
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    *_, setup, last = [line for line in ci.splitlines() if line and not line.startswith("#")]
    assert setup == "make setup"
    assert re.fullmatch(r'FNS_LAB_REQUIRE_BROWSER=1 make test PYTEST="(-q|-rs|--durations=\d+| )*"', last)


def test_make_targets_in_the_readme_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^make (\w+)", text, re.MULTILINE)) | set(re.findall(r"`make (\w+)`", text))
    assert {"setup", "report", "test"} <= named <= make_targets()


def test_files_that_the_readme_links_to_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def test_readme_lists_every_notebook_with_its_question():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"\| \[\w+\]\(notebooks/(\w+)\.ipynb\) \| (.+) \|", text))
    titles = {
        p.stem: "".join(json.loads(p.read_text(encoding="utf-8"))["cells"][0]["source"])
        for p in NOTEBOOKS.glob("*.ipynb")
    }
    asked = {name: title.splitlines()[0].split(": ", 1)[1].capitalize() for name, title in titles.items()}
    assert {name: question.capitalize() for name, question in listed.items()} == asked


def test_contributing_names_files_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:fns_lab|tests|notebooks|benchmarks)/[\w./-]+|[\w-]+\.(?:json|toml))`", text)
    real = [name for name in named if not re.search(r"NN_|NAME", name)]
    assert len(real) >= 10
    assert not [name for name in real if not (ROOT / name).exists()]


@pytest.mark.browser
@pytest.mark.timeout(900)
def test_every_command_of_the_readme_runs(documented, capsys):
    lines = [line for line in readme_lines("fns-lab") if "# takes minutes" not in line]  # these have tests of their own
    assert {shlex.split(line)[1] for line in lines} >= {"eval", "export", "check", "lower", "run", "compare", "bench"}
    for line in lines:
        expected = NO if "# says no" in line else GOOD
        code = main(shlex.split(line, comments=True)[1:])
        assert code == expected, f"{line}\n{capsys.readouterr().err}"
