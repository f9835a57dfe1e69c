"""The parts of the service: locks, licences, the parts list, and the audit of vulnerabilities."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

PROJECT = Path(__file__).parents[2]
SCRIPTS = PROJECT / ".ci"
LOCK = PROJECT / "requirements.lock"
LICENCES = PROJECT / "LICENCES.md"
VENDOR = PROJECT / "api/pages/files/graphiql/vendor"
PYTHON_LOCKS = [
    "requirements.lock",
    "requirements-build.lock",
    "requirements-dev.lock",
    "examples/python/requirements.lock",
]
NPM_LOCKS = [
    "tests/node/package-lock.json",
    "examples/typescript/package-lock.json",
    "benchmarks/peers/package-lock.json",
]
INSTALLERS = ["Makefile", "Dockerfile", ".ci/run"]

PINNED = re.compile(r"([a-z0-9.-]+)==([^ ;]+)(?: ; (.+?))?((?: --hash=sha256:[0-9a-f]{64})+)")
OUR_OWN = re.compile(r"--no-deps --no-(build-isolation --editable \.(?=\s|$)|index /wheels/\*\.whl)")
ACCEPTED = {
    **dict.fromkeys(
        ["Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Unlicense"],
        "permissive: to keep the notice is all that any of them asks",
    ),
    "MPL-2.0": "binds those who change its files; ours are none of them",
    "LGPL-2.1-or-later": "binds those who change the library; it is imported as it is, and can be replaced",
}
PACKED_BY_GRAPHIQL = {"@babel/runtime", "@radix-ui/react-use-escape-keydown", "graphql-ws", "isarray"}
"""In GraphiQL's file, and in none of the locks here: all four are under the MIT licence."""


class Pin(NamedTuple):
    """One requirement of a lock."""

    name: str
    version: str
    marker: str
    hashes: frozenset[str]


def pins(lock: Path) -> list[Pin]:
    """Return every requirement of *lock*. Fail at one that is not of the only safe form."""
    lines = re.sub(r" \\\n +", " ", lock.read_text(encoding="utf-8")).splitlines()
    matches = [(line, PINNED.fullmatch(line)) for line in lines if not line.startswith("#")]
    assert [line for line, match in matches if match is None] == []
    return [
        Pin(match[1], match[2], match[3] or "", frozenset(re.findall(r"sha256:(\w+)", match[4])))
        for _, match in matches
        if match is not None
    ]


def rows(text: str) -> list[list[str]]:
    """Return the cells of every row of every table."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]


# --- Locks ---


@pytest.mark.parametrize("lock", PYTHON_LOCKS)
def test_every_python_package_is_pinned_with_its_digests(lock: str) -> None:
    """A lock has nothing but exact versions, each with the SHA-256 of its files: no option, URL or range."""
    assert len(pins(PROJECT / lock)) > 5


@pytest.mark.parametrize("lock", NPM_LOCKS)
def test_every_npm_package_has_its_digest(lock: str) -> None:
    """Each package that npm installs has its exact version and SHA-512 in the lock."""
    packages = json.loads((PROJECT / lock).read_text(encoding="utf-8"))["packages"]
    del packages[""]
    assert len(packages) > 10
    assert [name for name, package in packages.items() if not re.match(r"\d+\.\d+\.\d+", package["version"])] == []
    assert [name for name, package in packages.items() if not package["integrity"].startswith("sha512-")] == []


@pytest.mark.parametrize("lock", PYTHON_LOCKS + NPM_LOCKS)
def test_no_lock_names_a_registry(lock: str) -> None:
    """A lock works with any registry: it names none."""
    text = (PROJECT / lock).read_text(encoding="utf-8")
    if lock in NPM_LOCKS:
        packages = json.loads(text)["packages"]
        assert [name for name, package in packages.items() if "resolved" in package] == []
    else:
        assert re.findall(r"\S*://\S*|--(?:extra-)?index-url|--find-links", text) == []


def test_every_lock_is_tested() -> None:
    """A new lock fails here until these checks cover it."""
    listed = subprocess.check_output(["git", "ls-files"], cwd=PROJECT, text=True).splitlines()  # noqa: S607
    locks = {name for name in listed if name.endswith((".lock", "package-lock.json", "yarn.lock", "pnpm-lock.yaml"))}
    assert locks == {*PYTHON_LOCKS, *NPM_LOCKS}


@pytest.mark.parametrize("file", INSTALLERS)
def test_every_installed_file_is_compared_with_its_digest(file: str) -> None:
    """Pip installs by digests alone, but for this project itself; npm installs the lock, and runs nothing of it."""
    text = (PROJECT / file).read_text(encoding="utf-8").replace("\\\n", " ").replace("&&", "\n")
    commands = [line.strip() for line in text.splitlines() if "echo" not in line]
    by_pip = [line for line in commands if re.search(r"\bpip\b.*\binstall\b", line, re.IGNORECASE)]
    builds = [line for line in commands if re.search(r"\bpip\b.*\bwheel\b", line)]
    by_npm = [line for line in commands if re.match(r"npm |npx ", line)]
    assert by_pip or by_npm
    assert [line for line in by_pip if "--require-hashes" not in line and not OUR_OWN.search(line)] == []
    assert [line for line in builds if "--no-build-isolation" not in line] == []  # By what a lock has installed.
    assert [line for line in by_npm if not (line.startswith("npm ci ") and "--ignore-scripts" in line)] == []


# --- Licences ---


def test_licences_are_listed_of_all_that_the_lock_pins() -> None:
    """Name and version of each package that the service has on Linux, on any Python: no more and no less."""
    needed = {(pin.name, pin.version) for pin in pins(LOCK) if pin.marker != "sys_platform == 'win32'"}
    assert {pin.marker for pin in pins(LOCK) if "platform" in pin.marker} <= {
        "sys_platform == 'win32'",
        "sys_platform != 'win32'",
    }
    listed = [(row[0], row[1]) for row in licences()]
    assert sorted(listed) == sorted(needed)


def test_licences_are_accepted_ones() -> None:
    """Each licence of each package is one that this project has decided to live with, and why is written down."""
    stated = {row[2] for row in licences()}
    named = {name for licence in stated for name in re.split(r" AND | OR ", licence.replace("(", "").replace(")", ""))}
    assert named == set(ACCEPTED)


def test_list_of_licences_follows_from_the_lock(tmp_path: Path) -> None:
    """`make licences` writes the committed list, and leaves the rest of the file as it is."""
    written = tmp_path / "LICENCES.md"
    committed = LICENCES.read_text(encoding="utf-8")
    written.write_text(committed.replace("| MIT |", "| UNKNOWN |"), encoding="utf-8")
    assert run("licences.py", LOCK, written).returncode == 0
    assert written.read_text(encoding="utf-8") == committed


def test_unknown_licence_is_never_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release without one clear licence, which nobody has read, stops the list."""
    written = tmp_path / "LICENCES.md"
    written.write_text(LICENCES.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.syspath_prepend(SCRIPTS)
    script = runpy.run_path(str(SCRIPTS / "licences.py"))
    for name in ("jinja2", "uvloop", "fluent-runtime", "async-timeout", "deprecated"):
        version = next(pin.version for pin in pins(LOCK) if pin.name == name)
        read = script["READ"].pop(f"{name}=={version}")
        with pytest.raises(SystemExit, match=f"^{name}=="):
            script["main"](LOCK, written)
        script["READ"][f"{name}=={version}"] = read
    newer = tmp_path / "requirements.lock"
    newer.write_text(LOCK.read_text(encoding="utf-8").replace("jinja2==", "jinja2==9"), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"^jinja2==9.* is not installed"):
        script["main"](newer, written)
    assert written.read_text(encoding="utf-8") == LICENCES.read_text(encoding="utf-8")


def test_licences_of_what_comes_with_the_package_are_listed() -> None:
    """GraphiQL, React, the fonts within, and the voice are named with the versions and licences that they have."""
    packages = json.loads((PROJECT / NPM_LOCKS[0]).read_text(encoding="utf-8"))["packages"]
    text = LICENCES.read_text(encoding="utf-8")
    for name, shown in (("graphiql", "GraphiQL"), ("react", "React"), ("react-dom", "react-dom")):
        package = packages[f"node_modules/{name}"]
        assert f"| {shown} {package['version']}" in text
        assert f"| {package['license']}: `{name}.LICENSE` |" in text
        assert "Permission is hereby granted, free of charge" in (VENDOR / f"{name}.LICENSE").read_text()
    style = (VENDOR / "graphiql.min.css").read_text(encoding="utf-8")
    fonts = set(re.findall(r"@font-face\s*{[^}]*?font-family:\s*([\w ]+);", style))
    assert fonts == {"Roboto", "Fira Code"}
    assert [font for font in fonts if f"the font {font} " not in text] == []
    assert "CC0 1.0" in (PROJECT / "api/captcha/voices/README.md").read_text(encoding="utf-8")
    assert re.search(r"api/captcha/voices/.*CC0-1\.0 \|", text)


def test_licences_of_what_graphiql_has_packed_are_as_listed() -> None:
    """Of the packages within GraphiQL's file, those that are not under the MIT licence are named with their own."""
    packages = json.loads((PROJECT / NPM_LOCKS[0]).read_text(encoding="utf-8"))["packages"]
    script = (VENDOR / "graphiql.min.js").read_text(encoding="utf-8")
    packed = set(re.findall(r"!\*\*\* [./]*node_modules/((?:@[\w-]+/)?[\w.-]+)", script))
    assert len(packed) > 70
    known = {name: packages[f"node_modules/{name}"]["license"] for name in packed - PACKED_BY_GRAPHIQL}
    assert packed > PACKED_BY_GRAPHIQL
    others = {name: licence for name, licence in known.items() if licence != "MIT"}
    named = re.findall(r"`([\w.-]+)`: ([\w.-]+)", LICENCES.read_text(encoding="utf-8"))
    assert dict(named) == others


def licences() -> list[list[str]]:
    """Return the package, version and licence of each row of the list."""
    part = LICENCES.read_text(encoding="utf-8").partition("make licences: begin -->")[2]
    return rows(part.partition("\n\nTheir metadata")[0])[2:]


# --- The parts list ---


@pytest.fixture(scope="module")
def sbom(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the parts list that `make sbom` writes."""
    return json.loads(make_sbom(tmp_path_factory.mktemp("sbom")))  # type: ignore[no-any-return]  # JSON.


def make_sbom(folder: Path, **environment: str) -> str:
    """Run `make sbom` without its set-up. Return the text of the file."""
    written = folder / "sbom.json"
    subprocess.run(  # noqa: S603
        [
            *["make", "--silent", "--old-file=.venv/.develops", "sbom"],
            *[f"SBOM={written}", f"BIN={Path(sys.executable).parent}"],
        ],
        cwd=PROJECT,
        env=os.environ | environment,
        check=True,
    )
    return written.read_text(encoding="utf-8")


def test_parts_list_has_every_locked_package(sbom: dict[str, Any]) -> None:
    """Each requirement of the lock is there with its version, its package URL, and the digests of all its files."""
    components = {(part["name"], part["version"]): part for part in sbom["components"]}
    assert len(components) == len(sbom["components"])
    assert set(components) == {(pin.name, pin.version) for pin in pins(LOCK)}
    for pin in pins(LOCK):
        part = components[pin.name, pin.version]
        assert part["purl"] == f"pkg:pypi/{pin.name}@{pin.version}"
        digests = {(digest["alg"], digest["content"]) for at in part["externalReferences"] for digest in at["hashes"]}
        assert digests == {("SHA-256", digest) for digest in pin.hashes}


def test_parts_list_is_of_this_release(sbom: dict[str, Any]) -> None:
    """The list says what it is a list of: guichet, in the version of `pyproject.toml`."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    root = sbom["metadata"]["component"]
    assert (sbom["bomFormat"], root["type"]) == ("CycloneDX", "application")
    assert (root["name"], root["version"]) == ("guichet", project["version"])


def test_parts_list_is_the_same_on_every_machine(tmp_path: Path) -> None:
    """Twice the same bytes, and no word of the registry that pip is set up for, or of any other."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    registry = "https://user:secret@registry.example/simple"
    text = make_sbom(first, PIP_INDEX_URL=registry, PIP_EXTRA_INDEX_URL=registry)
    assert text == make_sbom(second)
    parts = json.loads(text)
    parts["metadata"]["tools"] = None  # The tool tells where its own pages are.
    assert re.findall(r"\w+://[^\"]*", json.dumps(parts).replace(parts["$schema"], "")) == []


# --- Known vulnerabilities ---

AUDITED, VULNERABLE, UNUSABLE, NOT_AUDITED = 0, 1, 2, 75
# Answers as pip-audit does: one file of requirements at a time, JSON on standard output, words on standard error.
STUB = """#!{python}
import json, re, sys
MODE = {mode!r}
asked = re.findall(r"^(\\S+)==(\\S+) --hash=sha256:", open(sys.argv[-1]).read(), re.M)
assert len(dict(asked)) == len(asked) > 0 and {{"--require-hashes", "--disable-pip"}} <= set(sys.argv)
answers = [{{"name": name, "version": version, "vulns": []}} for name, version in asked]
if MODE == "broken":
    sys.exit("ModuleNotFoundError: No module named 'pip_audit'")
if "--dry-run" in sys.argv:
    print(json.dumps({{"dependencies": [], "fixes": []}}))
    sys.exit()
if MODE == "traceback":
    sys.exit("Traceback ...\\nrequests.exceptions.ConnectionError: Failed to resolve 'pypi.org'")
if MODE == "page":
    print("<html>Sign in to the network</html>")
if MODE == "mirror":
    answers = [{{"name": name, "skip_reason": "not found"}} for name, _ in asked]
if "unknown" in MODE and len(answers) > 1:
    answers[0] = {{"name": answers[0]["name"], "skip_reason": "not found"}}
if MODE == "nothing":
    answers = []
if "vulnerable" in MODE:
    answers[-1]["vulns"] = [{{"id": "PYSEC-2026-1", "fix_versions": ["9.9"], "aliases": [], "description": "Bad."}}]
if MODE == "other python" and answers[0]["version"] == "3.0.1":
    answers[0]["vulns"] = [{{"id": "PYSEC-2026-2", "fix_versions": [], "aliases": [], "description": "Bad."}}]
if MODE == "first part" and len(answers) == 1:
    sys.exit("ReadTimeout")
if MODE == "first part":
    answers[3]["vulns"] = [{{"id": "PYSEC-2026-3", "fix_versions": [], "aliases": [], "description": "Bad."}}]
print("No known vulnerabilities found", file=sys.stderr)
if MODE != "page":
    print(json.dumps({{"dependencies": answers, "fixes": []}}))
sys.exit(any(answer.get("vulns") for answer in answers))
"""


def run(script: str, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # Our own script.
        [sys.executable, str(SCRIPTS / script), *map(str, arguments)], capture_output=True, text=True, check=False
    )


def audit(folder: Path, mode: str) -> subprocess.CompletedProcess[str]:
    """Run the script with a pip-audit that answers as *mode* says."""
    stub = folder / "pip-audit"
    stub.write_text(STUB.format(python=sys.executable, mode=mode), encoding="utf-8")
    stub.chmod(0o700)
    return run("audit.py", LOCK, stub)


def test_lock_without_known_vulnerabilities_passes(tmp_path: Path) -> None:
    """If the service knows every package and no vulnerability, the script says so and exits with 0."""
    done = audit(tmp_path, "fine")
    assert (done.returncode, done.stderr) == (AUDITED, "")
    assert done.stdout == f"{len(pins(LOCK))} packages audited, no vulnerability known\n"


@pytest.mark.parametrize("mode", ["vulnerable", "vulnerable and unknown", "first part"])
def test_known_vulnerability_fails(tmp_path: Path, mode: str) -> None:
    """A vulnerable package is named, even if the service is silent about others."""
    done = audit(tmp_path, mode)
    assert (done.returncode, done.stdout) == (VULNERABLE, "")
    assert re.search(r"^[\w-]+ [\d.]+ is vulnerable: PYSEC-2026-\d \(mended in .+\)$", done.stderr, re.MULTILINE)
    assert ("Not audited" in done.stderr) == (mode != "vulnerable")


def test_package_of_another_python_is_audited_too(tmp_path: Path) -> None:
    """A version that the lock has for a newer Python, as an image may have, is audited as well."""
    done = audit(tmp_path, "other python")
    assert (done.returncode, done.stderr) == (
        VULNERABLE,
        "deprecated 3.0.1 is vulnerable: PYSEC-2026-2 (mended in none yet)\n",
    )


@pytest.mark.parametrize("mode", ["traceback", "page", "mirror", "one unknown", "nothing"])
def test_silence_is_never_taken_for_an_answer(tmp_path: Path, mode: str) -> None:
    """No service, a stranger's page, a mirror that knows nothing: one line says so, and no word that all is well."""
    done = audit(tmp_path, mode)
    assert (done.returncode, done.stdout) == (NOT_AUDITED, "")
    assert re.fullmatch(r"Not audited: \d+ of \d+ packages: the vulnerability service .+\n", done.stderr)


def test_tool_that_does_not_run_is_not_taken_for_silence(tmp_path: Path) -> None:
    """A pip-audit that is broken or missing, or a lock that can't be read, is a failure of its own."""
    for done in (
        audit(tmp_path, "broken"),
        run("audit.py", LOCK, tmp_path / "missing"),
        run("audit.py", tmp_path / "no.lock"),
        run("audit.py", PROJECT / "pyproject.toml"),
    ):
        assert (done.returncode, done.stdout) == (UNUSABLE, "")
        assert done.stderr.startswith("Not audited: ")
    assert run("audit.py").returncode == UNUSABLE


@pytest.mark.parametrize(
    ("code", "passes"), [(AUDITED, True), (NOT_AUDITED, True), (VULNERABLE, False), (UNUSABLE, False)]
)
def test_build_fails_for_vulnerabilities_and_not_for_silence(code: int, passes: bool) -> None:
    """`.ci/run` fails for a vulnerability, and goes on if the service can't be asked."""
    (step,) = re.findall(
        r"^.venv/bin/python .ci/audit.py requirements.lock(.*)$", (SCRIPTS / "run").read_text(), re.MULTILINE
    )
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", f"(exit {code}){step}"], check=False)  # noqa: S603, S607
    assert (done.returncode == 0) is passes
