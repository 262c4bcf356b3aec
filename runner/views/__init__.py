"""What people see: documents made from plans and reports, and text drawn from documents."""
