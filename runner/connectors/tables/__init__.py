"""DuckDB files and folders of CSV, JSON and Parquet, as systems."""
