"""The faults that a robot may meet: one table, and what is done about each row of it."""
