using {cuid, managed} from '@sap/cds/common';
namespace data;

type State : String enum { open; closed; };

entity Customers : cuid, managed {
  @odata.etag version : Timestamp @cds.on.insert: $now @cds.on.update: $now;
  code    : String(20);
  name    : String(50) not null;
  email   : String(80);
  credit  : Decimal(15, 2);
  rating  : Integer;
  active  : Boolean default true;
  born    : Date;
  seen    : DateTime;
  open    : Time;
  country : Association to Countries;
}

entity Countries {
  key code : String(10);
  name     : String(50);
}

entity Prices {
  key item : String(20);
  key qty  : Integer;
  key day  : Date;
  amount   : Decimal(15, 4);
}
