"""The wire: one connector a system's protocol, and the only room with a socket."""
