"""An OData V4 server that is none of ours: SAP's CAP, from the npm registry, on loopback.

``server/`` holds its model and what npm installs. It is installed beside the user's other caches
(``~/.cache/sync-run/foreign-…``), once, when the long form is asked for; where it is there already
the short form runs it too. Where there is no npm, these tests are skipped.
"""
