"""OData V4: its language, what a service says about itself, and a connector to any of them."""
