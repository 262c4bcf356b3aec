using {data} from '../db/schema';
@path: '/odata/v4/shop'
service Shop {
  @cds.query.limit: {default: 3, max: 1000}
  entity Customers as projection on data.Customers;
  entity Countries as projection on data.Countries;
  entity Prices as projection on data.Prices;
}
