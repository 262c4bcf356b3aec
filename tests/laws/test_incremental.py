"""The law of incremental runs: they find exactly what a full run finds at the same moment."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import RunnerError
from runner.model import DeleteConflict, Text, UpdateConflict
from runner.run import FULL, Extent
from runner.state import couplings, errors, held
from runner.wire import Rejected, Write
from tests.fakes import HERE
from tests.watched import Clock, Tells, Watched
from tests.world import AGENTS, CUSTOMERS, World, desk, shop

if TYPE_CHECKING:
    from runner.model import Mapping

NAMES = st.sampled_from(["Alpha", "alpha", "Beta", "Gamma", None])
PHONES = st.sampled_from(["1", "2", None])
OF_SHOP = st.fixed_dictionaries(
    {}, optional={"Name": NAMES, "Phone": PHONES, "Agent": st.sampled_from(["JO", "XX", None])}
)
OF_DESK = st.fixed_dictionaries(
    {}, optional={"name": NAMES, "phone": PHONES, "ownerid": st.sampled_from(["u1", "u2", None])}
)
STEPS = st.one_of(
    st.tuples(st.just("shop"), st.sampled_from(["10", "20", "N00001"]), OF_SHOP),
    st.tuples(st.just("desk"), st.sampled_from(["g1", "g2"]), OF_DESK),
    st.tuples(st.just("agent"), st.sampled_from(["u1", "u2"]), st.sampled_from(["Jo", "Xaver"])),
    st.tuples(st.just("remove"), st.sampled_from(["10", "20", "g1", "g2", "new"])),
    st.tuples(st.just("wait"), st.sampled_from([1, 200, 4_000, 90_000])),
    st.tuples(st.just("couple"), st.sampled_from(["10", "20"]), st.sampled_from(["g1", "g2"])),
    st.tuples(st.just("uncouple"), st.sampled_from(["10", "20", "g1"])),
    st.tuples(st.just("skip"), st.sampled_from(["10", "20", "g1"])),
    st.tuples(st.just("retry"), st.sampled_from(["", "10", "20", "g1"])),
    st.tuples(st.just("mapping"), st.integers(0, 3)),
    st.tuples(st.just("forget")),
    st.tuples(st.just("lose"), st.sampled_from(["mirror", "damage"])),
    st.tuples(st.just("plan")),
    st.tuples(st.just("full"), st.booleans()),
    st.tuples(st.just("apply"), st.sampled_from(["", "refused", "lost", "killed", "saved"])),
)
Step = tuple[Any, ...]


class Killed(BaseException):
    """The process died here."""


def variants() -> list[tuple[Mapping, ...]]:
    """The mappings as their author may change them in between."""
    few = Text(text="Phone != '2'", at=HERE)
    many = Text(text="phone != '1'", at=HERE)
    filtered = replace(
        CUSTOMERS,
        left=replace(CUSTOMERS.left, filter=few),
        right=replace(CUSTOMERS.right, filter=many),
    )
    once = replace(CUSTOMERS, left=replace(CUSTOMERS.left, one_per="Phone"))
    prefer = tuple(replace(f, conflict=UpdateConflict.PREFER_LEFT) for f in CUSTOMERS.fields)
    other = replace(CUSTOMERS, fields=prefer[:3], deleted=DeleteConflict.RESTORE, match=())
    failing_twice = (replace(m, attempts=2) for m in (CUSTOMERS, filtered, once, other))
    return [(AGENTS, mapping) for mapping in failing_twice]


def watched(folder: Path, left: Tells, right: Tells, ahead: timedelta) -> tuple[World, Clock]:
    clock = Clock()
    made = World(
        folder,
        Watched(shop().types, left, clock, ahead=ahead),
        Watched(desk().types, right, clock, ahead=-ahead, client_keys=True),
    )
    made.extent = Extent(incremental=True, now=clock)
    made.mappings = variants()[0]
    made.shop.put("Agent", "JO", Name="Jo")
    made.desk.put("users", "u1", fullname="Jo")
    # Never deleted: a system that has nothing at all stops the run (see GuardError).
    made.shop.put("Customer", "99", Name="Anchor")
    made.desk.put("accounts", "g9", name="Rock")
    return made, clock


def planned(made: World, name: str) -> dict[str, Any]:
    """Everything a plan says, but for how the systems were read."""
    file = made.folder / f"{name}.plan"
    told = made.plan(out=file)
    with duckdb.connect(str(file), read_only=True) as plan:
        actions = plan.execute('SELECT * EXCLUDE "id" FROM "action" ORDER BY "id"').fetchall()
        afters = {
            m.name: plan.execute(f'SELECT * FROM "{m.name}.after" ORDER BY ALL').fetchall()
            for m in made.mappings
        }
    counted = [
        {key: m[key] for key in ("mapping", "unchanged", "counts", "filtered")}
        for m in told.document["mappings"]
    ]
    return {"actions": actions, "afters": afters, "counted": counted}


def the_same_as_in_full(made: World) -> None:
    """Compare an incremental plan with a full one, made beside it: same state, no mirror."""
    found = planned(made, "incremental")
    with tempfile.TemporaryDirectory() as folder:
        beside = replace(made, folder=Path(folder), extent=FULL)
        if made.project.state.exists():
            shutil.copy(made.project.state, beside.project.state)
        assert found == planned(beside, "full")


# Each example walks many times: a quarter of them takes as long as other laws.
@settings(max_examples=settings().max_examples // 4)
@given(
    left=st.sampled_from(Tells),
    right=st.sampled_from(Tells),
    ahead=st.sampled_from([timedelta(), timedelta(hours=7), timedelta(seconds=-90)]),
    steps=st.lists(STEPS, min_size=3, max_size=9),
)
def test_an_incremental_run_finds_what_a_full_run_finds(
    left: Tells, right: Tells, ahead: timedelta, steps: list[Step]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made, clock = watched(Path(folder), left, right, ahead)
        made.apply()
        for step in steps:
            take(made, clock, step)
        made.extent = Extent(incremental=True, deletes=True, now=clock)
        the_same_as_in_full(made)
        made.apply()
        made.apply()
        again = made.plan()
        assert again.document["changes"] == 0, again.kinds()
        the_same_as_in_full(made)


def take(made: World, clock: Clock, step: Step) -> None:
    kind, *told = step
    match kind:
        case "shop" | "desk" | "agent":
            _edit(made, kind, *told)
        case "remove":
            _remove(made, *told)
        case "wait":
            clock.wait(timedelta(seconds=told[0]))
        case "couple" | "uncouple":
            _by_hand(made, *told)
        case "skip" | "retry":
            _set_aside(made, kind, *told)
        case "mapping":
            made.mappings = variants()[told[0]]
        case "forget" | "lose":
            _lose(made, *told)
        case "plan":
            the_same_as_in_full(made)
        case "full":
            made.extent = replace(made.extent, incremental=False)
            made.apply() if told[0] else made.plan()
            made.extent = replace(made.extent, incremental=True)
        case "apply":
            the_same_as_in_full(made)
            _apply(made, *told)


def _edit(made: World, kind: str, key: str, told: Any) -> None:
    match kind:
        case "shop":
            made.shop.put("Customer", key, **told)
        case "desk":
            made.desk.put("accounts", key, **told)
        case "agent":
            made.desk.put("users", key, fullname=told)


def _lose(made: World, how: str = "tokens") -> None:
    """Lose what incremental runs go by: the systems' tokens, the mirror, or half of it."""
    mirror = made.project.mirror
    if how == "tokens":
        for fake in (made.shop, made.desk):
            assert isinstance(fake, Watched)
            fake.forget()
    elif how == "mirror":
        mirror.unlink(missing_ok=True)
    elif mirror.exists():
        content = mirror.read_bytes()
        mirror.write_bytes(content[: len(content) // 2])
        # Damage that shows only on the way ends the run, which says so; the next begins anew.
        with suppress(RunnerError):
            made.plan()


def _remove(made: World, key: str) -> None:
    """Delete a record; where nothing but a look at all keys would tell, let that look be due."""
    for fake, entity in ((made.shop, "Customer"), (made.desk, "accounts")):
        rows = fake.rows.get(entity, {})
        found = key if key in rows else next((k for k in rows if len(k) > 5), "")
        if found and (key in rows or key == "new"):
            fake.remove(entity, found)
            made.extent = replace(made.extent, deletes=True)


def _by_hand(made: World, left: str, right: str = "") -> None:
    with held(made.project.state, "test") as store, store.opened() as state:
        name = CUSTOMERS.name
        if not right:
            couplings.uncouple(state, name, couplings.find(state, name, left))
        elif not any(couplings.find(state, name, key) for key in (left, right)):
            couplings.adopt(state, name, left, right, run=0)


def _set_aside(made: World, kind: str, key: str) -> None:
    with held(made.project.state, "test") as store, store.opened() as state:
        if kind == "skip":
            errors.skip(state, CUSTOMERS.name, key)
        else:
            errors.take_up(state, CUSTOMERS.name, key)


def _apply(made: World, how: str) -> None:
    if how == "saved":
        _apply_late(made)
        return
    writes = 0

    def refuse(write: Write) -> Rejected | None:
        return Rejected(code="no", message="no") if write.kind == "update" else None

    def die(_: Write) -> None:
        nonlocal writes
        writes += 1
        if writes == 2:
            raise Killed

    fakes = (made.shop, made.desk)
    before = [(fake.fails, fake.afterwards) for fake in fakes]
    for fake in fakes:
        fake.fails = refuse if how == "refused" else fake.fails
        fake.lose = how == "lost"
        fake.afterwards = die if how == "killed" else fake.afterwards
    try:
        made.apply()
    except* Killed:
        pass
    for fake, (fails, afterwards) in zip(fakes, before, strict=True):
        fake.fails, fake.afterwards, fake.lose = fails, afterwards, False


def _apply_late(made: World) -> None:
    """Apply a plan after others were made and records changed."""
    saved = made.folder / "saved.plan"
    made.plan(out=saved)
    for key in made.shop.rows["Customer"]:
        made.shop.put("Customer", key, Phone="1")
    made.plan()
    made.apply_file(saved)
