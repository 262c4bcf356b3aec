"""Services that describe themselves by CSDL, whoever made them: types, keys, lookups."""

from __future__ import annotations

import msgspec
import pytest

from runner.connectors.odata import language as odata
from runner.connectors.odata.csdl import entity_sets, names
from runner.connectors.odata.edm import Table, table
from runner.connectors.odata.rows import Decoder, chosen
from runner.connectors.odata.v4 import Habits, ODataProfile
from runner.connectors.problems import UnreadableError
from runner.wire import FieldType, Type, WireQuery

CSDL = b"""<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="Shop.Types" Alias="T" xmlns="http://docs.oasis-open.org/odata/ns/edm">
  <TypeDefinition Name="Code" UnderlyingType="Edm.String" MaxLength="10"/>
  <EnumType Name="State"><Member Name="Open"/><Member Name="Closed" Value="7"/>
    <Member Name="Lost"/></EnumType>
  <ComplexType Name="Place"><Property Name="City" Type="Edm.String" MaxLength="30"/>
    <Property Name="At" Type="T.Point"/></ComplexType>
  <ComplexType Name="Point"><Property Name="X" Type="Edm.Decimal" Scale="2"/></ComplexType>
  <EntityType Name="Base" Abstract="true"><Key><PropertyRef Name="ID"/></Key>
    <Property Name="ID" Type="Edm.Guid" Nullable="false"/>
    <Property Name="modifiedAt" Type="Edm.DateTimeOffset">
      <Annotation Term="Org.OData.Core.V1.Computed"/></Property></EntityType>
</Schema>
<Schema Namespace="Shop" xmlns="http://docs.oasis-open.org/odata/ns/edm">
  <EntityType Name="Order" BaseType="T.Base">
    <Property Name="code" Type="T.Code" Nullable="false"/>
    <Property Name="state" Type="Shop.Types.State" Nullable="false" DefaultValue="Open"/>
    <Property Name="place" Type="T.Place"/>
    <Property Name="tags" Type="Collection(Edm.String)"/>
    <Property Name="noon" Type="Edm.TimeOfDay"/>
    <Property Name="number" Type="Edm.Int64"/>
    <Property Name="customer_ID" Type="Edm.Guid"/>
    <Property Name="maker" Type="Edm.String"/>
    <NavigationProperty Name="customer" Type="Shop.Customer">
      <ReferentialConstraint Property="customer_ID" ReferencedProperty="ID"/></NavigationProperty>
    <NavigationProperty Name="ship" Type="Shop.Ship"/>
    <NavigationProperty Name="lines" Type="Collection(Shop.Line)"/>
    <NavigationProperty Name="nowhere" Type="Shop.Customer"/>
  </EntityType>
  <EntityType Name="Customer" BaseType="T.Base"><Property Name="name" Type="Edm.String"/>
  </EntityType>
  <EntityType Name="Ship"><Key><PropertyRef Name="No"/></Key>
    <Property Name="No" Type="Edm.Int32" Nullable="false"/></EntityType>
  <EntityType Name="Line"><Key><PropertyRef Name="order"/><PropertyRef Name="pos"/>
      <PropertyRef Name="day"/></Key>
    <Property Name="order" Type="Edm.String" Nullable="false"/>
    <Property Name="pos" Type="Edm.Int32" Nullable="false"/>
    <Property Name="day" Type="Edm.Date" Nullable="false"/></EntityType>
  <EntityContainer Name="C">
    <EntitySet Name="Orders" EntityType="Shop.Order">
      <NavigationPropertyBinding Path="customer" Target="Customers"/>
      <NavigationPropertyBinding Path="ship" Target="Ships"/></EntitySet>
    <EntitySet Name="Customers" EntityType="Shop.Customer">
      <Annotation Term="Org.OData.Capabilities.V1.InsertRestrictions"><Record>
        <PropertyValue Property="Insertable" Bool="false"/></Record></Annotation></EntitySet>
    <EntitySet Name="Ships" EntityType="Shop.Ship"/>
    <EntitySet Name="Lines" EntityType="Shop.Line"/>
  </EntityContainer>
  <Annotations Target="Shop.Order/maker">
    <Annotation Term="Org.OData.Core.V1.Immutable" Bool="true"/></Annotations>
  <Annotations Target="Shop.C/Customers">
    <Annotation Term="Org.OData.Capabilities.V1.UpdateRestrictions"><Record>
      <PropertyValue Property="Updatable" Bool="false"/></Record></Annotation></Annotations>
</Schema></edmx:DataServices></edmx:Edmx>"""

PROFILE = ODataProfile(habits=Habits())
ONE = "aaaaaaaa-0000-4000-8000-000000000001"


def made(name: str) -> Table:
    [found] = entity_sets(CSDL, {name})
    told = table(found, PROFILE, lambda path: f"https://shop.example/v4/{path}")
    assert told is not None
    return told


def test_all_sets_are_named() -> None:
    assert names(CSDL) == ["Customers", "Lines", "Orders", "Ships"]


def test_types_of_every_kind() -> None:
    told = made("Orders").type
    assert (told.key, told.modified) == ("ID", "modifiedAt")
    assert list(told.fields.values()) == [
        FieldType(name="ID", type=Type.GUID, on_update=False, required=True),
        FieldType(name="modifiedAt", type=Type.INSTANT, on_create=False, on_update=False),
        FieldType(name="code", type=Type.TEXT, max_length=10, required=True),
        FieldType(
            name="state",
            type=Type.OPTION,
            options=((0, "Open"), (7, "Closed"), (2, "Lost")),
        ),
        FieldType(name="place/City", type=Type.TEXT, max_length=30),
        FieldType(name="place/At/X", type=Type.DECIMAL, scale=2),
        FieldType(name="noon", type=Type.TEXT),
        FieldType(name="number", type=Type.INTEGER),
        FieldType(name="customer_ID", type=Type.REFERENCE, targets=("Customers",)),
        FieldType(name="maker", type=Type.TEXT, on_update=False),
        FieldType(name="ship", type=Type.REFERENCE, targets=("Ships",)),
    ]


def test_a_set_that_takes_nothing() -> None:
    fields = made("Customers").type.fields.values()
    assert not any(field.on_create or field.on_update for field in fields)


def test_rows_of_every_kind() -> None:
    orders = made("Orders")
    wanted = ("code", "place/City", "place/At/X", "ship", "customer_ID")
    columns = chosen(orders.columns, wanted, "Orders")
    assert odata.address("Orders", columns) == (
        "Orders?$select=code,place/City,place/At/X,customer_ID&$expand=ship($select=No)"
    )
    rows: list[dict[str, object]] = [
        {"ID": ONE, "code": "A", "place": {"City": "B", "At": {"X": 1.50}}, "ship": {"No": 7}},
        {"ID": ONE, "code": "B", "place": {"City": None, "At": None}, "ship": None},
        {"ID": ONE, "code": "C", "place": None, "ship": None},
    ]
    content = msgspec.json.encode({"value": [{**row, "customer_ID": None} for row in rows]})
    page, link = Decoder(orders.key, columns).page(content)
    assert link is None
    assert page.columns == {
        "code": ["A", "B", "C"],
        "place/City": ["B", None, None],
        "place/At/X": ["1.5", None, None],
        "ship": ["7", None, None],
        "customer_ID": [None, None, None],
    }
    with pytest.raises(UnreadableError, match="not as described"):
        Decoder(orders.key, columns).page(b'{"value":[{"ID":"%s","code":"A"}]}' % ONE.encode())


def test_a_key_of_several_fields() -> None:
    lines = made("Lines")
    assert lines.type.key == "order,pos,day"
    content = b'{"value":[{"order":"O\'1/x","pos":7,"day":"2026-08-01"}]}'
    page, _ = Decoder(lines.key, [lines.key]).page(content)
    [key] = page.keys
    assert key == "order='O''1/x',pos=7,day=2026-08-01"
    assert page.columns == {"order,pos,day": [key]}
    assert odata.predicate(key, lines.key) == "(order='O''1%2Fx',pos=7,day=2026-08-01)"
    assert odata.named(f"x/Lines{odata.predicate(key, lines.key)}", lines.key) == key
    assert odata.one_of(lines.key, [key]) == (
        "order%20eq%20'O''1%2Fx'%20and%20pos%20eq%207%20and%20day%20eq%202026-08-01"
    )
    query = WireQuery(entity="Lines", fields=("pos",), keys=(key, key))
    assert [part.keys for part in odata.by_keys(query, lines.key)] == [(key,), (key,)]


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("https://x/Ships(7)", "7"),
        ("https://x/Ships(No=7)", "7"),
        ("https://x/v1(2)/Ships(7)/", "7"),
        ("https://x/Ships", None),
        ("", None),
    ],
)
def test_the_key_in_an_address(place: str, key: str | None) -> None:
    assert odata.named(place, made("Ships").key) == key


@pytest.mark.parametrize(
    ("where", "asked", "checks"),
    [
        (("code", "A"), "code%20eq%20'A'", 0),
        (("code", None), "", 1),
        (("code", "a\nb"), "", 1),
        (("state", "Open"), "state%20eq%20Shop.Types.State'Open'", 0),
        (("noon", "12:00:00"), "", 1),
        (("place/At/X", 2), "place/At/X%20eq%202", 0),
        (("number", None), "number%20eq%20null", 0),
        (("ship", "7"), "ship/No%20eq%207", 0),
        (("customer_ID", ONE), f"customer_ID%20eq%20{ONE}", 0),
    ],
)
def test_conditions(where: tuple[str, str | int | None], asked: str, checks: int) -> None:
    query = WireQuery(entity="Orders", fields=("ID",), where=(where,))
    told, checked = PROFILE.conditions(query, made("Orders"))
    assert ("%20and%20".join(told), len(checked)) == (asked, checks)
