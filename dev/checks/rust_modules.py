"""Reads the modules of a Rust crate, and which file takes names from which.

It reads tokens, not types: a path such as `crate::a::Name`, in a `use` or in the middle of code, leads to the file that
defines `Name`, and to every file that re-exports it on the way. What macros write and which file implements a method
stay unseen.
"""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<text>b?r(?P<hashes>\#*)".*?"(?P=hashes)|b?"(?:\\.|[^"\\])*"|b?'(?:\\[^\n]*?|[^\\'\n])')
      | (?P<word>(?:r\#)?[A-Za-z_]\w*)
      | (?P<mark>::|.)""",
    re.VERBOSE | re.DOTALL,
)
DEFINES = {"fn", "struct", "enum", "union", "const", "static", "type", "trait"}


@dataclass(frozen=True)
class Use:
    path: tuple[str, ...]
    alias: str


@dataclass
class Module:
    """A module: a file, or a part of one."""

    file: Path
    parent: "Module | None" = None
    children: dict[str, "Module"] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    paths: set[tuple[str, ...]] = field(default_factory=set)
    defined: set[str] = field(default_factory=set)

    def all(self):
        yield self
        for child in self.children.values():
            yield from child.all()


def tokens(source: str) -> list[str]:
    return [match[0] for match in TOKEN.finditer(source) if match.lastgroup != "skip" and match["skip"] is None]


def is_word(token: str) -> bool:
    return token[0].isalpha() or token[0] == "_"


class Reader:
    """Reads one file into its module."""

    def __init__(self, module: Module, folder: Path):
        self.module, self.folder = module, folder
        self.tokens = tokens(module.file.read_text())
        self.at = 0

    def next(self) -> str:
        token = self.tokens[self.at] if self.at < len(self.tokens) else ""
        self.at += 1
        return token

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def read(self) -> None:
        self.items(self.module, self.folder)

    def items(self, module: Module, folder: Path) -> None:
        """Everything up to the brace that closes this module."""
        depth = 0
        while token := self.next():
            if token == "{":
                depth += 1
            elif token == "}":
                depth -= 1
                if depth < 0:
                    return
            elif token == "mod" and is_word(self.peek() or ";") and self.peek(1) in (";", "{"):
                self.submodule(module, folder)
            elif token == "use" and (is_word(self.peek() or ";") or self.peek() in ("{", "::")):
                self.use(module, ())
            elif is_word(token):
                if token in DEFINES and depth == 0 and is_word(self.peek() or ";"):
                    module.defined.add(self.peek())
                if token == "macro_rules" and self.peek() == "!":
                    module.defined.add(self.peek(1))
                if self.peek() == "::" and self.tokens[self.at - 2 : self.at - 1] != ["::"]:
                    module.paths.add(self.rest_of_path(token))

    def attributes(self) -> list[list[str]]:
        """The attributes of the item whose keyword has just been read, the nearest first."""
        found, end = [], self.at - 1
        if self.tokens[end - 1 : end] == [")"]:  # pub(crate)
            end -= 4
        elif self.tokens[end - 1 : end] == ["pub"]:
            end -= 1
        while end > 0 and self.tokens[end - 1] == "]":
            start, depth = end - 1, 1
            while depth and start > 0:
                start -= 1
                depth += {"]": 1, "[": -1}.get(self.tokens[start], 0)
            found.append(self.tokens[start + 1 : end - 1])
            end = start - 1
        return found

    def rest_of_path(self, first: str) -> tuple[str, ...]:
        path = [first]
        while self.peek() == "::" and is_word(self.peek(1) or ";"):
            self.next()
            path.append(self.next())
        return tuple(path)

    def submodule(self, module: Module, folder: Path) -> None:
        attributes = self.attributes()
        name, opening = self.next(), self.next()
        if opening == "{":
            child = Module(module.file, module)
            self.items(child, folder / name)
        else:
            child = read_file(self.file_of(name, folder, attributes), module)
        module.children[name] = child

    def file_of(self, name: str, folder: Path, attributes: list[list[str]]) -> Path:
        named = [text.strip('"') for word, _, text in (part for part in attributes if len(part) == 3) if word == "path"]
        places = [self.module.file.parent / file for file in named] or [folder / f"{name}.rs", folder / name / "mod.rs"]
        for place in places:
            if place.exists():
                return place
        raise FileNotFoundError(f"{self.module.file}: no file for `mod {name};`")

    def use(self, module: Module, before: tuple[str, ...]) -> None:
        """One tree of a `use`, up to the mark behind it."""
        path, alias = before, None
        while token := self.next():
            if token == "{":
                while self.peek() not in ("}", ""):
                    self.use(module, path)
                    if self.peek() == ",":
                        self.next()
                self.next()
                return
            if token == "as":
                alias = self.next()
            elif token == "*" or is_word(token):
                path += (token,)
            if self.peek() in (",", ";", "}", ""):
                break
        if path and path[-1] == "self" and len(path) > 1:
            path = path[:-1]
        module.uses.append(Use(path, alias or path[-1]))


def read_file(file: Path, parent: Module | None = None) -> Module:
    module = Module(file, parent)
    is_root = parent is None or file.name == "mod.rs"
    Reader(module, file.parent if is_root else file.parent / file.stem).read()
    return module


@dataclass(frozen=True)
class Found:
    """What a path names: something that a module defines, or the module itself; and who re-exports it on the way."""

    module: Module
    is_module: bool
    through: tuple[Module, ...] = ()

    def by_way_of(self, module: Module) -> "Found":
        return replace(self, through=(module, *self.through))

    def files(self) -> set[Path]:
        return {module.file for module in (self.module, *self.through)}


def find(module: Module, path: tuple[str, ...], passed: tuple[Use, ...] = ()) -> Found | None:
    """What the path names; none if it isn't of this crate. `passed` are the uses on the way to it."""
    first, rest = path[0], path[1:]
    if first == "crate":
        here = module
        while here.parent:
            here = here.parent
    elif first == "self":
        here = module
    elif first == "super":
        here = module.parent
    elif first in module.children or any(use.alias == first for use in module.uses):
        here, rest = module, path
    else:
        return None
    while rest:
        first, rest = rest[0], rest[1:]
        if first == "super":
            here = here.parent
        elif first in here.children:
            here = here.children[first]
        elif first == "*" or first in here.defined:
            return Found(here, is_module=False)
        else:
            return taken_on(here, first, rest, passed)
    return Found(here, is_module=True)


def taken_on(module: Module, name: str, rest: tuple[str, ...], passed: tuple[Use, ...]) -> Found | None:
    """What a name leads to that the module has from elsewhere."""
    named = [use for use in module.uses if use.alias == name]
    for use in named:
        if use not in passed and (found := find(module, use.path + rest, (*passed, use))):
            return found.by_way_of(module)
    for use in module.uses:
        if use.alias == "*" and use not in passed and (beyond := find(module, use.path, (*passed, use))):
            found = find(beyond.module, ("self", name, *rest), (*passed, use))
            if found and (found.module is not beyond.module or name in beyond.module.defined):
                return found.by_way_of(module)
    # Without a use it was made by a macro here; with one it is of another crate.
    return None if named else Found(module, is_module=False)


def arrows(root: Module) -> dict[Path, dict[Path, set[str]]]:
    """For each file, the files from which it takes names, and which names."""
    seen: dict[Path, dict[Path, set[str]]] = {module.file: {} for module in root.all()}
    for module in root.all():
        for path in [*(use.path for use in module.uses), *module.paths]:
            found = find(module, path)
            # A module by itself is no name: what is taken from it shows where it is taken.
            if found and not found.is_module:
                for file in found.files() - {module.file}:
                    seen[module.file].setdefault(file, set()).add(path[-1])
    return seen
