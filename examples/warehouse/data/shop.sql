-- The shop's database as it is on the first day.
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    name VARCHAR NOT NULL,
    email VARCHAR,
    street VARCHAR,
    postcode VARCHAR,
    city VARCHAR,
    country VARCHAR NOT NULL DEFAULT 'DE' CHECK (length(country) = 2),
    newsletter BOOLEAN NOT NULL DEFAULT FALSE,
    updated_at TIMESTAMP
);
INSERT INTO customers VALUES
    (1, 'Anna Vogel', 'anna.vogel@example.com', 'Elbstraße 4', '01067', 'Dresden', 'DE', TRUE, '2026-03-02 08:15:00'),
    (2, 'Bikes & More Ltd.', 'orders@bikesandmore.example', '12 Mill Lane', 'YO1 7HU', 'York', 'GB', FALSE, '2026-03-02 08:15:00'),
    (3, 'Çelik Bisiklet', 'satis@celik.example', 'İstiklal Cd. 7', '34430', 'İstanbul', 'TR', FALSE, '2026-03-02 08:15:00'),
    (4, 'Dieter Groß', 'Dieter.Gross@example.com', 'Am Wall 9', '28195', 'Bremen', 'DE', TRUE, '2026-03-05 10:00:00'),
    (5, 'Eva Lindqvist', 'eva@lindqvist.example', 'Storgatan 2', '411 24', 'Göteborg', 'SE', FALSE, '2026-03-06 17:40:00');

CREATE TABLE products (
    sku VARCHAR PRIMARY KEY,
    title VARCHAR NOT NULL,
    unit VARCHAR NOT NULL CHECK (unit IN ('piece', 'box', 'pallet')),
    price DECIMAL(10, 2) NOT NULL CHECK (price >= 0),
    weight_kg DECIMAL(8, 3),
    stock INTEGER NOT NULL DEFAULT 0
);
INSERT INTO products VALUES
    ('BELL-01', 'Bell, brass', 'piece', 9.90, NULL, 0),
    ('CHAIN-10', 'Chain, 10 speeds', 'piece', 24.50, NULL, 0),
    ('LAMP-02', 'Lamp "Nordlicht"', 'piece', 39.00, NULL, 0),
    ('PADS-B', 'Brake pads, box of 20', 'box', 89.00, NULL, 0),
    ('TYRE-28', 'Tyre 28"', 'piece', 31.95, NULL, 0);

CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    sku VARCHAR NOT NULL REFERENCES products (sku),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    total DECIMAL(10, 2) NOT NULL,
    placed_on DATE NOT NULL,
    paid BOOLEAN NOT NULL DEFAULT FALSE
);
INSERT INTO orders VALUES
    (1001, 1, 'BELL-01', 2, 19.80, '2026-03-02', TRUE),
    (1002, 2, 'PADS-B', 5, 445.00, '2026-03-03', TRUE),
    (1003, 4, 'TYRE-28', 2, 63.90, '2026-03-05', TRUE),
    (1004, 5, 'LAMP-02', 1, 39.00, '2026-03-06', FALSE),
    (1005, 5, 'CHAIN-10', 1, 24.50, '2026-03-06', TRUE);
