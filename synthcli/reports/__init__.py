"""What people and machines read: a report document as plain data, and its renderings. Computes nothing."""
