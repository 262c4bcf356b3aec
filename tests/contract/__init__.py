"""The servers themselves, asked by bare HTTP: what the protocols' checklist demands."""
