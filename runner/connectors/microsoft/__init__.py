"""Dataverse, NAV 2018 and Business Central: what each does beyond OData."""
