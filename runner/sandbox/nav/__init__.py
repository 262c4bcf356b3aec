"""NAV 2018's OData V4 web services (protocols B): sessions, pages read and written, rules."""
