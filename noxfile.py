"""Every gate of this repository: `nox` runs the default ones in this order, `nox -l` lists all."""

import json
import shutil

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"

PYPROJECT = nox.project.load_toml("pyproject.toml")
TYPED = ("src", "tests", "benchmarks", "docs", "noxfile.py")
BUNDLE = "dist/cpuplace-nri"
WORKERS = "2"  # what CI has; more gain little, since starting a worker costs a second


def group(*names: str) -> list[str]:
    """The requirements of dependency groups, whatever pip is around."""
    return list(nox.project.dependency_groups(PYPROJECT, *names))


def install(session: nox.Session, *groups: str) -> None:
    """The package as it stands here, the command's libraries, and these groups."""
    session.install("-q", "-e", ".[cli,nri]", *group(*groups))


@nox.session
def lint(session: nox.Session) -> None:
    """ruff, its format, and the arrows between and inside the packages."""
    session.install("-q", *group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check", "-q")
    session.run("lint-imports", "--no-cache", env={"PYTHONPATH": "src"})


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict on everything that is Python."""
    install(session, "types", "test", "bench", "docs")
    session.install("-q", "nox")
    session.run("mypy", "--strict", *TYPED)


def run_tests(session: nox.Session, *options: str, profile: str) -> None:
    """The test suite under one hypothesis profile; arguments after `--` go to pytest."""
    install(session, "test")
    session.run("pytest", "-q", *options, *session.posargs, env={"HYPOTHESIS_PROFILE": profile})


@nox.session
def tests(session: nox.Session) -> None:
    """All tests and doctests, the same bytes every run; every branch of the core is taken."""
    full = [] if session.posargs else ["--cov", "--cov-report=term", "--cov-fail-under=100"]
    run_tests(session, "-n", WORKERS, "--dist=worksteal", *full, profile="ci")


@nox.session
def docs(session: nox.Session) -> None:
    """Reference pages equal what the code says, links lead somewhere. `nox -s docs -- --write` renews the pages."""
    install(session, "docs")
    session.run("python", "-m", "docs.generate", *session.posargs)
    session.run("python", "-m", "docs.hosts", *session.posargs)
    session.run("python", "-m", "docs.links")


@nox.session
def demo(session: nox.Session) -> None:
    """Every command that README, docs and examples quote ends and prints as they say. `-- --write` renews output."""
    install(session)
    session.run("python", "-m", "docs.commands", *session.posargs)


@nox.session
def minimal(session: nox.Session) -> None:
    """`pip install cpuplace` brings attrs and sortedcontainers, nothing else, and the libraries work with that."""
    session.install("-q", ".")
    listed = json.loads(session.run("pip", "list", "--format=json", silent=True) or "[]")
    found = {package["name"] for package in listed} - {"pip", "setuptools", "wheel"}
    if found != {"cpuplace", "attrs", "sortedcontainers"}:
        session.error(f"a plain install brings {sorted(found)}")
    session.run(
        "python",
        "-W",
        "error",
        "-c",
        "import cpuplace, cpuplace_linux, cpuplace_cgroup, cpuplace_k8s; cpuplace_linux.read_host('/')",
    )
    said = session.run("cpuplace", "--help", success_codes=[2], silent=True) or ""
    if "cpuplace[cli]" not in said or "Traceback" in said:
        session.error(f"the command does not say what a plain install lacks: {said}")


@nox.session
def e2e(session: nox.Session) -> None:
    """Beside real containerds, then inside made-up machines with a real kernel. `-- --write` renews their captures."""
    install(session, "test", "e2e")
    session.run("python", "-m", "tests.e2e.bed", *session.posargs)


@nox.session(default=False)
def protos(session: nox.Session) -> None:
    """The protobuf modules made anew after a .proto changed; every install makes them too."""
    session.install("-q", *PYPROJECT["build-system"]["requires"])
    session.run("python", "hatch_build.py")


@nox.session(default=False)
def bundle(session: nox.Session) -> None:
    """`dist/cpuplace-nri`: the plugin as a runtime starts it itself, with all it needs but Python; and its tar.gz."""
    shutil.rmtree(BUNDLE, ignore_errors=True)
    session.run("python", "-m", "pip", "install", "-q", "--no-compile", "--target", f"{BUNDLE}/lib", ".[nri]")
    session.run("python", "deploy/bundle/build.py", BUNDLE)


@nox.session(default=False)
def laws(session: nox.Session) -> None:
    """The property tests once more, long and random: a find is a seed to keep. No test counts as hanging."""
    run_tests(session, "-n", WORKERS, "-o", "faulthandler_timeout=0", "-m", "hypothesis", profile="laws")


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """A million malformed frames, messages, annotations at the plugin: `-- --inputs N --seed S`; a find is a number."""
    install(session, "test")
    session.run("python", "-m", "tests.nri.fuzz", *session.posargs, env={"PYTHONPATH": "tests:."})


@nox.session(default=False, python=["3.12", "3.13"])
def others(session: nox.Session) -> None:
    """All tests on the other Pythons, where they are installed."""
    run_tests(session, "-n", WORKERS, profile="ci")


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Which small changes of the decisions no test notices: `-- MODULE ... --sample N --seed S`. Takes hours."""
    install(session, "test", "mutants")
    session.run("python", "tests/mutation.py", session.create_tmp(), *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Speed and memory against their budgets; the table goes to standard output. Wants quiet cores."""
    install(session, "bench")
    out = session.create_tmp() + "/bench.json"
    session.run("pytest", "-q", "--benchmark-quiet", f"--benchmark-json={out}", *(session.posargs or ["benchmarks"]))
    session.run("python", "-m", "benchmarks.table", out)


@nox.session(default=False)
def bench_nri(session: nox.Session) -> None:
    """The plugin beside one that does nothing, with real containerds; the tables go to standard output. As root."""
    install(session, "test", "e2e")
    session.run("python", "-m", "benchmarks.nri", *session.posargs, env={"PYTHONPATH": "tests"})
