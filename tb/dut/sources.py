"""The sources of a function: files, file lists as simulators take them, include folders, defines."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from tb.dut.table import DutError, Table

SUFFIXES = (".sv", ".v", ".svh", ".vh", ".vlt")
_NESTED = ("-f", "-F")


@dataclass(frozen=True, slots=True)
class Sources:
    """`files` in the order of compilation, `include` folders, `defines` as NAME or NAME=VALUE."""

    files: tuple[Path, ...]
    include: tuple[Path, ...]
    defines: tuple[str, ...]

    def watched(self) -> list[Path]:
        """Everything that can go into a build: the files, and what lies in the include folders."""
        found = dict.fromkeys(self.files)
        for folder in self.include:
            found.update(dict.fromkeys(sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES)))
        return list(found)


def read_sources(table: Table, folder: Path) -> Sources:
    """The table `[sources]`; paths are relative to `folder`, that of the description."""
    gathered = _Gathered([], [folder], [])
    for name in table.texts("lists"):
        gathered.read_list(_existing(folder, name, table.where), ())
    for name in table.texts("files"):
        gathered.files.append(_existing(folder, name, table.where))
    for name in table.texts("include"):
        gathered.include.append(_folder(folder, name, table.where))
    gathered.defines += table.texts("defines")
    table.end()
    if not gathered.files:
        raise DutError(f"{table.where}: there are no sources: give files = [...] or lists = [...].")
    include = tuple(dict.fromkeys(gathered.include))
    return Sources(tuple(dict.fromkeys(gathered.files)), include, tuple(gathered.defines))


@dataclass(slots=True)
class _Gathered:
    """What the lists and fields have named so far."""

    files: list[Path]
    include: list[Path]
    defines: list[str]

    def read_list(self, path: Path, above: tuple[Path, ...]) -> None:
        """A file list: a file a line, `+incdir+`, `+define+`, `-f` of another list; `//` and `#` comments.

        Paths are relative to the list's own folder.
        """
        if path in above:
            raise DutError(f"{path}: the list names itself, through {above[-1].name}.")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            words = shlex.split(line.partition("//")[0], comments=True)
            if words:
                self._line(words, path, f"{path} line {number}", above)

    def _line(self, words: list[str], path: Path, where: str, above: tuple[Path, ...]) -> None:
        if words[0] in _NESTED and len(words) == 2:
            self.read_list(_existing(path.parent, words[1], where), (*above, path))
            return
        for word in words:
            self._word(word, path.parent, where)

    def _word(self, word: str, folder: Path, where: str) -> None:
        if word.startswith("+incdir+"):
            names = word.removeprefix("+incdir+").split("+")
            self.include += [_folder(folder, name, where) for name in names if name]
        elif word.startswith("+define+"):
            self.defines += [name for name in word.removeprefix("+define+").split("+") if name]
        elif word.startswith(("-", "+")):
            what = "a file list has files, +incdir+, +define+ and -f"
            raise DutError(f"{where}: {word} is not understood: {what}.")
        else:
            self.files.append(_existing(folder, word, where))


def _existing(folder: Path, name: str, where: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_file():
        raise DutError(f"{where}: there is no file {name} in {folder}.")
    return path


def _folder(folder: Path, name: str, where: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_dir():
        raise DutError(f"{where}: there is no folder {name} in {folder}.")
    return path
