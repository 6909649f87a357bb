"""The reference pages, and the tables of how-it-decides: `python -m docs.generate` compares, `--write` renews them.

Read from the source, not from running objects (griffe), so that every Python version makes the same bytes. Only what
`cpuplace` exports is asked at run time. One page a module that defines public names, one for the command.
"""

import importlib
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import griffe
from attrs import Factory, fields

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
DECIDES = ROOT / "docs" / "how-it-decides.md"
PLUGIN = ROOT / "docs" / "nri.md"
BEGIN = "<!-- Generated from the code by `nox -s docs -- --write` down to the next mark; do not edit. -->"
END = "<!-- Generated up to here. -->"
GENERATED = "<!-- Generated from the code by `nox -s docs -- --write`; do not edit. -->\n"
WHOLE = re.compile(
    r"cpuplace\.(catalogue|formats(\..+)?|interrupts|irq_plan|irq_planning|splitting)"
    r"|cpuplace_linux\.(read_host|capture|policyfile|valuefile|affinity|allowance|hostfiles|interrupts|irq_steering|memory_policy)"
    r"|cpuplace_linux\.(role_activity|role_runner|splitting|thread_layout)"
    r"|cpuplace_cgroup\.(backend|group|outcome|failure|drift|host_check|managing|statedir)|cpuplace_k8s\.(manifests|files)"
    r"|cpuplace_nri\.(config|configfile|configtext|checkconfig|kubeletconfig|asking)"
)
"""Modules whose every public name is of use to authors of tools, not only what `cpuplace` exports."""
_POLICY = (
    "The operator's choices, from a file in YAML, TOML or JSON; the defaults are kubelet's where kubelet has one.\n\n"
)
_DOCTEST = re.compile(r"^>>> .*(?:\n(?!\n).*)*", re.MULTILINE)

Documented = griffe.Class | griffe.Function | griffe.Attribute


def main(arguments: list[str]) -> int:
    """0 when the pages equal the code (or were just written), else 1 with their names."""
    wanted = {FOLDER / name: text for name, text in pages()} | {DECIDES: decides(), PLUGIN: plugin()}
    there = {path: path.read_text(encoding="utf-8") for path in (*FOLDER.glob("*.md"), DECIDES, PLUGIN)}
    stale = sorted(path for path in wanted.keys() | there.keys() if wanted.get(path) != there.get(path))
    FOLDER.mkdir(exist_ok=True)
    for page in stale:
        if "--write" not in arguments:
            print(f"{page.relative_to(ROOT)} differs from the code: run `nox -s docs -- --write` and commit it")
            continue
        page.write_text(wanted[page], encoding="utf-8") if page in wanted else page.unlink()
        print(f"renewed {page.relative_to(ROOT)}")
    return 1 if stale and "--write" not in arguments else 0


def pages() -> Iterator[tuple[str, str]]:
    """File name and text of every page, the index last."""
    packages = [
        load(name) for name in ("cpuplace", "cpuplace_linux", "cpuplace_cgroup", "cpuplace_k8s", "cpuplace_nri")
    ]
    modules = {module.path: module for package in packages for module in walk(package)}
    home: dict[str, str] = {}
    for path, module in sorted(modules.items()):
        if WHOLE.fullmatch(path):
            names = whole(module) if is_whole(module) else []
        else:
            names = [name for name in exported() if defines(module, name)]
            home |= dict.fromkeys(names, path)
        if names:
            yield f"{path}.md", GENERATED + page_of(module, names)
    yield "rules.md", GENERATED + rules_page()
    command = command_page()
    if command:
        yield "command.md", GENERATED + command
    yield "README.md", GENERATED + index(modules, home, bool(command))


def load(name: str) -> griffe.Module:
    """The package as its source says, submodules included."""
    package = griffe.load(name, search_paths=[str(ROOT / "src")])
    assert isinstance(package, griffe.Module)
    return package


def walk(module: griffe.Module) -> Iterator[griffe.Module]:
    """The module and all public ones below it."""
    yield module
    for name, below in module.modules.items():
        if not name.startswith("_") and not below.is_alias:
            yield from walk(below)


def exported() -> list[str]:
    """The public names of `cpuplace`, modules left out."""
    package = importlib.import_module("cpuplace")
    names = getattr(package, "__all__", None) or [name for name in dir(package) if not name.startswith("_")]
    return sorted(name for name in names if not isinstance(getattr(package, name), ModuleType))


def defines(module: griffe.Module, name: str) -> bool:
    """Whether a public name of `cpuplace` comes from this module."""
    member = module.members.get(name)
    if member is None or member.is_alias:
        return False
    source = getattr(getattr(importlib.import_module("cpuplace"), name), "__module__", module.path)
    return source == module.path or not isinstance(member, griffe.Class | griffe.Function)


def is_whole(module: griffe.Module) -> bool:
    """Whether the page shows all of the module; helpers of formats and parts (`sysfs_cpus` of `sysfs`) have no page."""
    if not WHOLE.fullmatch(module.path):
        return False
    if module.parent is None or module.parent.name != "formats":
        return True
    owner = module.name.split("_")[0]
    part = owner != module.name and owner in module.parent.members
    return not part and bool({"parse", "render"} & module.members.keys())


def whole(module: griffe.Module) -> list[str]:
    """What `__all__` names, else all public names with a docstring that the module itself defines."""
    if module.exports:
        return [str(name) for name in module.exports if not module.members[str(name)].is_module]
    return [n for n, m in module.members.items() if not n.startswith("_") and not m.is_alias and documented(m)]


def documented(member: griffe.Object | griffe.Alias) -> bool:
    """Whether a member has something to say of its own."""
    return not member.is_module and member.docstring is not None


def page_of(module: griffe.Module, names: list[str]) -> str:
    """The page of one module."""
    parts = [f"# {module.path}", text_of(module)]
    for name in sorted(names, key=lambda one: module.members[one].lineno or 0):
        member = module.members[name]
        member = member.final_target if isinstance(member, griffe.Alias) else member
        assert isinstance(member, Documented), f"{module.path}.{name} is no class, function or constant"
        parts += class_parts(member) if isinstance(member, griffe.Class) else member_parts(member, "##", "")
    return "\n\n".join(part for part in parts if part) + "\n"


def class_parts(owner: griffe.Class) -> Iterator[str]:
    """Heading, docstring, table of fields, and one section a public method or property."""
    yield f"## {owner.name}"
    bases = ", ".join(f"`{base}`" for base in owner.bases if not str(base).startswith("_"))
    yield f"Bases: {bases}" if bases else ""
    made = owner.members.get("__init__")
    yield f"```python\n{signature(made, owner.name)}\n```" if isinstance(made, griffe.Function) else ""
    yield text_of(owner)
    members = list(members_of(owner))
    rows = [row_of(m) for m in members if is_field(m)]
    if owner.path == "cpuplace.policy.Policy":
        yield policy_table(members)
    elif rows:
        yield "\n".join(["| field | type | default |", "|---|---|---|", *rows])
    for member in members:
        if isinstance(member, griffe.Function) or is_property(member):
            yield from member_parts(member, "###", f"{owner.name}.")


def members_of(owner: griffe.Class) -> Iterator[Documented]:
    """Public members, those of private bases included, in the order of the source."""
    bases = [base for base in owner.mro() if base.name.startswith("_")]
    for source in (*reversed(bases), owner):
        for name, member in source.members.items():
            if not name.startswith("_") and isinstance(member, Documented):
                yield member


def is_property(member: Documented) -> bool:
    """Whether it is written as a function and read as a field."""
    return isinstance(member, griffe.Attribute) and "property" in member.labels


def is_field(member: Documented) -> bool:
    """Whether it is a field of a value or a member of an enum, not what `__init__` keeps for itself."""
    return (
        isinstance(member, griffe.Attribute)
        and not is_property(member)
        and bool(member.annotation or member.name.isupper())
    )


def signature(function: griffe.Function, name: str) -> str:
    """The call as its user writes it: without `self` and `cls`."""
    return re.sub(r"\((self|cls)(, )?", "(", f"{function.signature(name=name)}", count=1)


def row_of(member: Documented) -> str:
    """One row of a table of fields; `|` is escaped for Markdown."""
    assert isinstance(member, griffe.Attribute)
    kind, value = (cell(str(one or "")) for one in (member.annotation, member.value))
    return f"| {member.name} | {code(kind)} | {code(value)} |"


def policy_table(members: list[Documented]) -> str:
    """One row a field, its meaning from the field itself."""
    policy = importlib.import_module("cpuplace.policy").Policy
    kinds = {member.name: str(member.annotation) for member in members if isinstance(member, griffe.Attribute)}
    lines = ["| field | default | type | meaning |", "|---|---|---|---|"]
    for one in fields(policy):
        default = one.default.factory() if isinstance(one.default, Factory) else one.default  # type: ignore[arg-type]
        lines.append(
            f"| {one.name} | {code(cell(repr(default)))} | {code(cell(kinds[one.name]))} | {one.metadata['doc']} |"
        )
    return "\n".join(lines)


def rules_page() -> str:
    """Kinds of container, rules, and the tuple of the preference: the tables the code itself walks."""
    return "# Rules\n" + "".join(map(section, ("Kinds of container", "Rules", "Sections", "Preference")))


def section(title: str, mark: str = "##", up: str = "../") -> str:
    """One of the tables that the code itself walks, with its heading; `up` is the way from the page to docs."""
    kinds = importlib.import_module("cpuplace.kinds").KINDS
    rules = importlib.import_module("cpuplace.rules")
    elements = importlib.import_module("cpuplace.preference").ELEMENTS
    intro, rows = {
        "Kinds of container": ("First match wins.", [(one.name, one.when, one.kind.value) for one in kinds]),
        "Rules": (
            "Refusals, explanations and tests name them by number.",
            [(one.number, one.name, one.text) for one in rules.RULES],
        ),
        "Sections": (
            'Refusals name them where no rule has a number for it, docstrings where they say "of the rules".',
            [(one.number, one.name, f"{one.text} {link(one.page, up)}") for one in rules.SECTIONS],
        ),
        "Preference": (
            "The least tuple wins, element by element; some elements count only under a wish.",
            [(str(place), f"`{one.name}`", one.doc) for place, one in enumerate(elements, 1)],
        ),
    }[title]
    lines = ["", f"{mark} {title}", "", intro, "", "| | | |", "|---|---|---|"]
    lines += ["| " + " | ".join(cell(text) for text in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def link(page: str, up: str) -> str:
    """Where a page in docs tells more."""
    return f"[{page.partition('#')[0]}]({up}{page})"


def decides() -> str:
    """The page that tells how it decides, with the tables between its marks as the code has them now."""
    before, begin, rest = DECIDES.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, f"{DECIDES.name} lacks its marks"
    policy = load("cpuplace")["policy.Policy"]
    assert isinstance(policy, griffe.Class)
    tables = [section(title, "###", "") for title in ("Rules", "Sections", "Preference")] + [
        "\n### Policy\n\n",
        _POLICY,
    ]
    return f"{before}{BEGIN}\n{''.join(tables)}{policy_table(list(members_of(policy)))}\n\n{END}{after}"


def plugin() -> str:
    """The page of the plugin, with the tables between its marks as the code has them now: configuration, metrics."""
    text = PLUGIN.read_text(encoding="utf-8")
    for number, table in enumerate((config_table(), metrics_table())):
        parts = re.split(f"({re.escape(BEGIN)}.*?{re.escape(END)})", text, flags=re.DOTALL)
        assert len(parts) == 5, f"{PLUGIN.name} lacks its marks"
        parts[2 * number + 1] = f"{BEGIN}\n\n{table}\n\n{END}"
        text = "".join(parts)
    return text


def config_table() -> str:
    """One row a field of the plugin's configuration, its meaning from the field itself."""
    config = importlib.import_module("cpuplace_nri.config")
    lines = ["| field | default | live | meaning |", "|---|---|---|---|"]
    for name, one in config.FIELDS.items():
        default = "" if isinstance(one.default, Factory) else code(cell(config_word(one.default)))  # type: ignore[arg-type]
        words = one.metadata["doc"] + (f" ({', '.join(one.metadata['choices'])})" if one.metadata["choices"] else "")
        lines.append(f"| {name} | {default} | {'yes' if one.metadata['live'] else ''} | {cell(words)} |")
    return "\n".join(lines)


def config_word(value: object) -> str:
    """A default as a file says it."""
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'


def metrics_table() -> str:
    """One row a metric, as Prometheus calls it."""
    tally, metrics = (importlib.import_module(f"cpuplace_nri.{name}") for name in ("tally", "metrics"))
    labels = {"cpus": "set", "containers": "kind"}
    rows = [(f"{name}_total", names, doc) for name, (doc, names) in tally.COUNTS.items()]
    rows += [(name, (label,), doc) for name, (doc, label) in tally.TIMES.items()]
    rows += [(name, (labels[name],) if name in labels else (), doc) for name, doc in metrics.GAUGES.items()]
    lines = ["| metric | labels | meaning |", "|---|---|---|"]
    lines += [f"| cpuplace_{name} | {', '.join(names)} | {cell(doc)} |" for name, names, doc in rows]
    return "\n".join(lines)


def cell(text: str) -> str:
    """The text on one line, as a cell of a table takes it."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """The text as code, nothing when there is none."""
    return f"`{text}`" if text else ""


def member_parts(member: Documented, mark: str, prefix: str) -> Iterator[str]:
    """Heading, signature and docstring of a function, property or constant."""
    yield f"{mark} {prefix}{member.name}"
    if isinstance(member, griffe.Function):
        yield f"```python\n{signature(member, member.name)}\n```"
    elif isinstance(member, griffe.Attribute) and member.annotation:
        yield f"`{member.annotation}`"
    yield text_of(member)


def text_of(member: griffe.Object) -> str:
    """The docstring; doctests become fenced blocks, since Markdown reads `>>>` as a quotation."""
    text = member.docstring.value.strip() if member.docstring else ""
    return _DOCTEST.sub(lambda block: f"```pycon\n{block[0]}\n```", text)


def command_page() -> str:
    """What `cpuplace --help` and its commands say, as Markdown; "" while there is no command."""
    if not find_spec("cpuplace_cli") or not find_spec("cpuplace_cli.main"):
        return ""
    app = importlib.import_module("cpuplace_cli.main").build_app()
    return str(app.generate_docs(output_format="markdown")).rstrip() + "\n"


def index(modules: dict[str, griffe.Module], home: dict[str, str], command: bool) -> str:
    """The page that lists all pages and every name of `cpuplace`."""
    lines = [
        "# Reference",
        "",
        "- [Rules](rules.md) that refusals name",
        "- [Policy](cpuplace.policy.md): the operator's choices",
    ]
    if command:
        lines += ["- [The command `cpuplace`](command.md)"]
    wholes = [path for path, module in sorted(modules.items()) if is_whole(module) and whole(module)]
    lines += [f"- [{path}]({path}.md): {first_line(modules[path])}" for path in wholes]
    lines += ["", "## Names of `cpuplace`", "", "| name | |", "|---|---|"]
    for name, path in sorted(home.items()):
        lines.append(f"| [{name}]({path}.md#{name.lower()}) | {first_line(modules[path].members[name])} |")
    return "\n".join(lines) + "\n"


def first_line(member: griffe.Object | griffe.Alias) -> str:
    """The first line of the docstring, for a table."""
    text = member.docstring.value.strip() if member.docstring else ""
    return cell(text.split("\n", 1)[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
