"""As much of two build servers as their examples use: what a step means, and its surroundings.

The scripts are run by bash as they stand in the YAML. Only what belongs to the server is made here:
checking out, keeping files, commenting, and the values of its expressions, each of them by name: an
expression that is not known here fails the test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "pipelines"


@dataclass
class Server:
    """One server with its artifacts, its agent's state, and the comments that were made."""

    folder: Path
    artifacts: dict[str, Path] = field(default_factory=dict)
    log: list[tuple[str, int, str]] = field(default_factory=list)
    """The steps that ran: name, exit code, and what they said."""
    event: str = "push"
    checkouts: int = 0

    def __post_init__(self) -> None:
        self.tools = self.folder / "tools"
        self.tools.mkdir(parents=True)
        (self.folder / "state").mkdir()
        (self.tools / "sync-run").symlink_to(Path(sys.executable).with_name("sync-run"))
        self.stub(
            "gh", f'printf "%s\\n" "$*" > {self.commented}.words; cat "$5" > {self.commented}'
        )
        self.stub("curl", f'printf "%s\\n" "$*" > {self.commented}.words; cat > {self.commented}')

    @property
    def commented(self) -> Path:
        return self.folder / "comment"

    def stub(self, name: str, script: str) -> None:
        path = self.tools / name
        path.write_text(f"#!/bin/bash\nset -e\n{script}\n")
        path.chmod(0o755)

    def job(self, name: str) -> int:
        """Run a job, if its conditions hold, up to the step that fails; return that exit code."""
        raise NotImplementedError

    def checkout(self) -> Path:
        """A fresh copy of the repository."""
        self.checkouts += 1
        place = self.folder / f"checkout-{self.checkouts}"
        shutil.copytree(EXAMPLE, place, ignore=shutil.ignore_patterns(".sync-run"))
        return place

    def bash(self, script: str, place: Path, name: str, **more: str) -> tuple[int, str]:
        """Run a script as the agent does: no terminal, and no variable but what is given."""
        environment = {
            "PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}",
            "STATE": str(self.folder / "state"),
            **more,
        }
        done = subprocess.run(
            ["/usr/bin/env", "bash", "-e", "-c", script],
            cwd=place, env=environment, text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.log.append((name, done.returncode, done.stdout))
        return done.returncode, done.stdout

    def keep(self, name: str, path: Path) -> None:
        kept = self.folder / "artifacts" / name / path.name
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, kept)
        self.artifacts[name] = kept


class GitHub(Server):
    """The workflow; its jobs by their names."""

    def __post_init__(self) -> None:
        super().__post_init__()
        text = (EXAMPLE / ".github" / "workflows" / "sync.yml").read_text(encoding="utf-8")
        # YAML 1.1 takes a bare `on` for true; GitHub does not.
        self.workflow = yaml.safe_load(text.replace("\non:", '\n"on":'))
        self.outputs: dict[str, str] = {}

    def job(self, name: str) -> int:
        job = self.workflow["jobs"][name]
        assert set(job["runs-on"]) == {"self-hosted", "sync-run"}
        assert self.holds(job["if"]), f"{name} does not run for {self.event}"
        place = self.folder
        for step in job["steps"]:
            if not self.holds(step.get("if", "true")):
                continue
            if "uses" in step:
                place = self.used(step["uses"].partition("@")[0], step.get("with", {}), place)
            elif code := self.ran(step, place):
                return code
        return 0

    def used(self, action: str, told: dict[str, Any], place: Path) -> Path:
        match action:
            case "actions/checkout":
                return self.checkout()
            case "actions/upload-artifact":
                self.keep(told["name"], place / told["path"])
            case "actions/download-artifact":
                shutil.copy(self.artifacts[told["name"]], place)
            case _:
                raise AssertionError(action)
        return place

    def ran(self, step: dict[str, Any], place: Path) -> int:
        files = {
            name: place / f".{name.lower()}" for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
        }
        for file in files.values():
            file.touch()
        given = {name: self.value(str(text)) for name, text in step.get("env", {}).items()}
        told = {name: str(file) for name, file in files.items()}
        code, _ = self.bash(step["run"], place, step["name"], **given, **told)
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        self.outputs |= dict(line.split("=", 1) for line in lines)
        return code

    def holds(self, condition: str) -> bool:
        changes = self.outputs.get("changes")
        return {
            "true": True,
            "github.event_name != 'pull_request' || "
            "github.event.pull_request.head.repo.full_name == github.repository": True,
            "github.event_name == 'pull_request'": self.event == "pull_request",
            "steps.plan.outputs.changes == 'yes'": changes == "yes",
            "github.event_name != 'pull_request' && needs.plan.outputs.changes == 'yes'":
                self.event != "pull_request" and changes == "yes",
        }[condition]  # fmt: skip

    def value(self, text: str) -> str:
        known = {"github.token": "t0ken", "github.event.pull_request.number": "7"}
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: known[found[1]], text)


class Azure(Server):
    """The pipeline; its stages by their names."""

    def __post_init__(self) -> None:
        super().__post_init__()
        text = (EXAMPLE / "azure-pipelines.yml").read_text(encoding="utf-8")
        self.pipeline = yaml.safe_load(text)
        self.outputs: dict[str, str] = {}

    def job(self, name: str) -> int:
        (stage,) = [stage for stage in self.pipeline["stages"] if stage["stage"] == name]
        assert self.holds(stage.get("condition", "succeeded()")), f"{name} does not run"
        (job,) = stage["jobs"]
        steps = (
            job["strategy"]["runOnce"]["deploy"]["steps"] if "deployment" in job else job["steps"]
        )
        place = self.folder
        for step in steps:
            if not self.holds(step.get("condition", "succeeded()")):
                continue
            match step:
                case {"checkout": "self"}:
                    place = self.checkout()
                case {"publish": path, "artifact": artifact}:
                    self.keep(artifact, place / path)
                case {"download": "current", "artifact": artifact}:
                    assert artifact in self.artifacts
                case {"bash": script}:
                    if code := self.ran(script, step, place):
                        return code
                case _:
                    raise AssertionError(step)
        return 0

    def ran(self, script: str, step: dict[str, Any], place: Path) -> int:
        given = {name: self.value(text) for name, text in step.get("env", {}).items()}
        code, told = self.bash(script, place, step["displayName"], **given)
        setting = r"^##vso\[task\.setvariable variable=(\w+);isOutput=true\](.*)$"
        found = re.findall(setting, told, re.MULTILINE)
        self.outputs |= {f"{step['name']}.{name}": value for name, value in found}
        return code

    def holds(self, condition: str) -> bool:
        asked = self.event == "pull_request"
        changes = self.outputs.get("plan.changes")
        return {
            "succeeded()": True,
            "and(succeeded(), eq(variables['Build.Reason'], 'PullRequest'))": asked,
            "and(succeeded(), eq(variables['plan.changes'], 'yes'))": changes == "yes",
            "and(succeeded(), ne(variables['Build.Reason'], 'PullRequest'), "
            "eq(dependencies.plan.outputs['plan.plan.changes'], 'yes'))":
                not asked and changes == "yes",
        }[condition]  # fmt: skip

    def value(self, text: str) -> str:
        known = {
            "System.AccessToken": "t0ken",
            "System.CollectionUri": "https://dev.example.com/contoso/",
            "System.TeamProjectId": "p",
            "Build.Repository.ID": "r",
            "System.PullRequest.PullRequestId": "7",
            "Pipeline.Workspace": str(self.folder / "artifacts"),
        }
        return re.sub(r"\$\(([\w.]+)\)", lambda found: known[found[1]], text)
