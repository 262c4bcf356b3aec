from __future__ import annotations

import pytest

from runner.connectors.microsoft.nav import NavProfile
from runner.connectors.odata.csdl import MetadataError, entity_sets
from runner.connectors.odata.edm import Table, table
from runner.wire import FieldType, Type

DOCUMENT = """<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="NAV" xmlns="http://docs.oasis-open.org/odata/ns/edm">
<EntityType Name="CustomerCard">
  <Key><PropertyRef Name="No"/></Key>
  <Property Name="No" Type="Edm.String" Nullable="false" MaxLength="20">{code}</Property>
  <Property Name="Name" Type="Edm.String" MaxLength="50"/>
  <Property Name="Blocked" Type="Edm.String">{enum}</Property>
  <Property Name="Credit" Type="Edm.Decimal" Scale="Variable"/>
  <Property Name="Rate" Type="Edm.Decimal" Scale="2"/>
  <Property Name="Count" Type="Edm.Int32"/>
  <Property Name="Id" Type="Edm.Guid"/>
  <Property Name="Open" Type="Edm.Boolean"/>
  <Property Name="Due" Type="Edm.DateTimeOffset">{date}</Property>
  <Property Name="Seen" Type="Edm.DateTimeOffset"/>
  <Property Name="Last_Date_Modified" Type="Edm.Date">
    <Annotation Term="NAV.LabelId" String="x"/><Annotation Term="NAV.AllowEdit" Bool="false"/>
  </Property>
  <Property Name="Picture" Type="Edm.Stream"/>
  <Property Name="ETag" Type="Edm.String"/>
  <NavigationProperty Name="Lines" Type="Collection(NAV.Line)">
    <Annotation Term="NAV.AllowEdit" Bool="false"/>
  </NavigationProperty>
</EntityType>
<EntityType Name="Line"><Key><PropertyRef Name="Kind"/><PropertyRef Name="No"/></Key>
  <Property Name="Kind" Type="Edm.String"/><Property Name="No" Type="Edm.String"/></EntityType>
<EntityContainer Name="NAV">
  <EntitySet Name="Customer" EntityType="NAV.CustomerCard"/>
  <EntitySet Name="Lines" EntityType="NAV.Line"/>
</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"""


def note(kind: str) -> str:
    told = f"<EnumMember>NAV.NavTypeKind/{kind}</EnumMember>"
    return f'<Annotation Term="NAV.NavType">{told}</Annotation>'


CSDL = DOCUMENT.format(code=note("Code"), enum=note("Enum"), date=note("Date")).encode()


def tables(content: bytes, *names: str) -> list[Table]:
    reading = NavProfile(company="C")
    made = [table(s, reading, lambda name: f"there/{name}") for s in entity_sets(content, names)]
    return [one for one in made if one is not None]


def test_a_type_is_read_with_what_nav_notes_about_it() -> None:
    [found] = tables(CSDL, "Customer", "Nothing")
    assert found.url == "there/Customer"
    assert [column.name for column in found.columns.values() if column.midnight] == ["Due"]
    assert (found.type.name, found.type.key, found.type.label) == ("Customer", "No", "Name")
    assert found.type.modified == "Last_Date_Modified"
    assert list(found.type.fields.values()) == [
        FieldType(name="No", type=Type.CODE, max_length=20, on_update=False),
        FieldType(name="Name", type=Type.TEXT, max_length=50),
        FieldType(name="Blocked", type=Type.OPTION),
        FieldType(name="Credit", type=Type.DECIMAL),
        FieldType(name="Rate", type=Type.DECIMAL, scale=2),
        FieldType(name="Count", type=Type.INTEGER),
        FieldType(name="Id", type=Type.GUID),
        FieldType(name="Open", type=Type.BOOLEAN),
        FieldType(name="Due", type=Type.DATE),
        FieldType(name="Seen", type=Type.INSTANT),
        FieldType(name="Last_Date_Modified", type=Type.DATE, on_create=False, on_update=False),
    ]


def test_only_what_is_asked_for_is_kept() -> None:
    assert entity_sets(CSDL, set()) == []
    [lines] = tables(CSDL, "Lines")
    assert lines.type.key == "Kind,No"
    assert list(lines.type.fields) == ["Kind", "No", "Kind,No"]
    assert not lines.type.fields["Kind,No"].on_create


BOMB = '<!DOCTYPE x [<!ENTITY a "b">]><edmx:Edmx xmlns:edmx="e">&a;</edmx:Edmx>'


@pytest.mark.parametrize(
    ("content", "said", "garbled"),
    [
        pytest.param(CSDL[:500], "no XML", True, id="cut"),
        pytest.param(b"", "no XML", True, id="empty"),
        pytest.param(b"{}", "no XML", True, id="JSON"),
        pytest.param(b"<html><title>x</title></html>", "but <html>", False, id="HTML"),
        pytest.param(BOMB.encode(), "document type, 'x'", False, id="entities"),
        pytest.param(BOMB.encode("utf-16"), "document type, 'x'", False, id="in another coding"),
        pytest.param(
            b"<!--" + b" " * 9000 + b"-->" + BOMB.encode(), "document type", False, id="far behind"
        ),
        pytest.param(
            b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><edmx:Edmx xmlns:edmx="e"/>',
            "document type",
            False,
            id="external",
        ),
    ],
)
def test_what_is_no_csdl_is_refused(content: bytes, said: str, *, garbled: bool) -> None:
    with pytest.raises(MetadataError) as caught:
        entity_sets(content, {"Customer"})
    assert said in str(caught.value)
    assert caught.value.garbled is garbled
