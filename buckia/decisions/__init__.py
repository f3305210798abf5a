"""What follows from what is known, pure: a plan's actions, what it must not do, whether it is still
true, and what becomes of the memory. `reconcile` decides on each key before.
"""
