class BadInput(Exception):
    """What people gave can't be used. The message is one sentence: what is wrong, where, and what to do."""
