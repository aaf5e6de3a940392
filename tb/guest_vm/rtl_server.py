"""The RTL as the program that offers the function: the simulation's build, and how it is started."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from tb.flow.build import Recipe, Use, build
from tb.flow.options import SimOptions
from tb.flow.paths import ROOT
from tb.flow.plan import Run, SimTest, load_plan
from tb.flow.simulation import simulation_environment
from tb.guest_vm.processes import Program
from tb.guest_vm.runner import Request, ServerMaker
from tb.guest_vm.say import say
from tb.guest_vm.server_options import ServerOptions

TEST = SimTest("RealGuest", "tb.guest_vm.rtl_test", "A real guest drives the function.")
DEVICE = "block"


def rtl_server(
    *, seed: int = 1, waves: bool = False, rtl: Path = ROOT, builds: Path | None = None
) -> ServerMaker:
    """Build the simulation if needed; the result starts it. `rtl` may hold a copy of the RTL with a fault."""
    configuration = load_plan(tests=[TEST]).default_configuration(DEVICE)
    use = Use.WAVES if waves else Use.PYTHON
    recipe = Recipe(configuration, use, rtl) if builds is None else Recipe(configuration, use, rtl, builds)
    if asyncio.run(build(recipe)):
        say(f"built the simulation in {recipe.folder}")
    run = Run(TEST, configuration)

    def make(options: ServerOptions, folder: Path) -> Program:
        simulation = SimOptions(
            device=configuration.device,
            configuration=configuration.name,
            parameters=dict(configuration.parameters),
            test=TEST.name,
            seed=seed,
            waves=waves,
            results_dir=str(folder),
        )
        environment = (
            simulation_environment(run, simulation, folder / "results.xml") | options.to_environment()
        )
        command = [
            str(recipe.executable),
            "+verilator+rand+reset+2",
            f"+verilator+seed+{seed % (2**31 - 1) + 1}",
            *(["--trace"] if waves else []),
        ]
        explain = partial(failure, folder / "results.xml")
        return Program(
            "the simulation", command, folder / "simulation.log", None, folder, environment, explain
        )

    return make


def server_for(request: Request) -> ServerMaker:
    """The server that a request asks for, from the project's RTL or from a copy with a fault."""
    builds = None if request.rtl == ROOT else request.rtl / "build"
    return rtl_server(seed=request.seed, waves=request.waves, rtl=request.rtl, builds=builds)


def failure(results: Path) -> str:
    """Why the simulation's test failed; "" where it passed, or where the verdicts say it better."""
    try:
        found = ElementTree.parse(results).getroot().findall(".//testcase/failure")
    except (OSError, ElementTree.ParseError):
        return ""
    for element in found:
        if "MismatchError" not in (kind := element.get("type") or "failure"):
            return f"{kind}: {(element.get('message') or '').partition(chr(10))[0]}"
    return ""
